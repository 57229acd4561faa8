"""The sets of a search that are the user's own datasets."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tfcourse.data.splits import Part, Split
from tfcourse.data.streams.dataset_batches import Reading
from tfcourse.data.streams.datasets import Datasets, SetOfDataset, read_dataset
from tfcourse.data.streams.stream import Stream
from tfcourse.errors import InputError
from tfcourse.search.config.metrics import Targets
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.targets import encode_targets
from tfcourse.types import Nested

__all__ = ["split_of_datasets"]


def split_of_datasets(
    config: SearchConfig, datasets: Datasets, begin: Callable[[int, int], None] | None = None
) -> Split:
    """Return the sets of datasets, after one pass over each; y is what the loss takes.

    Args:
        config: The search.
        datasets: The datasets.
        begin: Brings the train set into the order of an epoch, from (seed, epoch).

    Raises:
        InputError: As from `tfcourse.data.streams.datasets.read_dataset`, or the targets are not
            those of the loss, or differ between the sets.
    """
    targets = config.targets
    sets = {
        name: read_dataset(name, dataset, _reading(config, name, begin), targets != "numbers")
        for name, dataset in datasets.parts.items()
    }
    first, *others = sets
    for name in others:
        _check_same(sets[first], sets[name], name)
    loss = config.training.loss
    assert isinstance(loss, str), "checked with the settings of streamed data"
    outputs, encoded = _outputs(sets, targets, loss)
    streams = {name: _flat(part.stream, targets, encoded) for name, part in sets.items()}
    split = Split(streams["train"], streams["dev"], streams.get("test"), outputs)
    notes = tuple(_order_note(name) for name, part in sets.items() if not part.repeats)
    if not encoded:
        split = encode_targets(split, loss, targets)
    return replace(split, notes=notes)


def _reading(config: SearchConfig, name: str, begin: Callable[[int, int], None] | None) -> Reading:
    data, train = config.data, name == "train"
    return Reading(
        data.steps_per_epoch if train else data.validation_steps,
        rebatch=train and "batch_size" in config.space,
        shuffle_buffer=data.shuffle_buffer if train else None,
        begin=begin if train else None,
    )


def _check_same(train: SetOfDataset, other: SetOfDataset, name: str) -> None:
    """Raise InputError if the examples of two sets differ in their shapes."""
    shapes = [(part.stream.shape, _row_shape(part)) for part in (train, other)]
    if shapes[0] != shapes[1]:
        words = [f"x {x}, y {y}" for x, y in shapes]
        raise InputError(
            f"train and {name} must have examples of the same shapes. Received: {words[0]} and "
            f"{words[1]}."
        )


def _row_shape(part: SetOfDataset) -> Any:
    return getattr(part.y, "shape", (None,))[1:]


def _outputs(sets: dict[str, SetOfDataset], targets: Targets, loss: str) -> tuple[int, bool]:
    """Return the number of classes or numbers, and whether y is as the loss takes it.

    Raises:
        InputError: The labels are not 0 … C-1, or rows where the loss takes labels.
    """
    y = sets["train"].y
    if not isinstance(y, np.ndarray):
        raise InputError(
            "y of a dataset must be one array: several outputs of streamed data are not supported."
        )
    width = int(np.prod(y.shape[1:]))
    if targets == "numbers":
        return width, True
    if width > 1:
        if targets == "one_hot":
            return width, True
        remedy = '"categorical_crossentropy"' if targets == "labels" else "labels 0 and 1"
        raise InputError(
            f'y has rows of {width} numbers, and the loss "{loss}" takes one label for each '
            f"example. Rows with a 1 for the class are for {remedy}; of them "
            "tf.argmax(y, axis=-1) makes labels."
        )
    labels = sets["train"].labels
    classes = 0 if labels is None else len(labels)
    if labels is None or classes < 2 or not np.array_equal(labels, np.arange(classes)):
        raise InputError(f"train: the labels must be 0, 1, … C-1. Received: {_listed(labels)}.")
    for name, part in sets.items():
        if part.labels is not None and not np.isin(part.labels, labels).all():
            other = part.labels[~np.isin(part.labels, labels)]
            raise InputError(f"{name} has labels that train lacks: {_listed(other)}.")
    return classes, False


def _flat(stream: Stream, targets: Targets, encoded: bool) -> Part:
    """Return a set with labels as whole numbers ``(m,)``, or rows of float32."""

    def labels(x: Nested, y: Nested, *weight: Nested) -> Nested:
        import tensorflow as tf

        return (x, tf.cast(tf.reshape(y, [-1]), tf.int64), *weight)

    def rows(x: Nested, y: Nested, *weight: Nested) -> Nested:
        import tensorflow as tf

        y = tf.cast(y, tf.float32)
        return (x, y[:, None] if y.shape.rank == 1 else y, *weight)

    return stream.with_transform(rows if encoded else labels)


def _listed(labels: Any) -> str:
    if labels is None:
        return "rows"
    return ", ".join(f"{label:g}" for label in labels[:8]) + (", …" if len(labels) > 8 else "")


def _order_note(name: str) -> str:
    return (
        f"{name}: the dataset begins with another batch each time it is read, so that a trial "
        "depends on those before it, and resumes with other numbers. Leave its shuffle() out, and "
        "give shuffle_buffer, with which the order comes from (seed, epoch)."
    )
