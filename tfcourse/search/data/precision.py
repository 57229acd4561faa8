"""Examples in the precision of the training, with notes on what float32 merges."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tfcourse.data.nested import array_items, map_arrays, named
from tfcourse.data.precision import coarse_columns, column_title, describe_merging
from tfcourse.data.splits import Part
from tfcourse.types import Array

__all__ = ["in_precision"]


def in_precision(
    whole: Part, scaled: bool, names: Sequence[str] | None = None
) -> tuple[Part, tuple[str, ...]]:
    """Return the examples in the precision of the training, and a note where that is coarse.

    Args:
        whole: The examples; those in float64 are the ones that float32 would merge.
        scaled: Whether x will be normalized, for which it stays float64.
        names: The names of the columns of x, if it is a table.
    """
    notes = [
        *(_of_targets(named("y", key), array) for key, array in array_items(whole.y)),
        *(_of_inputs(key, array, scaled, names) for key, array in array_items(whole.x)),
    ]

    def single(array: Array) -> Array:
        return array.astype(np.float32) if array.dtype == np.float64 else array

    x = whole.x if scaled else map_arrays(single, whole.x)
    part = replace(whole, x=x, y=map_arrays(single, whole.y))
    return part, tuple(note for note in notes if note is not None)


def _of_targets(title: str, y: Array) -> str | None:
    if y.dtype != np.float64:
        return None
    values = describe_merging(y[:, coarse_columns(y)[0]])
    return (
        f"{title} needs more digits than float32 has, in which models train: {values}. Subtract a "
        f"constant from {title} first, such as its mean."
    )


def _of_inputs(key: str, x: Array, scaled: bool, names: Sequence[str] | None) -> str | None:
    coarse = [] if x.dtype != np.float64 else coarse_columns(x)
    if not coarse:  # also of a table that lacks values, whose encoding scales in float64
        return None
    first, *others = coarse
    name = column_title(first, names) + (f" of {named('x', key)}" if key else "")
    more = f" (and {len(others)} more)" if others else ""
    need = f"{name}{more} needs more digits than float32 has: {describe_merging(x[..., first])}."
    advice = 'Give normalize = "standardize", which scales in float64 first.'
    if scaled:
        advice = (
            "The search and its best model scale in float64, but Keras's predict and evaluate "
            "make float32 of float64 arrays before any layer sees them: give best.keras whole "
            "numbers as int64, and others in a tf.data.Dataset."
        )
    return f"{need} {advice}"
