"""The texts of the scripts in other languages: a Markdown file for each script and language.

``examples/zh/1_2_x.md`` has a block for each Markdown cell. A block begins with a comment that
repeats the first line of the English cell, ``<!-- # Random points, not a grid -->``: where the
English text has none like it any more, the block is not used.
"""

import re
from collections.abc import Mapping

from tfcourse.course.scripts import Script

__all__ = ["texts"]

_BLOCK = re.compile(r"^<!-- (.*) -->\n", flags=re.MULTILINE)


def texts(script: Script, language: str) -> Mapping[str, str]:
    """Return the Markdown of a script in a language, by the first line of the English cell.

    Cells that are not translated are missing; of ``"en"`` all are.
    """
    path = script.path.parent / language / f"{script.name}.md"
    if language == "en" or not path.is_file():
        return {}
    _, *parts = _BLOCK.split(path.read_text(encoding="utf-8"))
    return {key: text.strip("\n") for key, text in zip(parts[::2], parts[1::2], strict=True)}
