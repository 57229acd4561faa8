"""The commands: they read arguments, call the library and print; no logic of their own.

The commands that need TensorFlow import it after everything that can be checked without it.
"""

import zipfile
from pathlib import Path
from typing import Annotated, Literal

import typer

import tfcourse
from tfcourse.cli.babysit import babysit, check_babysit
from tfcourse.cli.best import best
from tfcourse.cli.compare import compare
from tfcourse.cli.course import course
from tfcourse.cli.deletion import ask_to_delete
from tfcourse.cli.export import export
from tfcourse.cli.journal import journal
from tfcourse.cli.machines import chief, worker
from tfcourse.cli.nudge import note, nudge, pause, resume, rollback
from tfcourse.cli.options import AcceptChanges, ConfigFile, Debug, TensorBoard
from tfcourse.cli.output import finished_trials_of, print_result
from tfcourse.cli.report import check_report, print_report, report
from tfcourse.cli.retest import retest
from tfcourse.cli.show import show
from tfcourse.cli.toy import toy
from tfcourse.cli.watch import watch
from tfcourse.errors import InputError, message_line, shown
from tfcourse.terminal import (
    FAILED,
    WRONG_INPUT,
    console,
    import_tensorflow,
    message_if_interrupted,
    reporting,
    signals_interrupt,
)

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


app.command()(toy)


@app.command()
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
    debug: Debug = False,
) -> None:
    """Search hyperparameters as CONFIG says. The same command resumes a search."""
    with reporting(debug), signals_interrupt():
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
                fresh=fresh, workers=_workers(workers), accept_changes=accept_changes
            )
        print_result(result, verbose)
        if with_report:
            print_report(planned.directory)


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


@app.command()
def check(config: ConfigFile, debug: Debug = False) -> None:
    """Check CONFIG and its data without running anything."""
    with reporting(debug):
        from tfcourse.search.config.advice import advice
        from tfcourse.search.config.budget import hints
        from tfcourse.search.config.load import load_config, read_tables
        from tfcourse.search.data.checks import check_data
        from tfcourse.search.results.tables import space_table

        if "babysit" in read_tables(config):
            check_babysit(config)
            return
        checked = load_config(config)
        notes = check_data(checked)
        console.print(space_table(checked))
        for line in (*advice(checked), *(f"[data] {note}" for note in notes)):
            console.print(f"Warning: {line}", highlight=False, soft_wrap=True)
        for line in hints(checked):
            console.print(f"Hint: {line}", highlight=False, soft_wrap=True)
        console.print(f"{config} is valid.", highlight=False, soft_wrap=True)


@app.command()
def lint(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A model saved as .keras.")],
    steps: Annotated[
        int | None, typer.Option(min=1, help="How many training steps are planned.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Point out likely mistakes in a saved model. Exit with 1 if there are any."""
    with reporting(debug):
        if not file.is_file():
            raise InputError(f"FILE must be a model saved as .keras. No such file: {file}.")
        import_tensorflow()
        from tfcourse.models.lint import lint as find
        from tfcourse.models.saving import load_model

        try:
            model = load_model(file)
        except (OSError, TypeError, ValueError) as error:
            reason = message_line(error)
            remedy = "FILE must be a model saved as .keras"
            if zipfile.is_zipfile(file):
                remedy = "A model with classes of your own: call tfcourse.lint(model) in Python"
            raise InputError(f"{file} could not be loaded: {reason} {remedy}.") from error
        findings = find(model, steps=steps)
        for finding in findings:
            console.print(str(finding), highlight=False, soft_wrap=True)
        if findings:
            raise typer.Exit(FAILED)
        console.print(f"No findings in {file}.", highlight=False, soft_wrap=True)


@app.command()
def bench(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Which bench; without it they are listed."),
    ] = None,
    repeats: Annotated[int | None, typer.Option(min=1, help="Rounds to measure.")] = None,
    debug: Debug = False,
) -> None:
    """Time tfcourse beside its alternatives, in one run."""
    with reporting(debug):
        from tfcourse.bench import DESCRIPTIONS, load_bench
        from tfcourse.bench.table import render_all

        if name is None:
            width = max(map(len, DESCRIPTIONS)) + 2
            for key, description in DESCRIPTIONS.items():
                console.print(f"{key:<{width}}{description}", highlight=False, soft_wrap=True)
            return
        if name in DESCRIPTIONS and name != "startup":
            import_tensorflow()
        run = load_bench(name)
        render_all(run() if repeats is None else run(repeats=repeats), console)


for command in (course, show, best, compare, watch, report, export, chief, worker, retest):
    app.command()(command)
for supervision in (babysit, nudge, rollback, pause, resume, note, journal):
    app.command()(supervision)
