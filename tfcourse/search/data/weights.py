"""The weights of examples in the loss: of a column, and of classes."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from tfcourse.data.nested import array_items, named
from tfcourse.data.splits import Part, Split
from tfcourse.data.tables.table_options import ClassNames
from tfcourse.errors import InputError, one_of
from tfcourse.search.config.metrics import Targets
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.targets import as_labels
from tfcourse.types import Array

__all__ = [
    "balanced_weights",
    "check_class_weights",
    "check_set_weights",
    "class_numbers",
    "class_weights",
    "weight_column",
    "with_class_weights",
]

# The weights of an output's classes, by their names or numbers.
ClassWeights: TypeAlias = Mapping[str, float] | Literal["balanced"]


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
        InputError: Examples have weights of their own, it names a class that there is not, or no
            example is left.
    """
    if config.training.class_weight is None:
        return
    if split.train.weight is not None:
        raise InputError(
            "class_weight and weights of examples exclude each other, as in Keras's fit. Multiply "
            "the weights of the examples by those of their classes, and leave class_weight out."
        )
    for name, weight in array_items(with_class_weights(config, split).weight):
        if not weight.any():
            raise InputError(
                f"{named('class_weight', name)} is 0 for every class in the train set. Give one of "
                "them a weight > 0."
            )


def class_weights(config: SearchConfig, split: Split) -> dict[int, float] | None:
    """Return the weight of each class as Keras's ``fit`` takes it, for a model of one output.

    A class without an entry has the weight 1. None if the config has none.

    Args:
        config: The search.
        split: The data, of whose train set the balanced weights are.

    Raises:
        InputError: A class that has a weight is not in the data.
    """
    weights: Any = config.training.class_weight
    if weights is None:
        return None
    return _by_class(weights, split.train.y, config.targets, split, "")


def with_class_weights(config: SearchConfig, split: Split) -> Part:
    """Return the train set with the weight of its class for each example, if classes have any.

    Of several outputs each example has a weight in the loss of each.

    Raises:
        InputError: A class that has a weight is not in the data.
    """
    train = split.train
    weights: Any = config.training.class_weight
    if weights is None:
        return train
    if not isinstance(train.y, Mapping):
        weight = _of_examples(weights, train.y, config.targets, split, "")
        return replace(train, weight=weight)
    by_output: dict[str, Array] = {
        name: _of_examples(weights.get(name, {}), y, config.targets[name], split, name)
        for name, y in train.y.items()
    }
    return replace(train, weight=by_output)


def _of_examples(
    weights: ClassWeights, y: Array, targets: Targets, split: Split, output: str
) -> npt.NDArray[np.float32]:
    by_class = _by_class(weights, y, targets, split, output)
    labels = as_labels(y, targets)
    of_label = np.array([by_class.get(label, 1.0) for label in range(labels.max() + 1)])
    return of_label[labels].astype(np.float32)


def _by_class(
    weights: ClassWeights, y: Array, targets: Targets, split: Split, output: str
) -> dict[int, float]:
    """Return the weight of each class of an output by its number."""
    if weights == "balanced":
        return balanced_weights(as_labels(y, targets))
    count = split.classes[output] if output else split.classes
    classes = 2 if targets == "binary" else count
    numbers = class_numbers(weights, classes, split.class_names, named("class_weight", output))
    return {numbers[name]: weight for name, weight in weights.items()}


def class_numbers(
    keys: Collection[str], classes: int, names: ClassNames | None, title: str
) -> dict[str, int]:
    """Return the number of each class that is a key, by its name or by its number 0 … C-1.

    Args:
        keys: The names, or the numbers, as texts.
        classes: The number of classes C.
        names: The names of the classes in the order of their numbers; None if they have none.
        title: The setting for messages.

    Raises:
        InputError: A key is no class, or may be one's name and another's number.
    """
    by_number = {str(number): number for number in range(classes)}
    by_name = by_number if names is None else {str(name): i for i, name in enumerate(names)}
    are_numbers = by_number.keys() >= {*keys}
    strange = [key for key in keys if key not in by_name]
    if strange and are_numbers:
        return by_number
    if strange:
        raise InputError(one_of(f"{title}: the class", strange[0], by_name))
    twofold = [key for key in keys if are_numbers and by_name[key] != by_number[key]]
    if twofold and len(keys) < classes:
        every = ", ".join(f'"{name}"' for name in by_name)
        raise InputError(
            f'{title}: "{twofold[0]}" is the name of one class and the number of another. Give '
            f"every class a weight by its name: {every}."
        )
    return by_name
