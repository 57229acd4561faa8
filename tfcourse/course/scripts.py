"""The scripts of the claims: each claim has the one that states its verdict."""

import re
from dataclasses import dataclass
from pathlib import Path

from tfcourse.course.cells import Cell, split_cells
from tfcourse.course.places import root
from tfcourse.course.register import claims
from tfcourse.errors import InputError

__all__ = ["Script", "script_of", "scripts"]

_VERDICT = re.compile(r"\bverdict\(\s*\"([^\"]+)\"")


@dataclass(frozen=True)
class Script:
    """A script of the examples.

    Attributes:
        path: The file.
        text: Its text.
    """

    path: Path
    text: str

    @property
    def name(self) -> str:
        """The file's name without ``.py``."""
        return self.path.stem

    @property
    def claims(self) -> tuple[str, ...]:
        """The numbers of the claims whose verdicts it states, in the order of its text."""
        return tuple(_VERDICT.findall(self.text))

    @property
    def cells(self) -> list[Cell]:
        """Its cells."""
        return split_cells(self.text)


def scripts() -> list[Script]:
    """Return the scripts that state verdicts, in the order of their first claims."""
    paths = sorted((root() / "examples").glob("[0-9EM]*_*.py"))
    found = [Script(path, path.read_text(encoding="utf-8")) for path in paths]
    order = list(claims())
    known = [script for script in found if set(script.claims) & set(order)]
    return sorted(known, key=lambda script: min(map(order.index, set(script.claims) & set(order))))


def script_of(number: str) -> Script:
    """Return the script that states the verdict of a claim.

    Raises:
        InputError: There is none yet.
    """
    for script in scripts():
        if number in script.claims:
            return script
    raise InputError(f"Claim {number} has no script yet. `tfcourse course` lists those that have.")
