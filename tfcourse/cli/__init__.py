"""The commands: they read arguments, call the library and print; no logic of their own.

The commands that need TensorFlow import it after everything that can be checked without it.
"""

from typing import Annotated

import typer

import tfcourse
from tfcourse.cli.babysit import babysit
from tfcourse.cli.bench import bench
from tfcourse.cli.best import best
from tfcourse.cli.check import check
from tfcourse.cli.compare import compare
from tfcourse.cli.course import course
from tfcourse.cli.doctor import doctor
from tfcourse.cli.export import export
from tfcourse.cli.journal import journal
from tfcourse.cli.lint import lint
from tfcourse.cli.machines import chief, worker
from tfcourse.cli.nudge import note, nudge, pause, resume, rollback
from tfcourse.cli.report import report
from tfcourse.cli.retest import retest
from tfcourse.cli.search import search
from tfcourse.cli.show import show
from tfcourse.cli.toy import toy
from tfcourse.cli.watch import watch
from tfcourse.terminal import WRONG_INPUT, console

__all__ = ["app"]

app = typer.Typer(
    name="tfcourse",
    # Plain text: rich would take "[search]" for markup, and its frames leave 80 columns too few.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="Hyperparameter tuning, batch normalization and softmax for TensorFlow 2 and Keras 3.",
)


def _print_version(show: bool) -> None:
    if show:
        console.print(f"tfcourse {tfcourse.__version__}", highlight=False)
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(WRONG_INPUT)


# In the order of the help.
app.command()(toy)
app.command()(search)
app.command()(check)
app.command()(lint)
app.command(add_help_option=False)(bench)
for command in (course, show, best, compare, watch, report, export, chief, worker, retest):
    app.command()(command)
for supervision in (babysit, nudge, rollback, pause, resume, note, journal):
    app.command()(supervision)
app.command()(doctor)
