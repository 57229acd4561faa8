"""In-memory training data as tensors, and the batches of an epoch."""

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from tfcourse.data.frames import as_examples, is_scipy_sparse
from tfcourse.data.streams.stream import shuffled_rows
from tfcourse.errors import InputError, shown
from tfcourse.internals.data import can_slice, split_arrays
from tfcourse.internals.tensorflow import tensor_of
from tfcourse.training.programs.tree import first_leaf, map_leaves, tree_leaves
from tfcourse.types import ClassWeight, Nested, SampleWeight, Tensor, TensorLike, TrainingData

__all__ = [
    "Arrays",
    "epoch_order",
    "in_memory",
    "refuse_lists",
    "sparse_by_rows",
    "split_off_validation",
]


NAMES = ("x", "y", "sample_weight")


@dataclass(frozen=True)
class Arrays:
    """Examples in memory: ``data`` is x, (x, y) or (x, y, sample_weight), of nested tensors."""

    data: Nested
    count: int

    @property
    def parts(self) -> tuple[Nested, Nested, Nested]:
        """The examples, targets and weights, None for those that there are none of."""
        parts: tuple[Nested, Nested, Nested] = keras.utils.unpack_x_y_sample_weight(self.data)
        return parts

    def batches(self, batch_size: int) -> int:
        """Return the number of mini-batches, of which the last may be smaller."""
        return math.ceil(self.count / batch_size)

    def batch_size(self, size: int | None, steps: int | None) -> int:
        """Return ``size``, or the examples of each of ``steps`` steps, or 32."""
        return size or (math.ceil(self.count / steps) if steps else 32)

    def first(self, size: int) -> Nested:
        """Return the first ``size`` examples, to build a model with."""
        return map_leaves(lambda t: t[:size], self.data)

    @staticmethod
    def of(
        x: TrainingData,
        y: TrainingData = None,
        sample_weight: SampleWeight = None,
        class_weight: ClassWeight | None = None,
    ) -> "Arrays":
        """Convert as Keras does: floats to ``keras.config.floatx()``, whole numbers unchanged.

        Raises:
            InputError: There are no examples, or x, y and sample_weight differ in their number.
        """
        x, y, sample_weight = (
            _tensors(name, part) for name, part in zip(NAMES, (x, y, sample_weight), strict=True)
        )
        if class_weight is not None:
            sample_weight = _weights_of_classes(y, sample_weight, class_weight)
        elif sample_weight is not None and tf.nest.is_nested(y):
            sample_weight = _weights_of_parts(y, sample_weight)
        named = dict(zip(NAMES, (x, y, sample_weight), strict=True))
        counts = {
            name: sorted({int(t.shape[0]) for t in tree_leaves(part)})
            for name, part in named.items()
            if part is not None
        }
        if not counts.get("x"):
            raise InputError("x is missing: pass the examples, or a dataset of them.")
        if len({count for lengths in counts.values() for count in lengths}) != 1:
            listed = ", ".join(f"{name}: {' and '.join(map(str, n))}" for name, n in counts.items())
            raise InputError(
                "x, y and sample_weight must hold the same number of examples (their first "
                f"axis). Received: {listed}."
            )
        count = counts["x"][0]
        if count == 0:
            raise InputError("x holds no examples: its first axis has length 0.")
        return Arrays(keras.utils.pack_x_y_sample_weight(x, y, sample_weight), count)


def in_memory(*parts: Nested) -> bool:
    """Return True if every leaf is a dense array: of NumPy, of TensorFlow, or convertible."""
    leaves = tree_leaves(parts)
    return bool(leaves) and all(
        isinstance(leaf, np.ndarray | tf.Tensor) or hasattr(leaf, "__array__") for leaf in leaves
    )


def epoch_order(count: int, shuffle: bool, seed: int, epoch: int) -> Tensor:
    """Return the order of an epoch's examples, a permutation drawn from (seed, epoch) alone."""
    if not shuffle:
        return tf.range(count)
    return tf.constant(shuffled_rows(count, seed, epoch), tf.int32)


