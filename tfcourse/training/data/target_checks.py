"""Checks of the targets by a model's losses and metrics: presence, shape, classes."""

from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from tfcourse.errors import InputError
from tfcourse.internals.models import compiled_metrics, metric_arguments
from tfcourse.losses import SmoothedCrossentropy
from tfcourse.training.data.metric_checks import check_loss, check_metric
from tfcourse.training.data.target_shapes import NUMBER_BY_NUMBER, check_same_shape
from tfcourse.training.programs.program_cache import program_cache
from tfcourse.training.programs.step import known_outputs, outputs_on, overrides
from tfcourse.types import KerasModel, KerasTensor, Loss, Nested, Tensor, TrainingData

__all__ = ["check_targets", "from_keras"]

CHECKED = (
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
)
# The most that a binary target may lie outside of 0 to 1: the rounding of float16. Those that come
# from averaging or from resizing a mask are beyond by a rounding error, which harms no training.
ROUNDING = 1e-3


@dataclass(frozen=True)
class KerasLoss:
    """One of Keras's own losses: its function's name and the options that matter here."""

    name: str
    ignore_class: int | None
    axis: int


def check_targets(
    model: KerasModel, x: TrainingData, y: TrainingData, of: str, values: bool, trace: bool
) -> None:
    """Check y against the losses and metrics of Keras's that the model was compiled with.

    Args:
        model: A compiled model, built or not.
        x: A batch, or symbols of one.
        y: All targets, or symbols of a batch.
        of: The name of the data in messages.
        values: Whether y has values, and not only a shape and type.
        trace: Whether to trace a model whose outputs aren't known otherwise, and to refuse
            binary labels that Keras would accept.

    Raises:
        InputError: y is missing, or the loss can't take it.
    """
    loss = getattr(model, "loss", None)
    if loss is None or overrides(model, "compute_loss"):
        return
    if y is None:
        raise InputError(
            f"y{of} is missing: the model was compiled with a loss, which compares its outputs "
            "with y. Pass y, or pass the data as pairs (x, y)."
        )
    outputs = known_outputs(model)
    if outputs is None and trace and any(_is_checked(each) for each in keras.tree.flatten(loss)):
        outputs = _traced(model, x)
    if outputs is None:
        return
    for name, entry, target, output in _triples(model, outputs, y, loss):
        if (keras_loss := _keras_loss(entry)) is not None:
            _check(f"y{of}{name}", keras_loss, target, output, values, values and trace)
        elif values and trace:
            check_loss(f"y{of}{name}", entry, target, output)
    compiled = compiled_metrics(model)
    if compiled is None or overrides(model, "compute_metrics"):
        return
    for metrics in metric_arguments(compiled):
        for name, entry, target, output in _triples(model, outputs, y, metrics):
            for metric in keras.tree.flatten(entry):
                check_metric(f"y{of}{name}", metric, target, output, values and trace)


def from_keras(model: KerasModel) -> bool:
    """Return True if all losses that the model was compiled with are Keras's."""
    losses = keras.tree.flatten(getattr(model, "loss", None))
    own = overrides(model, "compute_loss")
    return not own and all(loss is None or _keras_loss(loss) is not None for loss in losses)


def _keras_loss(loss: Loss) -> KerasLoss | None:
    """Return the description of a loss of ``compile``'s, or None if it is not one of Keras's."""
    if isinstance(loss, SmoothedCrossentropy):
        return KerasLoss(loss.loss, None, -1)
    try:
        loss = keras.losses.get(loss)
    except ValueError:  # "crossentropy", which ``compile`` resolves by the shapes
        return None
    function = getattr(loss, "fn", loss)
    plain = loss if function is loss else type(loss)
    if not all(getattr(f, "__module__", "").startswith("keras.") for f in (function, plain)):
        return None
    name = getattr(function, "__name__", type(loss).__name__)
    return KerasLoss(name, getattr(loss, "ignore_class", None), getattr(loss, "axis", -1))


def _is_checked(loss: Loss) -> bool:
    keras_loss = _keras_loss(loss)
    return keras_loss is not None and keras_loss.name in (*CHECKED, *NUMBER_BY_NUMBER)


def _triples(
    model: KerasModel, outputs: Nested, y: TrainingData, entries: Nested
) -> Iterator[tuple[str, Nested, Tensor, KerasTensor]]:
    """Yield every output's key, loss or metrics, targets and symbol, where they are clear."""
    if not keras.tree.is_nested(outputs):
        targets = keras.tree.flatten(y)
        for entry in keras.tree.flatten(entries):
            if len(targets) == 1:
                yield "", entry, targets[0], outputs
        return
    names = list(outputs) if isinstance(outputs, dict) else getattr(model, "output_names", [])

    def by_name(part: Nested) -> dict[str, Nested]:
        if isinstance(part, dict):
            return part
        fits = isinstance(part, list | tuple) and len(part) == len(names)
        return dict(zip(names, part, strict=True)) if fits else {}

    outputs, targets = by_name(outputs), by_name(y)
    nested = keras.tree.is_nested(entries)
    entries = by_name(entries) if nested else dict.fromkeys(names, entries)
    for number, name in enumerate(names):
        entry, *pair = (part.get(name) for part in (entries, targets, outputs))
        if entry is not None and not any(p is None or keras.tree.is_nested(p) for p in pair):
            key = f'["{name}"]' if isinstance(y, dict) else f"[{number}]"
            yield key, entry, *pair


