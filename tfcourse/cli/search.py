"""The command that searches hyperparameters."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from tfcourse.cli.deletion import ask_to_delete
from tfcourse.cli.options import AcceptChanges, ConfigFile, Debug, Quiet, TensorBoard, json_option
from tfcourse.cli.output import (
    SEARCH_KEYS,
    finished_trials_of,
    print_result,
    print_search_json,
)
from tfcourse.cli.report import check_report, print_report
from tfcourse.errors import InputError, shown
from tfcourse.terminal import (
    message_if_interrupted,
    reporting,
    signals_interrupt,
)

__all__ = ["search"]


def search(
    config: ConfigFile,
    trials: Annotated[int | None, typer.Option(help="Replaces [search] trials.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Replaces [training] epochs.")] = None,
    seed: Annotated[int | None, typer.Option(help="Replaces [search] seed.")] = None,
    strategy: Annotated[
        str | None,
        typer.Option(help="Replaces [search] strategy and its table.", metavar="NAME"),
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(help="The seconds of all runs after which no trial begins.")
    ] = None,
    target: Annotated[
        float | None, typer.Option(help="The objective that ends the search.")
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(help="The number of trials without a better one that ends the search."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder for the run directory.")] = Path("runs"),
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Delete the run directory and start over.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    workers: Annotated[
        str | None, typer.Option(help='The number of processes that train, or "auto".', metavar="N")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(help='A Ray cluster: "ray" or ray://HOST:PORT.', metavar="CLUSTER"),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN_DIR",
            help="Begin with the 3 best trials of an earlier search.",
        ),
    ] = None,
    tensorboard: TensorBoard = None,
    accept_changes: AcceptChanges = False,
    with_report: Annotated[
        bool, typer.Option("--report", help="Write the report at the end: tfcourse report.")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", help="Show the numbers of models reused and programs traced."),
    ] = False,
    as_json: Annotated[
        bool, json_option(*SEARCH_KEYS, "code_changes", "processes", "report")
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Search hyperparameters as CONFIG says. The same command resumes a search."""
    with reporting(debug, quiet, as_json), signals_interrupt():
        from tfcourse.search.run import Search

        if with_report:
            check_report()
        planned = Search.from_toml(
            config,
            out=out,
            start_from=start_from,
            trials=trials,
            epochs=epochs,
            seed=seed,
            strategy=strategy,
            max_seconds=max_seconds,
            target=target,
            patience=patience,
            tensorboard=None if tensorboard is None else str(tensorboard),
        )
        if fresh and planned.directory.exists() and not yes:
            with message_if_interrupted("Nothing was deleted."):
                ask_to_delete(planned.directory)
        with message_if_interrupted(lambda: finished_trials_of(planned)):
            result = planned.run(
                verbose=not quiet,
                fresh=fresh,
                workers=_workers(workers),
                accept_changes=accept_changes,
                on=on,
            )
        if not as_json:
            print_result(result, verbose, quiet=quiet)
        page = None
        if with_report:
            page, *_ = print_report(planned.directory, quiet=quiet, as_json=as_json)
        if as_json:
            print_search_json(
                planned.directory,
                code_changes=list(result.code_changes),
                processes={name: asdict(effort) for name, effort in result.efforts.items()},
                report=page,
            )


def _workers(text: str | None) -> int | Literal["auto"] | None:
    if text is None:
        return None
    if text == "auto":
        return "auto"
    if not text.isdecimal() or int(text) < 1:
        raise InputError(
            f'--workers must be a whole number >= 1 or "auto". Received: {shown(text)}.'
        )
    return int(text)
