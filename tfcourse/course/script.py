"""The tools of a script in `examples/`: its mode, a summary over seeds, its picture, its verdicts.

Three environment variables are read: ``TFCOURSE_QUICK=1`` asks for the quick mode,
``TFCOURSE_EXAMPLES_OUT`` is the folder of the pictures, and ``TFCOURSE_COURSE_RECORD`` a file to
which each verdict and each picture's path is appended as a line of JSON.

Importing it sets ``TF_CPP_MIN_LOG_LEVEL=3`` unless it has a value, so that a TensorFlow that is
imported later does not write its start-up lines.
"""

import json
import math
import os
import re
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfcourse.errors import InputError, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["QUICK", "over_seeds", "save", "spread", "verdict"]

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

QUICK = os.environ.get("TFCOURSE_QUICK") == "1"
"""True where the script runs in its quick mode: fewer steps, the same branches."""

# A row of sections 1 to 6, an erratum, or a claim of the chapter "a modern week 3".
_CLAIM = re.compile(r"[1-6]\.[1-9]\d*|[EM][1-9]\d*")


def over_seeds(values: Sequence[float], won: Sequence[bool] | None = None) -> str:
    """Return a result over seeds in words: ``9 of 10 seeds, median 0.93 [0.9–0.95]``.

    The median, the lowest and the highest value have three significant digits. A NaN has no order:
    it is left out of the three, and counted.

    Args:
        values: A figure for each seed.
        won: For each seed, whether the claim holds there; without it, ``10 seeds, median …``.

    Raises:
        InputError: There are no values, or as many of ``won`` as of values are not there.
    """
    values = [float(value) for value in values]
    if not values or (won is not None and len(won) != len(values)):
        count = "none" if won is None else str(len(won))
        raise InputError(
            "values must hold a number for each seed, and won a bool for each. Received: "
            f"{len(values)} values and {count} of won."
        )
    seeds = f"{len(values)} seeds" if len(values) > 1 else "1 seed"
    count = seeds if won is None else f"{sum(map(bool, won))} of {seeds}"
    numbers = [value for value in values if not math.isnan(value)]
    if not numbers:
        return f"{count}, all NaN"
    absent = len(values) - len(numbers)
    return f"{count}, median {spread(numbers)}" + (f", {absent} NaN" if absent else "")


def spread(values: Sequence[float], format_spec: str = ".3g") -> str:
    """Return the median of some values, and the lowest and the highest: ``0.93 [0.9–0.95]``.

    Args:
        values: At least one number, none of them NaN.
        format_spec: The format of the three, as for `format`: ``".1%"``, say.
    """
    values = [float(value) for value in values]
    middle, low, high = (
        format(number, format_spec)
        for number in (statistics.median(values), min(values), max(values))
    )
    dash = " – " if "-" in low + high else "–"  # a minus, or an exponent's
    return f"{middle} [{low}{dash}{high}]"


def verdict(claim: str, holds: bool, figures: str) -> None:
    """Print ``claim 1.2: holds (figures)`` or ``claim 1.2: does not hold (figures)``.

    Write the claim's number as a literal, so that the script of a claim is found by reading it.

    Args:
        claim: The number of the claim: ``"1.2"`` for a row of the course, ``"E5"`` for an erratum,
            ``"M2"`` for the last chapter.
        holds: Whether the claim holds here.
        figures: The measured figures that decide it, in one line.
    """
    if not isinstance(claim, str) or not _CLAIM.fullmatch(claim):
        raise InputError(
            'claim must be the number of a row, such as "1.2", of an erratum, "E5", or of the last '
            f'chapter, "M2". Received: {shown(claim)}.'
        )
    if not figures.strip() or "\n" in figures:
        raise InputError(
            f"figures must be one line with the measured figures. Received: {shown(figures)}."
        )
    print(f"claim {claim}: {'holds' if holds else 'does not hold'} ({figures})")
    _record({"claim": claim, "holds": bool(holds), "figures": figures})


def save(figure: "Figure", name: str) -> Path:
    """Write a matplotlib figure as a PNG file, and print and return its path.

    The folder is that of ``TFCOURSE_EXAMPLES_OUT``; without it, ``out`` beside the script, or in
    the current folder where no script runs (a notebook).

    Args:
        figure: The figure. It stays open: a notebook shows it.
        name: The file's name without ``.png``: the script's name, and perhaps ``_`` and more.
    """
    script = getattr(sys.modules["__main__"], "__file__", None)
    folder = Path(script).resolve().parent if script else Path.cwd()
    out = Path(os.environ.get("TFCOURSE_EXAMPLES_OUT") or folder / "out")
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}.png"
    figure.savefig(path, dpi=150)
    print(f"picture: {path}")
    _record({"picture": str(path)})
    return path


def _record(entry: dict[str, object]) -> None:
    """Append a line to the record, if there is one."""
    path = os.environ.get("TFCOURSE_COURSE_RECORD")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
