"""The figures of a part of the soak, and the promises that broke."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from tfcourse.bench.table import Figures, machine_line

__all__ = ["Part", "figures", "say"]

# For the line about the machine.
WIDTH = 64


@dataclass(frozen=True)
class Part:
    """A part of the soak.

    Attributes:
        name: Its name.
        figures: What was counted and measured, by what it is.
        faults: The promises that were not kept, with what was found.
    """

    name: str
    figures: Mapping[str, int | float]
    faults: tuple[str, ...] = ()


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"soak: {text}", file=sys.stderr, flush=True)


def figures(part: Part) -> Figures:
    """Return a part as the bench prints it."""
    table = Table(title=Text(f"soak: {part.name}"), min_width=WIDTH)
    table.title_justify = table.caption_justify = "left"
    verdict = "\n".join(f"BROKEN: {text}" for text in part.faults) or "every promise was kept"
    table.caption = Text(f"{verdict}\n{machine_line()}")
    table.add_column("figure", overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    for name, value in part.figures.items():
        table.add_row(Text(name), Text(str(value) if isinstance(value, int) else f"{value:.1f}"))
    entry = {"part": part.name, "figures": dict(part.figures), "faults": list(part.faults)}
    return Figures(table, entry, tuple(f"{part.name}: {text}" for text in part.faults))
