"""Examples as arrays in memory, to be split or already split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tfcourse.data.frames import as_array
from tfcourse.data.nested import Arrays, array_items, count_of, map_arrays, named
from tfcourse.data.sparse import sparse_rows
from tfcourse.data.splitting.array_columns import joined_columns, without_columns
from tfcourse.data.weights import check_weight
from tfcourse.errors import InputError
from tfcourse.types import Array, TensorLike

__all__ = ["ArrayData", "Pair", "array_data", "sets_of", "shares_of"]


# (x, y) or (x, y, sample_weight) as the user has them.
Pair: TypeAlias = Any
SIDES = ("x", "y", "sample_weight")


@dataclass(frozen=True)
class ArrayData:
    """All examples of train, dev and test, in this order, or examples that are to be split.

    Attributes:
        x: The examples, or a dict of those of each input.
        y: Their targets, or a dict of those of each output.
        starts: The rows with which dev and test begin; None if the examples are to be split.
        names: The names of the columns of a ``DataFrame``.
        weight: The weights of the examples, or a dict of those by output; None if there are none.
            A set without weights has the weight 1 where another set has some.
        apart: Columns of x, or arrays, that are no features, such as the groups of a split.
    """

    x: Arrays
    y: Arrays
    starts: tuple[int, ...] | None
    names: tuple[str, ...] | None = None
    weight: Arrays | None = None
    apart: Mapping[str, Array] = field(default_factory=dict)

    source = "arrays"

    @property
    def count(self) -> int:
        """The number of examples."""
        return count_of(self.y)

    @property
    def shares(self) -> tuple[float, ...] | None:
        """The shares of train, dev and, if any, test; None if the examples are to be split."""
        return shares_of(self.starts, self.count)

    def in_sets(self, order: npt.NDArray[np.intp], starts: tuple[int, ...]) -> "ArrayData":
        """Return examples in the order of sets, of which dev and test begin at ``starts``."""

        def select(arrays: Arrays) -> Arrays:
            return map_arrays(lambda array: array[order], arrays)

        weight = None if self.weight is None else select(self.weight)
        apart = {name: values[order] for name, values in self.apart.items()}
        return ArrayData(select(self.x), select(self.y), starts, self.names, weight, apart)

    def with_columns(self, columns: Mapping[str, Array]) -> "ArrayData":
        """Return the examples with more values for each, that are no features."""
        return replace(self, apart={**self.apart, **columns})


def shares_of(starts: Sequence[int] | None, count: int) -> tuple[float, ...] | None:
    """Return the shares of sets of which all but the first begin at ``starts``; None without."""
    if starts is None:
        return None
    edges = [0.0, *(start / count for start in starts), 1.0]
    return tuple(last - first for first, last in pairwise(edges))


def sets_of(data: Pair, train: Pair, dev: Pair, test: Pair) -> dict[str, Pair]:
    """Return the sets of a search by the arguments' names: ``data``, or train, dev and test.

    Args:
        data: The examples to be split.
        train: Those of the train set.
        dev: Those of the dev set.
        test: Those of the test set.

    Raises:
        InputError: Some are missing, or exclude each other.
    """
    parts = {"train": train, "dev": dev, "test": test}
    sets = {name: part for name, part in parts.items() if part is not None}
    if data is not None and sets:
        raise InputError("data is to be split; it excludes train, dev and test.")
    missing = [name for name in ("train", "dev") if name not in sets]
    if data is None and sets and missing:
        raise InputError(
            f"train and dev belong together. Missing: {', '.join(missing)}. Give data=(x, y) "
            "to have it split."
        )
    return sets if data is None else {"data": data}


def array_data(pairs: Mapping[str, Pair], columns: Mapping[str, str]) -> ArrayData:
    """Return pairs (x, y) as arrays: ``data``, or all of ``train``, ``dev`` and ``test``.

    Args:
        pairs: The pairs, see `sets_of`.
        columns: Columns of x that are no features, by the setting that names each.

    Raises:
        InputError: They are no pairs, or differ in their shapes or columns.
    """
    rest = {name: without_columns(name, pair, columns) for name, pair in pairs.items()}
    arrays = {name: _arrays(name, pair) for name, pair in rest.items()}
    names = _column_names(rest)
    _fill_weights(arrays)
    for side in range(3):
        _check_names(SIDES[side], {name: part[side] for name, part in arrays.items()})
    try:
        x, y, weight = (_joined([part[side] for part in arrays.values()]) for side in range(3))
    except ValueError:
        shapes = ", ".join(f"{name} {_shapes(part)}" for name, part in arrays.items())
        raise InputError(f"All sets must have the same shapes: {shapes}.") from None
    counts = [count_of(part[1]) for part in arrays.values()]
    starts = None if "data" in pairs else tuple(accumulate(counts))[:-1]
    apart = joined_columns(pairs.values(), columns)
    return ArrayData(x, y, starts, names, weight, apart)


def _fill_weights(arrays: dict[str, tuple[Arrays, Arrays, Arrays | None]]) -> None:
    """Give a set without weights the weight 1, where another has some."""
    like = next((weight for *_, weight in arrays.values() if weight is not None), None)
    if like is None:
        return
    for name, (x, y, weight) in arrays.items():
        if weight is None:
            ones = np.ones(count_of(y), np.float32)
            arrays[name] = (x, y, map_arrays(lambda _, ones=ones: ones, like))


def _joined(parts: Sequence[Arrays | None]) -> Arrays | None:
    """Return x, y or the weights of all sets, one after the other; None if they are all None."""
    if any(part is None for part in parts):
        return None
    return map_arrays(lambda *each: np.concatenate(each), *parts)


def _shapes(part: Sequence[Arrays]) -> str:
    """Return the shapes of x and y, with the names of several inputs or outputs."""
    items = [
        (side, *item)
        for side, arrays in zip("xy", part, strict=False)
        for item in array_items(arrays)
    ]
    if len(items) == 2:
        return " and ".join(str(array.shape) for *_, array in items)
    return " and ".join(f"{named(side, key)} {array.shape}" for side, key, array in items)


def _check_names(title: str, sets: Mapping[str, Arrays | None]) -> None:
    """Raise InputError if x, y or the weights of two sets are not of the same names."""
    keys = {
        name: [key for key, _ in array_items(arrays)]
        for name, arrays in sets.items()
        if arrays is not None
    }
    for name in keys:
        first = next(iter(keys))
        if {*keys[name]} != {*keys[first]}:
            words = [", ".join(f'"{key}"' for key in keys[n] if key) for n in (first, name)]
            wanted, received = (f"a dict of {word}" if word else "an array" for word in words)
            raise InputError(
                f"{title} of {name} must have the names of {title} of {first}: {wanted}. "
                f"Received: {received}."
            )


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


def _arrays(name: str, pair: Pair) -> tuple[Arrays, Arrays, Arrays | None]:
    """Return x, y and the weights of a set as arrays."""
    if not isinstance(pair, tuple | list) or len(pair) not in (2, 3):
        raise InputError(
            f"{name} must be (x, y) or (x, y, sample_weight), or a table with y in a column. "
            f"Received: {type(pair).__name__}"
            + (f" of {len(pair)}." if isinstance(pair, tuple | list) else ".")
        )
    for number, side in enumerate("xy"):
        _refuse_list(f"{side} of {name}", side, pair[number], pair[1 - number])
    x, y = (_as_arrays(pair[number], f"{side} of {name}") for number, side in enumerate("xy"))
    arrays = [array for side in (x, y) for _, array in array_items(side)]
    lengths = {len(array) if array.ndim else 0 for array in arrays}
    if len(lengths) != 1 or 0 in lengths:
        scalar = any(not array.ndim for array in arrays)  # such as a ragged tensor
        received = " and ".join(type(side).__name__ for side in pair) if scalar else _shapes((x, y))
        raise InputError(
            f"{name} must be (x, y) with one y for each of at least one x, both arrays or dicts of "
            f"arrays. Received: {'' if scalar or len(arrays) > 2 else 'shapes '}{received}."
        )
    weight = pair[2] if len(pair) == 3 else None
    return x, y, None if weight is None else check_weight(weight, y, name)


def _as_arrays(side: Arrays, title: str) -> Arrays:
    def convert(value: TensorLike, name: str) -> Any:
        rows = sparse_rows(value, name) if title.startswith("x") else None
        return as_array(value, name) if rows is None else rows

    if not isinstance(side, Mapping):
        return convert(side, title)
    return {key: convert(value, named(title, key)) for key, value in side.items()}


def _refuse_list(title: str, side: str, value: object, other: object) -> None:
    """Refuse a list of the arrays of several inputs or outputs, which have no names there."""
    if not isinstance(value, list | tuple) or not value or not all(map(_is_array, value)):
        return
    if len(value) == _length(other):
        return  # one array for each example
    what = "input" if side == "x" else "output"
    raise InputError(
        f"{title} is a {type(value).__name__} of {len(value)} arrays. Several {what}s are a dict "
        f"of arrays by the names of the {what}s."
    )


def _is_array(value: object) -> bool:
    return bool(getattr(value, "shape", ()))


def _length(arrays: Any) -> int:
    """Return the number of examples, 0 if it is not known."""
    first = next(iter(arrays.values()), ()) if isinstance(arrays, Mapping) else arrays
    return len(first) if hasattr(first, "__len__") else 0
