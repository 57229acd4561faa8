"""The command that minimises the course's quadratic."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from tfcourse.cli.options import Debug, Quiet, json_option
from tfcourse.cli.output import print_json
from tfcourse.errors import InputError, shown
from tfcourse.hyperparameters import COURSE_OPTIMIZERS
from tfcourse.terminal import console, import_tensorflow, reporting

if TYPE_CHECKING:
    from tfcourse.toy import ToyResult

__all__ = ["toy"]

MOST_ROWS = 10_000  # rich takes seconds to print them


def toy(
    coefficients: Annotated[
        str, typer.Option(help="a,b,c of the cost a·w² + b·w + c.")
    ] = "1,-10,25",
    start: Annotated[float, typer.Option(help="w before the first step.")] = 0.0,
    optimizer: Annotated[
        str, typer.Option(help=f"One of {', '.join(COURSE_OPTIMIZERS)}.")
    ] = "gradient_descent",
    learning_rate: Annotated[float, typer.Option(help="The learning rate α.")] = 0.01,
    steps: Annotated[int, typer.Option(help="How many steps to take.")] = 1000,
    every: Annotated[
        int | None, typer.Option(min=1, help="Show a table of w and cost, a row every N steps.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw w and the cost into this file.")] = None,
    jit_compile: Annotated[
        bool,
        typer.Option(
            "--jit-compile",
            help="Compile every optimizer with XLA; the last digit may differ.",
        ),
    ] = False,
    as_json: Annotated[
        bool,
        json_option(
            *("coefficients", "start", "optimizer", "learning_rate", "steps"),
            *("w", "cost", "history (step, w, cost)", "plot"),
        ),
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Minimise w² - 10w + 25, the course's smoke test."""
    with reporting(debug, quiet, as_json):
        try:
            triple = [float(part) for part in coefficients.split(",")]
        except ValueError:
            raise InputError(
                f"--coefficients must be three numbers a,b,c. Received: {shown(coefficients)}."
            ) from None
        if every is not None and steps // every > MOST_ROWS:
            raise InputError(
                f"--every {every} gives {steps // every:_} rows of {steps:_} steps; at most "
                f"{MOST_ROWS:_} are shown. Give --every {-(-steps // MOST_ROWS)} or more."
            )
        import_tensorflow(quiet)
        from tfcourse.figures import check_plot_file
        from tfcourse.toy import minimize_quadratic
        from tfcourse.toy_plot import save_plot

        if plot is not None:
            check_plot_file(plot)
        result = minimize_quadratic(triple, start, optimizer, learning_rate, steps, jit_compile)
        if plot is not None:
            save_plot(result, plot)
        if as_json:
            settings = {"coefficients": triple, "start": start, "optimizer": optimizer}
            settings |= {"learning_rate": learning_rate, "steps": steps}
            print_json({**settings, **_as_json(result, every), "plot": plot})
            return
        labels = {
            "before" if step == 0 else f"after {step} step{'s' * (step > 1)}": step
            for step in sorted({0, min(1, steps), steps})
        }
        width = max(16, *map(len, labels)) + 2
        for name, step in labels.items():
            console.print(f"w {name:<{width}}{result.w_history[step]!s}", highlight=False)
        if every is not None:
            _print_descent(result, every)
        if plot is not None and not quiet:
            console.print(f"plot {plot}", highlight=False, soft_wrap=True)


def _rows(result: "ToyResult", every: int) -> list[int]:
    """Return the steps of which a table has a row."""
    last = len(result.w_history) - 1
    return [*range(0, last, every), last]


def _as_json(result: "ToyResult", every: int | None) -> dict[str, object]:
    last = len(result.w_history) - 1
    steps = sorted({0, min(1, last), last}) if every is None else _rows(result, every)
    curves = {"w": result.w_history, "cost": result.cost_history}
    history = [
        {"step": s} | {name: float(curve[s]) for name, curve in curves.items()} for s in steps
    ]
    return {name: float(curve[-1]) for name, curve in curves.items()} | {"history": history}


def _print_descent(result: "ToyResult", every: int) -> None:
    table = Table("step", "w", "cost")
    for step in _rows(result, every):
        table.add_row(str(step), str(result.w_history[step]), str(result.cost_history[step]))
    console.print(table)
