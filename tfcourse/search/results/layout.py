"""Tables that fit the terminal without splitting a number over lines, and the text of them."""

import html
import io
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from tfcourse.console import PlainConsole

__all__ = ["FirstThatFits", "Printable", "table_of"]


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
            spare = options.max_width - size.minimum
            if spare >= 0:
                yield _narrow(table, spare) if size.maximum > options.max_width else table
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


class Printable(ABC):
    """A result that the commands, print, rich and notebooks show as tables and lines below them."""

    @abstractmethod
    def rich_tables(self, top: int | None = None) -> Sequence[RenderableType]:
        """Return the tables.

        Args:
            top: The most trials of a table; None for as many as are shown by default.
        """

    @abstractmethod
    def lines(self) -> list[str]:
        """Return the lines below the tables, which are not wrapped."""

    def print_on(self, console: Console, top: int | None = None) -> None:
        """Print the tables and the lines.

        Args:
            console: The console.
            top: As for `rich_tables`.
        """
        for table in self.rich_tables(top):
            console.print(table)
        for line in self.lines():
            console.print(line, highlight=False, soft_wrap=True)

    def text(self, width: int | None = None) -> str:
        """Return the text without styles; ``width`` is the terminal's by default."""
        text = io.StringIO()
        self.print_on(PlainConsole(file=text, width=width, color_system=None, force_terminal=False))
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines())

    def __str__(self) -> str:
        return self.text()

    def __rich__(self) -> RenderableType:
        return Group(*self.rich_tables(), *map(Text, self.lines()))

    def _repr_html_(self) -> str:
        """Return the text as HTML, for a notebook."""
        return f"<pre>{html.escape(str(self))}</pre>"
