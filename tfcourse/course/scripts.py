"""The scripts of the claims: each claim has the one that states its verdict."""

import ast
import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tfcourse.course.cells import Cell, split_cells
from tfcourse.course.places import root
from tfcourse.course.register import claims
from tfcourse.errors import InputError

__all__ = ["Script", "check_imports", "script_of", "scripts"]

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

    @property
    def imports(self) -> set[str]:
        """The packages that it imports."""
        packages = set()
        for node in ast.walk(ast.parse(self.text)):
            if isinstance(node, ast.Import):
                packages |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                packages.add(node.module.partition(".")[0])
        # Configs are modules of the checkout, beside the scripts.
        return packages - {"tuner_configs"}


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


def check_imports(planned: Sequence[Script]) -> None:
    """Check that the packages that scripts import are installed.

    Raises:
        InputError: One is missing.
    """
    for script in planned:
        missing = [name for name in script.imports if importlib.util.find_spec(name) is None]
        if missing:
            raise InputError(
                f"{script.path.name} imports {' and '.join(sorted(missing))}, which is not "
                'installed. Install what the scripts need: pip install "tfcourse[course]".'
            )
