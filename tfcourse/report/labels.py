"""Names and messages as text in a page and in a figure.

Plotly takes ``<b>``, ``<a>`` and entities in labels for HTML; escaped, they are text there as well.
"""

import html
from collections.abc import Sequence

from tfcourse.console import printable
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.tables import format_score, format_value

__all__ = ["hover_text", "label", "plain"]

# Values in a hovering box, and characters of a reason there.
MOST_VALUES, LONGEST_REASON = 14, 120


def plain(text: str, longest: int = 200) -> str:
    """Return text in one line without control characters, shortened in the middle."""
    line = printable(text).replace("\n", " ")
    half = (longest - 1) // 2
    return line if len(line) <= longest else f"{line[: longest - 1 - half]}…{line[-half:]}"


def label(text: str, longest: int = 200) -> str:
    """Return `plain` text as HTML."""
    return html.escape(plain(text, longest))


def hover_text(record: TrialRecord, objective: str, first: Sequence[str] = ()) -> str:
    """Return the description of a trial that a figure shows while the pointer is over it.

    Args:
        record: The trial.
        objective: The name of its score.
        first: Lines of plain text to show before its values.
    """
    lines = [
        f"<b>trial {record.trial}</b>"
        + ("" if record.status == "completed" else f" {label(record.status)}")
    ]
    if record.score is not None:
        spread = "" if record.score_std is None else f" ± {format_score(record.score_std)}"
        lines.append(f"{label(objective, 40)}: {format_score(record.score)}{spread}")
    if record.message:
        lines.append(label(record.message, LONGEST_REASON))
    lines += map(label, first)
    values = list(record.values.items())
    lines += [f"{label(n, 30)}: {label(format_value(v), 40)}" for n, v in values[:MOST_VALUES]]
    if len(values) > MOST_VALUES:
        lines.append(f"and {len(values) - MOST_VALUES} more")
    return "<br>".join(lines)