def split_off_validation(parts: Nested, fraction: float) -> tuple[Nested, Nested]:
    """Return the first 1-fraction of the examples, and the rest; not shuffled, as in Keras.

    Raises:
        InputError: The parts are not arrays, or the fraction is not in (0, 1) or leaves one side
            without examples.
    """
    leaves = tree_leaves(parts)
    if not leaves or not all(map(can_slice, leaves)):
        raise InputError(
            "validation_split needs x, y and sample_weight as arrays in memory. Pass "
            "validation_data instead."
        )
    count = int(first_leaf(parts).shape[0])
    start = math.floor(count * (1 - fraction)) if 0 < fraction < 1 else 0
    if start in (0, count):
        raise InputError(
            "validation_split must lie in (0, 1) and leave examples on both sides. "
            f"Received: {shown(fraction)} of {count} examples."
        )
    if not in_memory(*parts):
        return split_arrays(parts, fraction)

    def part(sliced: slice) -> Nested:
        # A table is sliced by its labels, unless through iloc.
        return map_leaves(lambda a: getattr(a, "iloc", a)[sliced], parts)

    return part(slice(None, start)), part(slice(start, None))


def sparse_by_rows(parts: Nested) -> Nested:
    """Return the parts with SciPy's sparse matrices stored by rows, as Keras's adapter needs."""
    return map_leaves(lambda leaf: leaf.tocsr() if is_scipy_sparse(leaf) else leaf, parts)


def refuse_lists(**parts: Nested) -> None:
    """Refuse Python lists of numbers, which Keras would take for lists of inputs.

    Raises:
        InputError: A part is such a list.
    """
    for name, part in parts.items():
        first = part
        while isinstance(first, list | tuple) and first:
            first = first[0]
        if isinstance(first, int | float | str):
            kind = type(first).__name__
            raise InputError(
                f"{name} must be an array. Received: a Python {type(part).__name__} of {kind}. "
                f"Pass np.asarray({name})."
            )


def _tensors(name: str, part: Nested) -> Nested:
    def convert(leaf: TensorLike) -> Tensor:
        array = leaf if isinstance(leaf, tf.Tensor) else as_examples(leaf, name)
        try:
            tensor = tensor_of(array)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{name} can't be a tensor: it is of dtype {array.dtype}. Make it numbers, as with "
                '.astype("float32"), all rows of one length.'
            ) from error
        if not tensor.shape.rank:
            raise InputError(
                f"x and y must be arrays of examples. Received: the number {shown(leaf)}."
            )
        return tf.cast(tensor, keras.config.floatx()) if tensor.dtype.is_floating else tensor

    return map_leaves(convert, part)


def _is_whole(key: object) -> bool:
    return isinstance(key, numbers.Real) and float(key).is_integer()


def _weights_of_parts(y: TrainingData, sample_weight: SampleWeight) -> SampleWeight:
    """Return the weights of each part of y; one array is for all of them."""
    if tf.is_tensor(sample_weight):
        return tf.nest.map_structure(lambda _: sample_weight, y)
    try:
        keras.tree.assert_same_structure(y, sample_weight)
    except ValueError as error:
        raise InputError(
            "sample_weight must be one array, or hold one (or None) for each part of y: "
            f"{_parts_of(y)}. Received: {_parts_of(sample_weight)}."
        ) from error
    return sample_weight


def _parts_of(nested: Nested) -> str:
    if isinstance(nested, Mapping):
        return "a dict of " + ", ".join(f'"{key}"' for key in nested)
    return f"a {type(nested).__name__} of {len(nested)}"


def _weights_of_classes(
    y: TrainingData, sample_weight: SampleWeight, class_weight: Mapping[int, float]
) -> Tensor:
    if sample_weight is not None:
        raise InputError("Pass class_weight or sample_weight, not both.")
    if y is None or tf.nest.is_nested(y):
        raise InputError(
            "class_weight needs a model with one output, and its labels y. For several outputs "
            "pass sample_weight, a list or dict of one array (or None) for each part of y: "
            "np.where(labels == 1, 5.0, 1.0)."
        )
    if not isinstance(class_weight, Mapping):
        raise InputError(
            "class_weight must be a dict of a weight for every class, such as {0: 1.0, 1: 2.5}. "
            f"Received: {shown(class_weight)}."
        )
    strange = [key for key in class_weight if not _is_whole(key)]
    if strange:
        raise InputError(
            "The keys of class_weight must be class numbers, such as {0: 1.0, 1: 2.5}. "
            f"Received: {shown(strange[0])}."
        )
    labels = y.numpy()
    if labels.ndim > 1:
        labels = labels.argmax(-1) if labels.shape[-1] > 1 else labels[..., 0]
    if labels.ndim != 1 or labels.dtype.kind not in "biuf":
        raise InputError(
            "class_weight needs one class number per example. Received: y of shape "
            f"{tuple(y.shape)} and type {y.dtype.name}. Use sample_weight."
        )
    weights = [class_weight.get(int(label), 1.0) for label in np.round(labels).astype(int)]
    return tf.constant(weights, keras.config.floatx())