def _traced(model: KerasModel, x: TrainingData) -> Nested:
    """Return symbols of the model's outputs on x, traced once; None where Keras can't call it."""
    leaves = [leaf for leaf in keras.tree.flatten(x) if leaf is not None]
    key = tuple((tuple(leaf.shape[1:]), str(leaf.dtype)) for leaf in leaves)
    outputs = program_cache(model).outputs
    if key not in outputs:
        try:
            outputs[key] = outputs_on(model, model, x, training=False)
        except Exception:  # Keras reports the reason better when it builds the model
            return None
    return outputs[key]


def _check(
    name: str, loss: KerasLoss, target: Tensor, output: KerasTensor, values: bool, thorough: bool
) -> None:
    if keras.backend.standardize_dtype(target.dtype) == "string":
        raise InputError(
            f"{name} holds strings, {loss.name} takes numbers. Number the classes: "
            "np.unique(y, return_inverse=True)[1]."
        )
    if loss.name in NUMBER_BY_NUMBER:
        check_same_shape(name, loss.name, tuple(target.shape), tuple(output.shape))
    if not output.shape or loss.axis not in (-1, len(output.shape) - 1):
        return
    classes = output.shape[-1]
    if loss.name == "sparse_categorical_crossentropy":
        _check_sparse_shape(name, target, output)
        if values and classes is not None:
            _check_labels(name, target, classes, loss.ignore_class)
    elif loss.name == "categorical_crossentropy" and classes is not None:
        _check_one_hot(name, target, output)
    elif loss.name in CHECKED and loss.name.startswith("binary") and thorough:
        _check_binary(name, target, loss.name)


def _check_sparse_shape(name: str, target: Tensor, output: KerasTensor) -> None:
    if len(target.shape) == len(output.shape) and target.shape[-1] not in (None, 1):
        raise InputError(
            f"{name} has shape {tuple(target.shape)}, one row per example, but "
            "sparse_categorical_crossentropy takes one class number. Use "
            "categorical_crossentropy, or np.argmax(y, -1)."
        )


def _check_labels(name: str, target: Tensor, classes: int, ignored: int | None) -> None:
    labels = tf.cast(target, tf.int64)
    if target.dtype.is_floating and not bool(tf.reduce_all(tf.floor(target) == target)):
        parts = (tf.floor(target) != target).numpy().reshape(labels.shape[0], -1)
        row = int(np.flatnonzero(parts.any(1))[0])
        value = target.numpy().reshape(labels.shape[0], -1)[row][parts[row]][0]
        raise InputError(
            f"{name} holds class numbers with a fraction, first {value:g} at index {row}, which "
            "Keras would cut off. Number the classes: np.unique(y, return_inverse=True)[1]."
        )
    wrong = (labels < 0) | (labels >= classes)
    if ignored is not None:
        wrong &= labels != ignored
    if not bool(tf.reduce_any(wrong)):
        return
    rows = np.flatnonzero(wrong.numpy().reshape(labels.shape[0], -1).any(1))
    low, high = int(tf.reduce_min(labels)), int(tf.reduce_max(labels))
    way = "Correct those labels"
    if (low, high) == (1, classes):
        way = "Count the classes from 0: y - 1"
    elif low >= 0:
        way += f", or give the output {high + 1} classes"
    else:
        way += ", or leave a class out with SparseCategoricalCrossentropy(ignore_class=...)"
    raise InputError(
        f"{name} holds class numbers from {low} to {high}, the model has {classes} outputs: they "
        f"must lie in 0 to {classes - 1}. Wrong in {len(rows)} of {labels.shape[0]} rows, first at "
        f"index {rows[0]}. {way}."
    )


def _check_one_hot(name: str, target: Tensor, output: KerasTensor) -> None:
    shape, wanted = tuple(target.shape), tuple(output.shape)
    classes = wanted[-1]
    if classes == 1:
        return
    if len(shape) == len(wanted) - 1 or (len(shape) == len(wanted) and shape[-1] == 1):
        raise InputError(
            f"{name} has shape {shape}, one number per example, but categorical_crossentropy "
            f"takes a row of {classes}. Use sparse_categorical_crossentropy, or "
            f"keras.utils.to_categorical(y, {classes})."
        )
    if len(shape) == len(wanted) and shape[-1] not in (None, classes):
        raise InputError(
            f"{name} has rows of {shape[-1]} numbers, the model has {classes} outputs. Give it "
            f"{shape[-1]} outputs, or y {classes} columns."
        )


def _check_binary(name: str, target: Tensor, loss: str) -> None:
    values = tf.cast(target, "float32")
    wrong = (values < -ROUNDING) | (values > 1 + ROUNDING)
    if not bool(tf.reduce_any(wrong)):
        return
    rows = np.flatnonzero(wrong.numpy().reshape(wrong.shape[0], -1).any(1))
    low, high = float(tf.reduce_min(values)), float(tf.reduce_max(values))
    way = "for labels -1 and 1, (y + 1) / 2" if low < 0 else "for more than two classes, a softmax"
    raise InputError(
        f"{name} holds values from {low:g} to {high:g}, {loss} takes 0 to 1. First at index "
        f"{rows[0]}. Correct them ({way}), or pass check_data=False."
    )
