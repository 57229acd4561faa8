"""Examples as a search takes them: their shapes, types and values, checked before any training."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcourse.data.frames import as_array
from tfcourse.data.label_hints import label_hint, shape_hint
from tfcourse.data.nested import Arrays, array_items, named
from tfcourse.data.output_names import check_output_names
from tfcourse.data.precision import check_whole_numbers, coarse_columns
from tfcourse.data.sparse import has_sparse, sparse_rows
from tfcourse.data.splits import Part
from tfcourse.data.tables.columns import Columns
from tfcourse.data.tables.table_options import ClassNames
from tfcourse.errors import InputError
from tfcourse.types import Array, TensorLike

__all__ = ["Examples", "check_examples", "check_targets"]


@dataclass(frozen=True)
class Examples:
    """The examples of a source.

    Attributes:
        part: Inputs, targets and weights.
        outputs: The number of classes, or of a regression's outputs; a dict by name for several
            outputs.
        apart: Columns or arrays that are no features, by name, such as the groups of a split: one
            value for each example, numbers or texts.
        columns: The columns of x, if it comes from a table in a file.
        classes: The names of the classes 0 … C-1; None if they are these numbers.
        notes: Warnings, a line each.
        places: The rows of the source that the examples are; None if they are all of them.
    """

    part: Part
    outputs: Any
    apart: Mapping[str, Array] = field(default_factory=dict)
    columns: Columns | None = None
    classes: ClassNames | None = None
    notes: tuple[str, ...] = ()
    places: Array | None = None

    def rows(self, which: "npt.NDArray[np.intp]") -> "Examples":
        """Return some of the examples, by their indices."""
        apart = {name: values[which] for name, values in self.apart.items()}
        return replace(self, part=self.part.rows(which), apart=apart)


def check_examples(
    x: Arrays, y: Arrays, origin: str, numbers: bool | Mapping[str, bool] = False
) -> tuple[Part, Any]:
    """Return x and y as examples, and the number of classes (or with ``numbers`` of outputs).

    They become float32, or float64 if float32 would round a column by 1e-5 of its range. In a dict
    of inputs whole numbers stay whole, such as the ids of an ``Embedding``, and an array of one
    axis becomes a column.

    Args:
        x: The examples, or a dict of those of each input by its name.
        y: The targets, or a dict of those of each output; the number of classes is then one too.
        origin: Names them in messages.
        numbers: Whether y is no class but numbers to predict; a dict says it by output.

    Raises:
        InputError: Their shapes, types or values are not usable.
    """
    kinds = check_output_names(y, numbers)
    is_sparse = sparse_rows(x, f"{origin}: x") is not None
    if not is_sparse and not isinstance(x, Mapping) and not isinstance(y, Mapping):
        examples, targets = as_array(x, f"{origin}: x"), as_array(y, f"{origin}: y")
        return _single(examples, targets, origin, kinds[""])
    inputs = _named_arrays(x, "x", origin)
    outputs = _named_arrays(y, "y", origin)
    counts = {
        **{named("x", name): len(array) for name, array in array_items(inputs)},
        **{named("y", name): len(array) for name, array in array_items(outputs)},
    }
    if len({*counts.values()}) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InputError(
            f"{origin}: all inputs and outputs must have the same number of examples. "
            f"Received: {listed}."
        )
    if not isinstance(x, Mapping):
        inputs = _float_input(inputs, "x", origin)
    else:
        inputs = {name: _input(a, named("x", name), origin) for name, a in inputs.items()}
    if not isinstance(y, Mapping):
        labels, classes = check_targets(outputs, "y", origin, kinds[""])
        return Part(inputs, labels), classes
    pairs = {
        name: check_targets(array, named("y", name), origin, kinds[name])
        for name, array in outputs.items()
    }
    rows = {name: array for name, (array, _) in pairs.items()}
    return Part(inputs, rows), {name: count for name, (_, count) in pairs.items()}


def _named_arrays(arrays: Arrays, side: str, origin: str) -> Arrays:
    """Return arrays of numbers; raise InputError if one is none, or there are no examples."""
    what = "inputs" if side == "x" else "outputs"
    if isinstance(arrays, Mapping):
        strange = [name for name in arrays if not isinstance(name, str) or not name]
        if strange or not arrays:
            raise InputError(
                f"{origin}: the keys of {side} must be the names of {what}. Received: "
                f"{strange[0]!r}."
                if strange
                else f"{origin}: {side} must hold at least one of its {what}. Received: {{}}."
            )

    def convert(title: str, value: TensorLike) -> Any:
        rows = sparse_rows(value, f"{origin}: {title}") if side == "x" else None
        if rows is not None:
            return rows
        array = as_array(value, f"{origin}: {title}")
        array = array.astype(np.int8) if array.dtype == bool else array
        if array.dtype.kind not in "iuf" or not array.ndim or not array.size:
            raise InputError(
                f"{origin}: {title} must be numbers, with at least one example. Received: shape "
                f"{array.shape} of {array.dtype}."
            )
        return array

    if not isinstance(arrays, Mapping):
        return convert(side, arrays)
    return {name: convert(named(side, name), value) for name, value in arrays.items()}


def _input(array: Array, title: str, origin: str) -> Array:
    """Return the examples of one of several inputs."""
    if has_sparse(array):
        return array
    if array.ndim == 1:
        array = array[:, None]
    if array.dtype.kind == "f":
        return _float_input(array, title, origin)
    least = np.int32 if np.can_cast(array.dtype, np.int32) or _fits(array) else np.int64
    return array.astype(least)


def _fits(array: Array) -> bool:
    limits = np.iinfo(np.int32)
    return bool(limits.min <= array.min() and array.max() <= limits.max)


def _float_input(array: Array, title: str, origin: str) -> Array:
    if has_sparse(array):
        return array
    if array.ndim < 2:
        raise InputError(
            f"{origin}: {title} must have the shape (examples, ...). Received: {array.shape}."
        )
    _check_large(array, title, origin)
    return _floats(array, title, origin)


def check_targets(y: Array, title: str, origin: str, numbers: bool) -> tuple[Array, int]:
    """Return targets and the number of their classes, or with ``numbers`` of their columns."""
    if not numbers and y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim not in (1, 1 + numbers):
        wanted = "(examples,) or (examples, outputs)" if numbers else "(examples,)"
        raise InputError(
            f"{origin}: {title} must have the shape {wanted}. Received: {y.shape}."
            + (f" Of rows with a 1 for the class, give {title}.argmax(axis=1)." * (y.ndim == 2))
        )
    _check_large(y, title, origin)
    if numbers:
        rows = _floats(y.reshape(len(y), -1), title, origin)
        return rows, rows.shape[1]
    labels = np.unique(y)
    classes = int(labels[-1]) + 1 if np.isfinite(labels[-1]) else 0
    # The length first: a label may be any number.
    if not 2 <= classes == len(labels) or not np.array_equal(labels, np.arange(classes)):
        first = ", ".join(f"{v:g}" for v in labels[:8]) + (", …" if len(labels) > 8 else "")
        which = "the labels y" if title == "y" else f"the labels {title}"
        raise InputError(
            f"{origin}: {which} must be 0, 1, … C-1, each of at least 2 classes present. "
            f"Received: {first}.{label_hint(y)}"
        )
    return y.astype(np.int64), classes


def _single(x: Array, y: Array, origin: str, numbers: bool) -> tuple[Part, int]:
    """Return the examples of one input and one output."""
    # bool is no number to NumPy.
    x, y = (array.astype(np.int8) if array.dtype == bool else array for array in (x, y))
    if not numbers and y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if x.ndim < 2 or y.ndim not in (1, 1 + numbers) or len(x) != len(y) or not x.size * y.size:
        wanted = "(examples,) or (examples, outputs)" if numbers else "(examples,)"
        raise InputError(
            f"{origin}: x must have the shape (examples, ...) and y {wanted}, with at least one "
            f"example, and a number in each. Received: x of shape {x.shape}, y of shape {y.shape}."
            + shape_hint(x, y)
        )
    if x.dtype.kind not in "iuf" or y.dtype.kind not in "iuf":
        remedy = " Number the classes: np.unique(y, return_inverse=True)[1]."
        raise InputError(
            f"{origin}: x and y must be numbers. Received: {x.dtype}, {y.dtype}."
            + " Encode the texts of x, as with pandas.get_dummies(x)." * (x.dtype.kind in "OUST")
            + remedy * (y.dtype.kind in "OUST")
        )
    _check_large(x, "x", origin)
    targets, classes = check_targets(y, "y", origin, numbers)
    return Part(_floats(x, "x", origin), targets), classes


def _check_large(array: Array, name: str, origin: str) -> None:
    """Raise InputError if float64 merges some whole numbers of an array."""
    if array.dtype.kind in "iu":
        columns = array.reshape(-1, array.shape[-1] if array.ndim > 1 else 1).T
        titles = [f"column {n} of {name}" for n in range(len(columns))]
        check_whole_numbers(columns, origin, titles)


def _floats(array: Array, name: str, origin: str) -> Array:
    """Return the array as floats; raise InputError if a value of it is not finite in float32."""
    with np.errstate(over="ignore"):
        single = array.astype(np.float32)
    bad = np.argwhere(~np.isfinite(single))
    if len(bad):
        where = tuple(int(i) for i in bad[0])
        raise InputError(
            f"{origin}: {name} holds {len(bad)} values that are not finite, the first at {where}: "
            f"{array[where]}. Remove or fill them."
        )
    return array.astype(np.float64) if coarse_columns(array) else single
