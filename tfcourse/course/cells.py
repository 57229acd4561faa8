"""The cells of a script: percent format, which opens as a notebook."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["Cell", "split_cells"]


@dataclass(frozen=True)
class Cell:
    """A cell of a script.

    Attributes:
        kind: Markdown or code.
        text: Its text; Markdown without the comment signs.
        line: The line of the script in which its text begins, from 1.
    """

    kind: Literal["markdown", "code"]
    text: str
    line: int

    @property
    def first_line(self) -> str:
        """The first line of its text."""
        return self.text.partition("\n")[0]


def split_cells(script: str) -> list[Cell]:
    """Return the cells of a script; a cell begins at ``# %%`` or ``# %% [markdown]``."""
    return list(_cells(script))


def _cells(script: str) -> Iterator[Cell]:
    heads = list(re.finditer(r"^# %%(.*)\n", script, flags=re.MULTILINE))
    ends = [head.start() for head in heads[1:]] + [len(script)]
    for head, end in zip(heads, ends, strict=True):
        text, line = script[head.end() : end].strip("\n"), script.count("\n", 0, head.end()) + 1
        line += len(script[head.end() : end]) - len(script[head.end() : end].lstrip("\n"))
        if head[1].strip() == "[markdown]":
            yield Cell("markdown", re.sub(r"^# ?", "", text, flags=re.MULTILINE), line)
        elif text:
            yield Cell("code", text, line)
