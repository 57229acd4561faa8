"""A comparison as a table, ratios first."""

import math
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tfcourse.bench.frame import Comparison, Spread

__all__ = [
    "Figures",
    "Result",
    "as_entry",
    "format_ratio",
    "format_seconds",
    "machine_line",
    "render",
    "render_all",
]

TIMES = "×"
DASH = "–"


@dataclass(frozen=True)
class Figures:
    """The figures of a bench of something else than time alone.

    Attributes:
        table: The table that is printed.
        entry: The figures as JSON has them.
        faults: The promises that were not kept; with one the command fails.
    """

    table: Table
    entry: Mapping[str, object]
    faults: tuple[str, ...] = ()


Result = Comparison | Figures


def as_entry(result: Result) -> Mapping[str, object]:
    """Return a result as JSON has it."""
    return result.as_json() if isinstance(result, Comparison) else result.entry


def render_all(comparisons: Sequence[Comparison] | Iterator[Result], console: Console) -> None:
    """Print a table for each comparison, as soon as it is measured.

    Three or more comparisons of the same two contenders share one table.
    """
    if not isinstance(comparisons, Sequence):
        for comparison in comparisons:
            if isinstance(comparison, Figures):
                console.print(comparison.table)
            else:
                render(comparison, console)
        return
    pairs = {tuple(timing.name for timing in c.timings) for c in comparisons}
    if len(comparisons) < 3 or len(pairs) > 1 or len(next(iter(pairs))) != 2:
        for comparison in comparisons:
            render(comparison, console)
        return
    ((ours, other),) = pairs
    table = Table(title_justify="left", caption_justify="left")
    table.title = Text(f"{other}, times {ours}")
    table.caption = Text(machine_line())
    table.add_column("work", overflow="fold")
    for heading in (f"{TIMES} [min{DASH}max]", ours, other):
        table.add_column(Text(heading), justify="right")
    for comparison in comparisons:
        first, second = comparison.timings
        times = (format_seconds(t.seconds.median) for t in (first, second))
        table.add_row(Text(comparison.title), Text(_ratio_text(second.ratios)), *times)
    console.print(table)


def render(comparison: Comparison, console: Console) -> None:
    """Print the comparison and the line about the machine."""
    table = Table(title=Text(comparison.title), title_justify="left", caption_justify="left")
    note = f"{comparison.note}\n" if comparison.note else ""
    table.caption = Text(f"baseline: {comparison.baseline}\n{note}{machine_line()}")
    # Text, not str, here and below: names and ranges hold brackets, rich's sign for markup.
    table.add_column("contender", overflow="fold")
    for heading in (f"{TIMES} baseline [min{DASH}max]", "median", "min", "max"):
        table.add_column(Text(heading), justify="right", no_wrap=True)
    for timing in comparison.timings:
        ratio = _ratio_text(timing.ratios)
        seconds = (timing.seconds.median, timing.seconds.low, timing.seconds.high)
        table.add_row(Text(timing.name), Text(ratio), *(format_seconds(s) for s in seconds))
    console.print(table)


def _ratio_text(ratios: Spread) -> str:
    low, high = format_ratio(ratios.low), format_ratio(ratios.high)
    return f"{format_ratio(ratios.median)} [{low}{DASH}{high}]"


def format_ratio(ratio: float) -> str:
    """Format a ratio to three digits: 0.0123, 1.00, 12.3, 1234."""
    if not math.isfinite(ratio) or ratio <= 0:
        return f"{ratio:g}"
    rounded = float(f"{ratio:.3g}")
    decimals = min(max(2 - math.floor(math.log10(rounded)), 0), 6)
    return f"{ratio:.{decimals}f}"


def format_seconds(seconds: float) -> str:
    """Format a duration to three digits in the largest of s, ms and µs that it reaches."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        # Compared after rounding: 0.99996 s is "1.00 s", not "1000 ms".
        if float(f"{seconds:.3g}") >= size:
            return f"{format_ratio(seconds / size)} {unit}"
    return f"{format_ratio(seconds * 1e6)} µs"


def machine_line() -> str:
    """Return the machine and versions that the figures are valid for, in one line.

    GPUs are named only if TensorFlow is loaded: a bench that ran without it used none.
    """
    parts = [
        f"{os.cpu_count()} CPUs ({platform.machine()})",
        f"Python {platform.python_version()}",
        f"TensorFlow {version('tensorflow')}",
    ]
    if "tensorflow" in sys.modules:
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            parts.insert(
                1, tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
            )
    return ", ".join(parts)
