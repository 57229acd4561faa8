"""Plain text for a terminal: no markup, and no control characters.

Names, values, paths and the errors of the user's code may contain any characters.
"""

import os
from typing import Any

from rich.console import Console
from rich.text import Text

from tfcourse.errors import shortened

__all__ = ["LONGEST_MESSAGE", "PlainConsole", "one_line", "printable"]

# A message longer than this is shortened on the screen; the record has all of it.
LONGEST_MESSAGE = 500


def printable(text: str) -> str:
    r"""Escape all characters that are not printable, as ``\x1b``, except newlines.

    Tabs become four spaces.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == "\n" else _escaped(character)
        for character in text.expandtabs(4)
    )


def one_line(text: str, longest: int = LONGEST_MESSAGE) -> str:
    r"""Return `printable` text in one line, newlines as ``\n``, shortened if it is too long."""
    return shortened(printable(text).replace("\n", r"\n"), longest)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


class PlainConsole(Console):
    """A rich console that prints strings, also those in tables, as `printable` text.

    With the environment variable ``NO_COLOR`` it sends no styles at all, not even bold.
    """

    def __init__(self, **options: Any) -> None:
        if os.environ.get("NO_COLOR"):
            options["color_system"] = None
        super().__init__(**options, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Convert a string to rich's text; rich calls this for every string that it prints."""
        return super().render_str(printable(text), **options)
