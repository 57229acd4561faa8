"""The command that times tfcourse beside its alternatives, and tries its promises."""

import io
import shutil
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stderr
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfcourse.cli.options import Debug, Quiet, json_option
from tfcourse.cli.output import print_json
from tfcourse.errors import InputError, WorkFailedError
from tfcourse.notices import working
from tfcourse.terminal import console, import_tensorflow, reporting, signals_interrupt

if TYPE_CHECKING:
    from tfcourse.bench.table import Result

__all__ = ["bench"]

LONGEST_LINE = 80
# These start processes of their own, which import it.
WITHOUT_TENSORFLOW = ("soak", "startup")


def bench(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Which bench; without it they are listed. NAME --help describes it.",
        ),
    ] = None,
    repeats: Annotated[int | None, typer.Option(min=1, help="Rounds to measure.")] = None,
    trials: Annotated[int | None, typer.Option(min=8, help="Of soak: trials, 1000.")] = None,
    kills: Annotated[int | None, typer.Option(min=1, help="Of soak: kills, 100.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of soak: the seed, 0.")] = None,
    part: Annotated[list[str] | None, typer.Option(help="Of soak: a part of it.")] = None,
    as_json: Annotated[
        bool,
        json_option(
            "benches (all, described)", "bench", "machine", "results (seconds, ratios by round)"
        ),
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
    show_help: Annotated[
        bool, typer.Option("--help", "-h", help="Show this message, or that of NAME, and exit.")
    ] = False,
) -> None:
    """Time tfcourse beside its alternatives, or soak it in kills."""
    with reporting(debug, quiet, as_json), signals_interrupt():  # some start processes
        if show_help:
            typer.echo(context.get_help() if name is None else _help_of(name))
            return
        from tfcourse.bench import DESCRIPTIONS, load_bench
        from tfcourse.bench.table import as_entry, machine_line, render_all

        entry = {"benches": DESCRIPTIONS, "bench": name, "machine": machine_line()}
        if name is None:
            if as_json:
                print_json({**entry, "results": []})
                return
            width = max(map(len, DESCRIPTIONS)) + 2
            for key, description in DESCRIPTIONS.items():
                console.print(f"{key:<{width}}{description}", highlight=False, soft_wrap=True)
            return
        options = _options(name, repeats=repeats, trials=trials, kills=kills, seed=seed, part=part)
        if name in DESCRIPTIONS and name not in WITHOUT_TENSORFLOW:
            import_tensorflow(quiet)
        run, faults = load_bench(name), list[str]()

        with _progress(name, quiet):
            results = run(**options)
        if isinstance(results, Iterator):
            results = _one_by_one(results, name, quiet, faults)
        if as_json:
            print_json({**entry, "results": [as_entry(result) for result in results]})
        else:
            render_all(results, console)
        if faults:
            raise WorkFailedError("\n".join(["Promises broke:", *faults]))


def _options(name: str, **values: object) -> Mapping[str, Any]:
    """Return the options that are not None, which are those of the bench.

    Raises:
        InputError: No bench has that name, or it does not take one of them.
    """
    from tfcourse.bench import check_name, options_of

    check_name(name)
    options = {option: value for option, value in values.items() if value is not None}
    for option in options:
        if option not in options_of(name):
            own = " or ".join(f"--{each}" for each in options_of(name))
            raise InputError(f"The bench {name} takes {own}. Received: --{option}.")
    return options


def _help_of(name: str) -> str:
    """Return what a bench measures, its contenders and its duration.

    Raises:
        InputError: No bench has that name.
    """
    from tfcourse.bench import DESCRIPTIONS, check_name, options_of
    from tfcourse.bench.descriptions import DETAILS

    check_name(name)
    width = min(shutil.get_terminal_size().columns, LONGEST_LINE)
    words = {option: "NAME" if option == "part" else "N" for option in options_of(name)}
    options = "".join(f" [--{option} {word}]" for option, word in words.items())
    lines = [
        f"Usage: tfcourse bench {name}{options} [--json]",
        "",
        f"  {DESCRIPTIONS[name]}",
        "",
    ]
    for heading, text in DETAILS[name].rows():
        indent = f"  {heading:<12}"
        lines += textwrap.wrap(
            text, width, initial_indent=indent, subsequent_indent=" " * len(indent)
        )
    return "\n".join([*lines, "", "tfcourse bench --help explains the options."])


@contextmanager
def _progress(name: str, quiet: bool) -> Iterator[None]:
    """Show that a bench runs; or drop the progress that it prints to stderr itself."""
    own = redirect_stderr(io.StringIO()) if quiet else nullcontext()
    with own, working(f"Running the bench {name}", disable=quiet):
        yield


def _one_by_one(
    results: "Iterator[Result]", name: str, quiet: bool, faults: list[str]
) -> "Iterator[Result]":
    """Yield the results of a bench that computes one at a time; add the promises that broke."""
    while True:
        with _progress(name, quiet):
            result = next(results, None)
        if result is None:
            return
        faults += getattr(result, "faults", ())
        yield result
