"""Class numbers as the targets that a loss takes, and back."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tfcourse.data.splits import Part, Split
from tfcourse.data.streams import Stream
from tfcourse.errors import InputError
from tfcourse.search.config.metrics import Targets
from tfcourse.types import Array, Nested

__all__ = ["as_labels", "encode_labels", "encode_targets"]


def as_labels(y: Array, targets: Targets) -> npt.NDArray[np.int64]:
    """Return the class numbers from which `encode_targets` made y; zeros for numbers."""
    if targets == "labels":
        return y.astype(np.int64)
    if targets == "numbers":
        return np.zeros(len(y), dtype=np.int64)
    return y[:, 0].astype(np.int64) if targets == "binary" else y.argmax(axis=1)


def encode_labels(y: Array, classes: int, targets: Targets) -> Array:
    """Return class numbers as a loss takes them: as they are, one-hot, or as rows of 0 or 1."""
    if targets not in ("one_hot", "binary"):
        return y
    rows = y[:, None] if targets == "binary" else np.eye(classes)[y]
    return rows.astype(np.float32)


def encode_targets(split: Split, loss: str, targets: Targets) -> Split:
    """Return the split with rows for labels if the loss takes rows, one-hot or of one number.

    Raises:
        InputError: The loss takes two classes, and there are more.
    """
    if targets in ("labels", "numbers"):
        return split
    if targets == "binary" and split.classes != 2:
        raise InputError(
            f'y: the loss "{loss}" takes 2 classes. Received: {split.classes}; use '
            '"sparse_categorical_crossentropy".'
        )

    def rows(part: Part) -> Part:
        if isinstance(part, Stream):
            return part.with_transform(encode)
        return replace(part, y=encode_labels(part.y, split.classes, targets))

    def encode(x: Nested, y: Nested, *weight: Nested) -> Nested:
        import tensorflow as tf

        binary = targets == "binary"
        encoded = tf.cast(y, tf.float32)[:, None] if binary else tf.one_hot(y, split.classes)
        return (x, encoded, *weight)

    outputs = 1 if targets == "binary" else split.classes
    return replace(split.map(rows), classes=outputs)
