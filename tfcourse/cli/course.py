"""The command for the course's claims: it lists them, runs their scripts and writes the book."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfcourse.cli.options import Debug, Quiet, json_option
from tfcourse.cli.output import print_json
from tfcourse.errors import InputError, one_of
from tfcourse.notices import working
from tfcourse.terminal import (
    FAILED,
    console,
    errors,
    message_if_interrupted,
    reporting,
    signals_interrupt,
)

if TYPE_CHECKING:
    from tfcourse.course.listing import Status
    from tfcourse.course.runs import Run, Store
    from tfcourse.course.scripts import Script

__all__ = ["course"]

INTERRUPTED = "The finished scripts are kept. The same command continues with the rest."


def course(
    numbers: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CLAIM]...", help="Claims to run, such as 2.6, E5 or M2."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Run all scripts and write the book, book.html.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="The folder for results and book; one in the user's cache by default."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Run the quick mode: fewer steps and seeds.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Run scripts again that have not changed.")
    ] = False,
    notebooks: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the scripts to DIR as notebooks, and run nothing."),
    ] = None,
    language: Annotated[
        str, typer.Option(metavar="LANGUAGE", help="The language of titles and book: en or zh.")
    ] = "en",
    as_json: Annotated[bool, json_option("claims", "failed", "book", "notebooks")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """List the claims of the course and their verdicts, or run them."""
    with reporting(debug, quiet, as_json), signals_interrupt():
        from tfcourse.course.listing import statuses
        from tfcourse.course.register import LANGUAGES, claim_of
        from tfcourse.course.runs import Store, default_folder
        from tfcourse.course.scripts import check_imports, script_of, scripts

        if language not in LANGUAGES:
            raise InputError(one_of("--language", language, LANGUAGES))
        if every and numbers:
            raise InputError("--all runs every claim. Leave out --all, or the claims' numbers.")
        if every:
            from tfcourse.course.book.book import check_packages

            check_packages()
        store = Store((out or default_folder()).absolute())
        wanted = [claim_of(number).number for number in numbers or []]
        by_name = {script.name: script for script in map(script_of, wanted)}
        planned = scripts() if every else list(by_name.values())
        if notebooks is not None:
            paths = _write_notebooks(planned or scripts(), notebooks, language)
            if as_json:
                print_json({"claims": [], "failed": {}, "book": None, "notebooks": paths})
            return
        check_imports(planned)
        with message_if_interrupted(INTERRUPTED):
            runs = _run(planned, store, quick, fresh, quiet or as_json)
        book = _write_book(store, quick, language, quiet) if every else None
        shown = wanted or [number for script in planned for number in script.claims]
        listed = statuses(store, quick if runs else None)
        if as_json:
            _print_json(runs, [s for s in listed if not runs or s.claim.number in shown], book)
        else:
            _print(runs, listed, language, quiet, book)
        if any(run.error for run in runs):
            raise typer.Exit(FAILED)


def _run(
    planned: "Sequence[Script]", store: "Store", quick: bool, fresh: bool, quiet: bool
) -> "list[Run]":
    """Run scripts one after the other; a failure does not stop the others."""
    runs = []
    for count, script in enumerate(planned, 1):
        name = f"[{count}/{len(planned)}] {script.path.name}"
        run = None if fresh else store.current(script, quick)
        time = "unchanged"
        if run is None:
            with working(f"{name}: {', '.join(script.claims)}", disable=quiet):
                run = store.run(script, quick)
            time = f"{run.seconds:.0f} s"
        runs.append(run)
        if len(planned) > 1 and not quiet:
            stated = ", ".join(f"{verdict.claim} {verdict.word}" for verdict in run.verdicts)
            state = "failed" if run.error else stated
            errors.print(f"{name}: {state}, {time}", highlight=False, soft_wrap=True)
    return runs


def _print_json(runs: "Sequence[Run]", listed: "Sequence[Status]", book: Path | None) -> None:
    failed = {run.script: run.error for run in runs if run.error}
    claims = [status.as_json() for status in listed]
    print_json({"claims": claims, "failed": failed, "book": book, "notebooks": []})


def _print(
    runs: "Sequence[Run]",
    listed: "Sequence[Status]",
    language: str,
    quiet: bool,
    book: Path | None,
) -> None:
    """Print the list of the claims, or the verdicts and pictures of those that ran."""
    from tfcourse.course.listing import lines

    if not runs:
        for line in lines(listed, language):
            console.print(line, highlight=False, soft_wrap=True)
        return
    for run in runs:
        for verdict in run.verdicts:
            console.print(str(verdict), highlight=False, soft_wrap=True)
        for path in () if quiet else run.picture_paths:
            console.print(f"picture: {path}", highlight=False, soft_wrap=True)
        if run.error:
            message = f"{run.script} failed: {run.error}"
            errors.print(message, highlight=False, soft_wrap=True)
    if book is not None:
        console.print(f"book: {book}", highlight=False, soft_wrap=True)


def _write_book(store: "Store", quick: bool, language: str, quiet: bool) -> Path:
    from tfcourse.course.book.book import write_book

    with working("Writing the book", disable=quiet):
        return write_book(store, quick, language)


def _write_notebooks(planned: "Sequence[Script]", folder: Path, language: str) -> list[Path]:
    from tfcourse.course.notebooks import write_notebooks

    paths = list(write_notebooks(planned, folder, language))
    for path in paths:
        console.print(str(path), highlight=False, soft_wrap=True)
    return paths
