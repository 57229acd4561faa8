"""The command that times tfcourse beside its alternatives."""

import io
import shutil
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr
from typing import TYPE_CHECKING, Annotated

import typer

from tfcourse.cli.options import Debug, Quiet, json_option
from tfcourse.cli.output import print_json
from tfcourse.notices import working
from tfcourse.terminal import console, import_tensorflow, reporting

if TYPE_CHECKING:
    from tfcourse.bench.table import Result

__all__ = ["bench"]

LONGEST_LINE = 80


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
    """Time tfcourse beside its alternatives, in one run."""
    with reporting(debug, quiet, as_json):
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
        if name in DESCRIPTIONS and name != "startup":
            import_tensorflow(quiet)
        run = load_bench(name)

        with _progress(name, quiet):
            results = run() if repeats is None else run(repeats=repeats)
        if isinstance(results, Iterator):
            results = _one_by_one(results, name, quiet)
        if as_json:
            print_json({**entry, "results": [as_entry(result) for result in results]})
        else:
            render_all(results, console)


def _help_of(name: str) -> str:
    """Return what a bench measures, its contenders and its duration.

    Raises:
        InputError: No bench has that name.
    """
    from tfcourse.bench import DESCRIPTIONS, check_name
    from tfcourse.bench.descriptions import DETAILS

    check_name(name)
    width = min(shutil.get_terminal_size().columns, LONGEST_LINE)
    lines = [
        f"Usage: tfcourse bench {name} [--repeats N] [--json]",
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


def _one_by_one(results: "Iterator[Result]", name: str, quiet: bool) -> "Iterator[Result]":
    """Yield the results of a bench that computes one at a time."""
    while True:
        with _progress(name, quiet):
            result = next(results, None)
        if result is None:
            return
        yield result
