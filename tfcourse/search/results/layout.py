"""Tables that fit the terminal without splitting a number over lines."""

import io
import sys
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table

from tfcourse.console import PlainConsole

__all__ = ["FirstThatFits", "plain_text", "table_of"]


@dataclass(frozen=True)
class FirstThatFits:
    """Several forms of a table, of which rich prints the first one that fits the terminal.

    If none fits, the last one is printed, and words that are too long are folded.
    """

    tables: Sequence[Table]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table; rich calls it to print the object."""
        unbounded = options.update(max_width=sys.maxsize)
        for table in self.tables:
            size = Measurement.get(console, unbounded, table)
            if size.minimum <= options.max_width:
                yield (
                    table
                    if size.maximum <= options.max_width
                    else _narrow(table, options.max_width - size.minimum)
                )
                return
        last = deepcopy(self.tables[-1])
        for column in last.columns:
            column.min_width, column.no_wrap = None, False
        yield last


def _narrow(table: Table, spare: int) -> Table:
    """Return the table with columns of minimal width plus an equal share of the spare columns.

    rich shrinks the widest columns first, and so some below their minimal width.
    """
    table = deepcopy(table)
    columns = [column for column in table.columns if not column.no_wrap]
    for column in columns:
        column.width = (column.min_width or 0) + spare // len(columns)
    return table


def table_of(
    rows: Sequence[Sequence[str]], title: str, caption: str | None = None, wrap: bool = False
) -> Table:
    """Return a table whose columns are no narrower than their longest cell.

    Args:
        rows: The cells; the first row is the heading.
        title: The text above it.
        caption: The text below it.
        wrap: True to wrap cells between words.
    """
    gap = (0, 1) if wrap else 0
    table = Table(title=title, caption=caption, box=SIMPLE_HEAD, pad_edge=False, padding=gap)
    for number, column in enumerate(zip(*rows, strict=True)):
        parts = [part for cell in column for part in (cell.split() if wrap else [cell])]
        table.add_column(
            column[0],
            justify="right",
            overflow="fold",
            no_wrap=not wrap or number == 0,
            min_width=max(map(cell_len, parts), default=0),
        )
    for row in rows[1:]:
        table.add_row(*row)
    return table


def plain_text(
    tables: Iterable[RenderableType], lines: Iterable[str], width: int | None = None
) -> str:
    """Return tables and the lines below them as text without styles.

    Args:
        tables: The tables.
        lines: The lines, which are not wrapped.
        width: The most columns of a table; by default as many as the terminal has.
    """
    text = io.StringIO()
    console = PlainConsole(file=text, width=width, color_system=None, force_terminal=False)
    for table in tables:
        console.print(table)
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())
