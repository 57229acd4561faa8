"""The losses and labels of a model's outputs, and the rules of `tfcourse.lint` about them.

A rule yields ``(layer, message, fix)``: the layer's qualified name, the reason and the remedy.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tfcourse.data.frames import as_array
from tfcourse.errors import InputError
from tfcourse.losses import SmoothedCrossentropy
from tfcourse.models.graph import Graph, as_functional, output_activation
from tfcourse.types import KerasModel, Nested, TensorLike

__all__ = [
    "Complaint",
    "Output",
    "describe_outputs",
    "loss_and_labels",
    "output_and_loss",
    "sigmoid_classes",
]

Complaint = tuple[str, str, str]

_EXCLUSIVE = ("categorical", "sparse")
# The names of each kind of cross-entropy in keras.losses, as a class and as a function.
_LOSSES = {
    "categorical": ("CategoricalCrossentropy", "CategoricalFocalCrossentropy"),
    "sparse": ("SparseCategoricalCrossentropy",),
    "binary": ("BinaryCrossentropy", "BinaryFocalCrossentropy"),
}
_FUNCTIONS = {
    "categorical": ("categorical_crossentropy", "categorical_focal_crossentropy"),
    "sparse": ("sparse_categorical_crossentropy",),
    "binary": ("binary_crossentropy", "binary_focal_crossentropy"),
}


@dataclass(frozen=True)
class Output:
    """An output of a model with its loss and labels.

    Attributes:
        layer: The qualified name of the layer that computes it.
        activation: Its activation: ``"softmax"``, ``"sigmoid"``, ``"linear"``, another name,
            or None where that is not visible.
        shape: Its shape, None for the batch.
        loss: ``"categorical"``, ``"sparse"`` or ``"binary"`` for those cross-entropies, else None.
        from_logits: Whether that loss takes logits.
        ignored: The label that the loss ignores.
        labels: The labels, or None.
    """

    layer: str
    activation: str | None
    shape: tuple[int | None, ...]
    loss: str | None
    from_logits: bool
    ignored: int | None
    labels: Any

    @property
    def units(self) -> int:
        """The number of units, 0 if it is not known."""
        return self.shape[-1] or 0


def describe_outputs(model: KerasModel, graph: Graph, y: Nested) -> tuple[Output, ...]:
    """Return the outputs of a functional or Sequential model with their losses and labels.

    Raises:
        InputError: ``y`` is not one array of numbers for each output.
    """
    functional = as_functional(model)
    losses = _for_each_output(functional, model.loss if model.compiled else None)
    described = []
    for call, loss, labels in zip(graph.outputs, losses, _labels(functional, y), strict=True):
        source, activation = output_activation(call)
        kind, from_logits, ignored = _kind_of_loss(loss)
        output = Output(source.name, activation, call.shape, kind, from_logits, ignored, labels)
        described.append(output)
    return tuple(described)


def _for_each_output(functional: KerasModel, values: Nested) -> Sequence[Any]:
    """Return the values for the outputs, one value or a list or dict of them, in their order."""
    count, structure = len(functional.outputs), functional.output
    if isinstance(values, dict):
        names = [functional.output_names]
        if isinstance(structure, dict):
            names.append(sorted(structure))
        fitting = [keys for keys in names if set(values) <= set(keys)]
        return [values.get(key) for key in fitting[0]] if fitting else [None] * count
    if isinstance(values, list | tuple):
        return list(values) if len(values) == count else [None] * count
    return [values] * count


def _labels(functional: KerasModel, y: Nested) -> list[Any]:
    if len(functional.outputs) > 1 or isinstance(y, dict):
        if y is not None and not isinstance(y, dict | list | tuple):
            raise InputError(
                f"lint: y must be a list or dict with the labels of each of the "
                f"{len(functional.outputs)} outputs. Received: {type(y).__name__}."
            )
        return [_numbers(labels) for labels in _for_each_output(functional, y)]
    return [_numbers(y)]


def _numbers(labels: TensorLike) -> Any:
    if labels is None:
        return None
    array = as_array(labels, "lint: y")
    if array.dtype.kind not in "biuf" or array.ndim == 0 or array.size == 0:
        raise InputError(
            "lint: y must hold the labels as an array of numbers. "
            f"Received: {type(labels).__name__} of dtype {array.dtype}, shape {array.shape}."
        )
    return array


def _kind_of_loss(loss: Any) -> tuple[str | None, bool, int | None]:
    """Return the kind of a cross-entropy, whether it takes logits, and its ignored label."""
    arguments: dict[str, Any] = {}
    if isinstance(loss, SmoothedCrossentropy):
        arguments, loss = {"from_logits": loss.from_logits}, getattr(keras.losses, loss.loss)
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    if isinstance(loss, functools.partial):
        loss, arguments = loss.func, loss.keywords
    for kind, names in _LOSSES.items():
        if any(isinstance(loss, getattr(keras.losses, name)) for name in names):
            return kind, bool(loss.from_logits), getattr(loss, "ignore_class", None)
        if any(loss is getattr(keras.losses, name) for name in _FUNCTIONS[kind]):
            return kind, bool(arguments.get("from_logits", False)), arguments.get("ignore_class")
    return None, False, None


def output_and_loss(outputs: Sequence[Output]) -> Iterator[Complaint]:
    """Find probabilities in a loss that takes logits, or the other way round (course 3.5)."""
    for output in outputs:
        several = output.units != 1 or output.loss == "binary"
        own = "sigmoid" if output.loss == "binary" else "softmax"
        if output.loss and output.from_logits and output.activation in ("softmax", own):
            yield (
                output.layer,
                f"it gives probabilities ({output.activation}), but its loss has from_logits=True "
                f"and takes the {own} of them once more. (Keras goes back to the logits, with a "
                "warning, only where it still sees them.)",
                f"from_logits=False in the loss, or no {output.activation} in the model.",
            )
        if output.loss and not output.from_logits and output.activation == "linear" and several:
            yield (
                output.layer,
                "it gives logits, but its loss has from_logits=False and takes them for "
                "probabilities, clipped to [0, 1].",
                f"from_logits=True in the loss, or a {own} at the end of the model.",
            )


def loss_and_labels(outputs: Sequence[Output]) -> Iterator[Complaint]:
    """Find losses that do not fit the number of classes or the labels (course 3.3, 3.5)."""
    for output in outputs:
        complaint = _wrong_units(output)
        if complaint is None and output.loss and output.units and output.labels is not None:
            complaint = _CHECKS[output.loss](output, output.labels)
        if complaint is not None:
            yield (output.layer, *complaint)


def _wrong_units(output: Output) -> tuple[str, str] | None:
    if output.units == 1 and (output.activation == "softmax" or output.loss in _EXCLUSIVE):
        return (
            "a softmax over one unit is 1 for every input: nothing is learned.",
            'two units or more; for one yes-or-no output Dense(1, activation="sigmoid") with '
            '"binary_crossentropy".',
        )
    if output.units > 2 and output.loss == "binary" and output.activation == "softmax":
        return (
            f"binary cross-entropy takes the {output.units} classes of a softmax for independent "
            "yes-or-no questions.",
            'categorical or sparse cross-entropy; for several labels at once "sigmoid".',
        )
    return None


def _wrong_sparse(output: Output, labels: TensorLike) -> tuple[str, str] | None:
    if labels.ndim == len(output.shape) and labels.shape[-1] == output.units:
        return (
            f"sparse cross-entropy takes class numbers; the labels have {output.units} columns.",
            '"categorical_crossentropy", or labels.argmax(-1).',
        )
    counted = labels if output.ignored is None else labels[labels != output.ignored]
    if not np.all((counted >= 0) & (counted < output.units) & (counted == np.floor(counted))):
        return (
            f"its {output.units} units stand for the classes 0 to {output.units - 1}; the labels "
            f"lie between {counted.min():g} and {counted.max():g}.",
            "whole class numbers from 0 up, and a unit for each.",
        )
    return None


def _wrong_categorical(output: Output, labels: TensorLike) -> tuple[str, str] | None:
    if labels.ndim < len(output.shape) or labels.shape[-1] != output.units:
        return (
            f"categorical cross-entropy takes {output.units} columns, one per class, but the "
            f"labels have shape {labels.shape}.",
            '"sparse_categorical_crossentropy" for class numbers, or keras.utils.to_categorical.',
        )
    if np.any(labels < 0) or np.any(labels.sum(-1) > 1 + 1e-3):
        return (
            "categorical cross-entropy takes one class per example, but some labels add up to "
            "more than 1 (or are negative).",
            'for several classes at once "sigmoid" and "binary_crossentropy".',
        )
    return None


def _wrong_binary(output: Output, labels: TensorLike) -> tuple[str, str] | None:
    columns = labels.shape[-1] if labels.ndim == len(output.shape) else 1
    if columns != output.units:
        return (
            f"binary cross-entropy takes one 0 or 1 for each of its {output.units} units, but the "
            f"labels have shape {labels.shape}.",
            "a column for each unit; for exclusive classes a softmax and categorical or sparse "
            "cross-entropy.",
        )
    if not np.all((labels >= 0) & (labels <= 1)):
        return (
            "binary cross-entropy takes labels in [0, 1], but they lie between "
            f"{labels.min():g} and {labels.max():g}.",
            "labels 0 and 1.",
        )
    return None


_CHECKS = {"categorical": _wrong_categorical, "sparse": _wrong_sparse, "binary": _wrong_binary}


def sigmoid_classes(outputs: Sequence[Output]) -> Iterator[Complaint]:
    """Find exclusive classes from independent sigmoids, which do not sum to 1 (course 3.1)."""
    for output in outputs:
        if output.activation == "sigmoid" and output.units > 1 and output.loss in _EXCLUSIVE:
            yield (
                output.layer,
                f"its {output.units} sigmoids are independent, but {output.loss} cross-entropy "
                "takes the probabilities of exclusive classes, which sum to 1.",
                f'SoftmaxHead({output.units}); for several labels at once "binary_crossentropy".',
            )
