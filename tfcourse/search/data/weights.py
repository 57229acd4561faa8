"""The weights of examples in the loss: of a column, and of classes."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tfcourse.data.nested import array_items, named
from tfcourse.data.splits import Part, Split
from tfcourse.errors import InputError, one_of
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.targets import as_labels
from tfcourse.types import Array

__all__ = [
    "balanced_weights",
    "check_class_weights",
    "check_set_weights",
    "class_weights",
    "weight_column",
    "with_class_weights",
]


def weight_column(values: Array, name: str) -> npt.NDArray[np.float64]:
    """Return the weights in a column of texts or numbers.

    Raises:
        InputError: One of them is no number.
    """
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    weights = np.full(len(values), np.nan)
    for row, value in enumerate(values.tolist()):
        try:
            weights[row] = float(value)
        except (TypeError, ValueError):
            raise InputError(
                f'sample_weight: the column "{name}" must hold numbers >= 0. Received: {value!r} '
                f"in row {row}."
            ) from None
    return weights


def check_set_weights(split: Split) -> None:
    """Raise InputError if all examples of a set have the weight 0, with which nothing is left."""
    for name, part in split.parts.items():
        for key, weight in [] if part.weight is None else array_items(part.weight):
            if not weight.any():
                title = named("sample_weight", key)
                raise InputError(
                    f"{title} is 0 in all {part.count} examples of the {name} set. Give the set "
                    "other examples too, or a larger share."
                )


def balanced_weights(labels: npt.NDArray[np.int64]) -> dict[int, float]:
    """Return scikit-learn's balanced weights, ``m / (C mᵢ)`` of class i.

    Here m is the number of examples, mᵢ those of class i and C the number of classes with any.
    """
    classes, counts = np.unique(labels, return_counts=True)
    weights = len(labels) / (len(classes) * counts)
    return {int(label): float(weight) for label, weight in zip(classes, weights, strict=True)}


def check_class_weights(config: SearchConfig, split: Split) -> None:
    """Check ``[training] class_weight`` against the data.

    Raises:
        InputError: Examples have weights of their own, y is no array of labels, it names a class
            that there is not, or no example is left.
    """
    weights, train = config.training.class_weight, split.train
    if weights is None:
        return
    if train.weight is not None:
        raise InputError(
            "class_weight and weights of examples exclude each other, as in Keras's fit. Multiply "
            "the weights of the examples by those of their classes, and leave class_weight out."
        )
    if weights == "balanced":
        return
    classes = 2 if config.targets == "binary" else split.classes
    unknown = [name for name in weights if int(name) >= classes]
    if unknown:
        raise InputError(one_of("class_weight: the class", unknown[0], map(str, range(classes))))
    weighted = with_class_weights(config, train).weight
    if weighted is not None and not weighted.any():
        raise InputError(
            "class_weight is 0 for every class in the train set. Give one of them a weight > 0."
        )


def class_weights(config: SearchConfig, train: Part) -> dict[int, float] | None:
    """Return the weight of each class as Keras's ``fit`` takes it; None if the config has none.

    A class without an entry has the weight 1.

    Args:
        config: The search.
        train: The train set, from which the balanced weights are.
    """
    weights = config.training.class_weight
    if weights is None:
        return None
    if weights == "balanced":
        return balanced_weights(as_labels(train.y, config.targets))
    return {int(name): weight for name, weight in weights.items()}


def with_class_weights(config: SearchConfig, train: Part) -> Part:
    """Return the train set with the weight of its class for each example, if classes have any."""
    weights = class_weights(config, train)
    if weights is None:
        return train
    labels = as_labels(train.y, config.targets)
    of_label = np.array([weights.get(label, 1.0) for label in range(labels.max() + 1)])
    return replace(train, weight=of_label[labels].astype(np.float32))
