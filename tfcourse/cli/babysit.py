"""The command that trains one model under supervision."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfcourse.cli.deletion import ask_to_delete
from tfcourse.cli.options import Debug, Quiet
from tfcourse.cli.output import print_json
from tfcourse.terminal import (
    FAILED,
    console,
    errors,
    import_tensorflow,
    message_if_interrupted,
    reporting,
    result_stream,
    signals_interrupt,
)

if TYPE_CHECKING:
    from tfcourse.babysit.entries import Entry
    from tfcourse.babysit.session import Outcome, Session

__all__ = ["babysit", "check_babysit"]


def babysit(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The training's TOML file.")],
    out: Annotated[Path, typer.Option(help="The folder for the run directory.")] = Path("runs"),
    replay: Annotated[
        Path | None,
        typer.Option(metavar="JOURNAL", help="Repeat what the journal.jsonl of another run says."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Delete the run directory and start over.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for each entry of the journal.")
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train one model, and follow commands between its epochs.

    From another terminal, or a script: tfcourse nudge, rollback, pause, resume and note, with the
    run directory. All of it is recorded in journal.jsonl. After an interruption the same command
    continues.
    """
    with reporting(debug, quiet, as_json), signals_interrupt():
        from tfcourse.babysit.config import load_babysit_config
        from tfcourse.babysit.prompt import typed_commands
        from tfcourse.babysit.session import Session

        checked = load_babysit_config(config)
        directory = out / checked.babysit.name
        session = Session(checked, directory, replay, fresh)
        if fresh and directory.exists() and not yes:
            with message_if_interrupted("Nothing was deleted."):
                ask_to_delete(directory)
        outcome = session.outcome()
        if outcome is None:
            import_tensorflow(quiet)
            with (
                message_if_interrupted(lambda: _interruption(session)),
                typed_commands(directory, lambda text: errors.print(text, highlight=False)),
            ):
                outcome = session.run(
                    lambda entry: _print_entry(entry, checked.epochs, quiet, as_json),
                    lambda text: _print_message(text, as_json),
                )
        _print_outcome(outcome, session, as_json)
        if outcome.difference:
            raise typer.Exit(FAILED)


def check_babysit(config: Path, as_json: bool, quiet: bool) -> None:
    """Check a babysitter's config and its data, and print warnings about them."""
    from tfcourse.babysit.config import load_babysit_config
    from tfcourse.search.data.checks import check_data

    checked = load_babysit_config(config)
    data, warnings = check_data(checked.training)
    notes = [f"[data] {note}" for note in warnings]
    if as_json:
        entry = {"config": config, "name": checked.babysit.name}
        print_json({**entry, "data": None if data is None else data.as_json(), "warnings": notes})
        return
    for line in [] if data is None or quiet else data.lines():
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    for note in notes:
        console.print(f"Warning: {note}", highlight=False, soft_wrap=True)
    if not quiet:
        console.print(f"{config} is valid.", highlight=False, soft_wrap=True)


def _interruption(session: "Session") -> str:
    """Return the words for an interrupted training."""
    from tfcourse.babysit.journal import read_journal
    from tfcourse.babysit.state import state_of

    path = session.folder.journal
    epoch = state_of(read_journal(path)).epoch if path.exists() else 0
    return (
        f"{epoch} of {session.config.epochs} epochs are done in {session.folder.path}. The same "
        "command continues."
    )


def _print_entry(entry: "Entry", epochs: int, quiet: bool, as_json: bool) -> None:
    from tfcourse.babysit.texts import describe

    if as_json:
        stream = result_stream()
        stream.write(entry.as_line())
        stream.flush()
    elif not quiet:
        console.print(describe(entry, epochs), highlight=False, soft_wrap=True)


def _print_message(text: str, as_json: bool) -> None:
    if as_json:
        print_json({"kind": "message", "message": text}, indent=None)
    else:
        console.print(text, highlight=False, soft_wrap=True)


def _print_outcome(outcome: "Outcome", session: "Session", as_json: bool) -> None:
    """Print the last epoch's metrics, and the place of the record."""
    if as_json:
        print_json({"kind": "outcome", **asdict(outcome)}, indent=None)
        return
    folder = session.folder
    metrics = "  ".join(f"{name} {value:.4f}" for name, value in outcome.logs.items())
    lines = [("epochs", f"{outcome.epoch} of {outcome.epochs}"), ("last epoch", metrics)]
    if outcome.test:
        lines.append(("test set", "  ".join(f"{n} {v:.4f}" for n, v in outcome.test.items())))
    if outcome.epoch == outcome.epochs:
        lines.append(("model", str(folder.model)))
    lines.append(("journal", str(folder.journal)))
    if session.replay is not None:
        lines.append(("replay", outcome.difference or f"agrees with {session.replay.path}"))
    for name, text in lines:
        console.print(f"{name:<12}{text}", highlight=False, soft_wrap=True)
