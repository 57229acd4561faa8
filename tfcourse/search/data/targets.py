"""Class numbers as the targets that a loss takes, and back."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tfcourse.data.nested import Arrays, count_of, named
from tfcourse.data.splits import Part, Split
from tfcourse.data.streams.stream import Stream
from tfcourse.errors import InputError
from tfcourse.search.config.metrics import AnyTargets, Losses, Targets
from tfcourse.types import Array, Nested

__all__ = ["as_labels", "encode_labels", "encode_targets"]


def as_labels(y: Arrays, targets: AnyTargets) -> npt.NDArray[np.int64]:
    """Return the class numbers from which `encode_targets` made y; zeros for numbers.

    And for several outputs, of which none has the classes of the examples.

    Args:
        y: The targets, or a dict of those of each output.
        targets: The `Targets` that the loss takes, or a dict of them.
    """
    if isinstance(y, Mapping):
        return np.zeros(count_of(y), dtype=np.int64)
    labels: npt.NDArray[np.int64] = y
    if targets == "labels":
        return labels.astype(np.int64)
    if targets == "numbers":
        return np.zeros(len(y), dtype=np.int64)
    return labels[:, 0].astype(np.int64) if targets == "binary" else labels.argmax(axis=1)


def encode_labels(y: Array, classes: int, targets: Targets) -> Array:
    """Return class numbers as a loss takes them: as they are, one-hot, or as rows of 0 or 1."""
    if targets not in ("one_hot", "binary"):
        return y
    rows = y[:, None] if targets == "binary" else np.eye(classes)[y]
    return rows.astype(np.float32)


def encode_targets(split: Split, loss: Losses, targets: AnyTargets) -> Split:
    """Return the split with rows for labels if the loss takes rows, one-hot or of one number.

    Args:
        split: The split, whose classes are numbers.
        loss: The entry of the loss in the config; a dict of them for several outputs.
        targets: The `Targets` that it takes, or a dict of them.

    Raises:
        InputError: The loss takes two classes, and there are more.
    """
    if isinstance(targets, Mapping):
        assert isinstance(loss, Mapping), "checked with the config"
        return _encode_outputs(split, loss, targets)
    if targets in ("labels", "numbers"):
        return split
    _check_classes("y", str(loss), targets, split.classes)

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


def _encode_outputs(
    split: Split, losses: Mapping[str, str], targets: Mapping[str, Targets]
) -> Split:
    """Return the split with the targets of each output as its loss takes them."""
    for name, kind in targets.items():
        _check_classes(named("y", name), losses.get(name, "none"), kind, split.classes[name])

    def rows(part: Part) -> Part:
        y = {
            name: encode_labels(array, split.classes[name], targets[name])
            for name, array in part.y.items()
        }
        return replace(part, y=y)

    classes = {n: 1 if targets[n] == "binary" else count for n, count in split.classes.items()}
    return replace(split.map(rows), classes=classes)


def _check_classes(title: str, loss: str, targets: Targets, classes: int) -> None:
    """Raise InputError if a loss takes two classes, and there are more."""
    if targets == "binary" and classes != 2:
        raise InputError(
            f'{title}: the loss "{loss}" takes 2 classes. Received: {classes}; use '
            '"sparse_categorical_crossentropy".'
        )
