"""The commands to a training under supervision, from another terminal or a script."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfcourse.cli.options import Debug, Quiet, json_option
from tfcourse.cli.output import print_json
from tfcourse.terminal import console, reporting

if TYPE_CHECKING:
    from tfcourse.babysit.commands import Kind

__all__ = ["note", "nudge", "pause", "resume", "rollback"]

Run = Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A babysitter's run directory.")]
Because = Annotated[str, typer.Option(metavar="TEXT", help="The reason, for the journal.")]
NoWait = Annotated[
    bool,
    typer.Option(
        "--no-wait",
        help="Don't wait for the answer; without a babysitter, leave it for the next one.",
    ),
]
Wait = Annotated[float, typer.Option(min=0.1, help="The seconds to wait for the answer.")]
AsJson = Annotated[bool, json_option("status", "message", "epoch")]
Rate = Annotated[float | None, typer.Option(help="α; with a schedule the largest one.")]
Number = Annotated[float | None, typer.Option(help="A hyperparameter of the optimizer.")]
Dropout = Annotated[float | None, typer.Option(help="The rate of tfcourse's Dropout layers.")]
Schedule = Annotated[float | None, typer.Option(help="A hyperparameter of the schedule.")]
SECONDS = 10.0


def nudge(
    run_dir: Run,
    learning_rate: Rate = None,
    momentum: Number = None,
    beta_1: Number = None,
    beta_2: Number = None,
    rho: Number = None,
    epsilon: Number = None,
    dropout: Dropout = None,
    warmup: Schedule = None,
    decay_rate: Schedule = None,
    because: Because = "",
    wait: Wait = SECONDS,
    no_wait: NoWait = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Change a babysitter's hyperparameters from the next epoch on."""
    changes = {
        "learning_rate": learning_rate, "momentum": momentum, "beta_1": beta_1,
        "beta_2": beta_2, "rho": rho, "epsilon": epsilon, "dropout": dropout,
        "warmup": warmup, "decay_rate": decay_rate,
    }  # fmt: skip
    changes = {name: value for name, value in changes.items() if value is not None}
    fields = {"changes": changes, "because": because}
    _send(run_dir, "nudge", fields, 0 if no_wait else wait, as_json, quiet, debug)


def rollback(
    run_dir: Run,
    to: Annotated[
        int, typer.Option(metavar="EPOCH", help="Return to the end of this epoch; 0: the start.")
    ],
    learning_rate: Rate = None,
    because: Because = "",
    wait: Wait = SECONDS,
    no_wait: NoWait = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Return a babysitter's training to the end of an epoch.

    Weights, optimizer, dropout, shuffling and hyperparameters are those of then; the journal and
    the picture keep what came after.
    """
    changes = {} if learning_rate is None else {"learning_rate": learning_rate}
    fields = {"to": to, "changes": changes, "because": because}
    _send(run_dir, "rollback", fields, 0 if no_wait else wait, as_json, quiet, debug)


def pause(
    run_dir: Run,
    because: Because = "",
    wait: Wait = SECONDS,
    no_wait: NoWait = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Pause a babysitter's training before the next epoch.

    It follows commands meanwhile.
    """
    _send(run_dir, "pause", {"because": because}, 0 if no_wait else wait, as_json, quiet, debug)


def resume(
    run_dir: Run,
    because: Because = "",
    wait: Wait = SECONDS,
    no_wait: NoWait = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Resume a babysitter's paused training."""
    _send(run_dir, "resume", {"because": because}, 0 if no_wait else wait, as_json, quiet, debug)


def note(
    run_dir: Run,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text.")],
    wait: Wait = SECONDS,
    no_wait: NoWait = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a note into a babysitter's journal."""
    _send(run_dir, "note", {"text": text}, 0 if no_wait else wait, as_json, quiet, debug)


def _send(
    run_dir: Path,
    kind: "Kind",
    fields: dict[str, Any],
    wait: float,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Send a command and print the answer."""
    with reporting(debug, quiet, as_json):
        from tfcourse.babysit.client import address, send

        outcome = send(run_dir, address(run_dir, kind, **fields), wait)
        if as_json:
            print_json(asdict(outcome), indent=None)
        else:
            console.print(outcome.message, highlight=False, soft_wrap=True)
