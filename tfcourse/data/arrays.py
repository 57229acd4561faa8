"""Examples as arrays in memory, to be split or already split."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tfcourse.data.frames import as_array
from tfcourse.errors import InputError
from tfcourse.types import Array

__all__ = ["ArrayData", "Pair", "array_data"]


# (x, y) as the user has them.
Pair: TypeAlias = Any


@dataclass(frozen=True)
class ArrayData:
    """All examples of train, dev and test, in this order, or examples that are to be split.

    Attributes:
        x: The examples.
        y: Their targets.
        starts: The rows with which dev and test begin; None if the examples are to be split.
        names: The names of the columns of a ``DataFrame``.
    """

    x: npt.NDArray[np.generic]
    y: npt.NDArray[np.generic]
    starts: tuple[int, int] | None
    names: tuple[str, ...] | None = None

    @property
    def shares(self) -> tuple[float, float, float] | None:
        """The shares of train, dev and test; None if the examples are to be split."""
        if self.starts is None:
            return None
        first, second = (start / len(self.y) for start in self.starts)
        return first, second - first, 1 - second


def array_data(data: Pair, train: Pair, dev: Pair, test: Pair) -> ArrayData | None:
    """Return pairs (x, y) as arrays: ``data``, or all of ``train``, ``dev`` and ``test``.

    Returns:
        The arrays; None if all four arguments are None.

    Raises:
        InputError: Some are missing, are no pairs, or differ in their shapes or columns.
    """
    parts = {"train": train, "dev": dev, "test": test}
    missing = [name for name, part in parts.items() if part is None]
    if data is not None and len(missing) < 3:
        raise InputError("data is to be split; it excludes train, dev and test.")
    if data is None and len(missing) == 3:
        return None
    if data is None and missing:
        raise InputError(
            f"train, dev and test belong together. Missing: {', '.join(missing)}. Give data=(x, y) "
            "to have it split."
        )
    pairs = {"data": data} if data is not None else parts
    arrays = [_pair(name, pair) for name, pair in pairs.items()]
    names = _column_names(pairs)
    try:
        x, y = (np.concatenate(side) for side in zip(*arrays, strict=True))
    except ValueError:
        shapes = ", ".join(
            f"{name} {a.shape} and {b.shape}" for name, (a, b) in zip(pairs, arrays, strict=True)
        )
        raise InputError(f"train, dev and test must have the same shapes: {shapes}.") from None
    counts = [len(labels) for _, labels in arrays]
    starts = None if data is not None else (counts[0], counts[0] + counts[1])
    return ArrayData(x, y, starts, names)


def _column_names(pairs: Mapping[str, Pair]) -> tuple[str, ...] | None:
    """Return the names of the columns of tables, which must be the same in all of them."""
    names_of = {
        name: tuple(map(str, pair[0].columns))
        for name, pair in pairs.items()
        if hasattr(pair[0], "columns")
    }
    if not names_of:
        return None
    first, *others = names_of
    for other in others:
        if names_of[other] != names_of[first]:
            differing = [name for name in names_of[first] if name not in names_of[other]]
            differing += [name for name in names_of[other] if name not in names_of[first]]
            what = f"Not in both: {', '.join(differing)}." if differing else "The order differs."
            raise InputError(
                f"{first} and {other} must have the same columns in the same order. {what} "
                f"Give x of {other} those of x of {first}: with x_{first} and x_{other} the two "
                f"tables, x_{other}.reindex(columns=x_{first}.columns, fill_value=0)."
            )
    return names_of[first]


def _pair(name: str, pair: Pair) -> tuple[Array, Array]:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise InputError(f"{name} must be (x, y). Received: {type(pair).__name__}.")
    x, y = (
        as_array(side, f"{side_name} of {name}") for side_name, side in zip("xy", pair, strict=True)
    )
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y) or len(y) == 0:
        received = f"shapes {x.shape} and {y.shape}"
        if not x.ndim * y.ndim:  # such as a dict, or a ragged tensor
            received = " and ".join(type(side).__name__ for side in pair)
        raise InputError(
            f"{name} must be (x, y) with one y for each of at least one x, both arrays. "
            f"Received: {received}."
        )
    return x, y
