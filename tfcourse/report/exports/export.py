"""An export of a search to a format of another tool: checked first, and then written."""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Export", "Exporter"]


@dataclass(frozen=True)
class Export:
    """A finished export.

    Attributes:
        format: The option's name without its dashes, such as ``"csv"``.
        path: The file, folder or address.
        trials: The number of trials in it.
        name: The name of the search in a database of several; None elsewhere.
        note: A line about what is not in it; None if there is nothing to say.
    """

    format: str
    path: str
    trials: int
    name: str | None = None
    note: str | None = None

    @property
    def lines(self) -> list[str]:
        """The lines for a terminal."""
        count = "1 trial" if self.trials == 1 else f"{self.trials} trials"
        place = self.path if self.name is None else f"{self.name} in {self.path}"
        lines = [f"{self.format:<12} {place} ({count})"]
        return lines if self.note is None else [*lines, f"{'':<12} {self.note}"]


class Exporter(Protocol):
    """A format and its target."""

    def check(self) -> None:
        """Raise InputError if the target can't be written, or a package is missing."""

    def write(self) -> Export:
        """Write the target."""
