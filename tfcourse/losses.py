"""Cross-entropies whose label smoothing is a variable, so that one program serves many."""

from typing import Any

import keras
import tensorflow as tf

from tfcourse.errors import one_of
from tfcourse.formulas.softmax import smooth_labels
from tfcourse.hyperparameters import SMOOTHED_LOSSES, check
from tfcourse.types import KerasModel, LossLike, Tensor, TensorLike, Variable

__all__ = ["SmoothedCrossentropy", "keras_loss", "smoothed_loss", "smoothing_variables"]


@keras.saving.register_keras_serializable(package="tfcourse")
class SmoothedCrossentropy(keras.losses.Loss):
    """A cross-entropy of smoothed targets, ``y (1-s) + s/C``, as Keras's ``label_smoothing``.

    s is a variable: ``loss.label_smoothing = 0.1`` in the middle of a compiled training takes
    effect at the next step. Keras's ``SparseCategoricalCrossentropy`` has no ``label_smoothing``;
    its two others have one that is part of the compiled program.

    Args:
        loss: Keras's name of the loss: ``"sparse_categorical_crossentropy"``,
            ``"categorical_crossentropy"`` or ``"binary_crossentropy"`` (C = 2).
        label_smoothing: s, in [0, 1).
        from_logits: Whether the predictions are logits.
        **kwargs: ``name``, ``reduction`` and ``dtype`` as for every Keras loss.

    Raises:
        ValueError: An argument is not admissible.
    """

    def __init__(
        self, loss: str, label_smoothing: float = 0.0, from_logits: bool = False, **kwargs: Any
    ) -> None:
        if loss not in SMOOTHED_LOSSES:
            raise ValueError(one_of("SmoothedCrossentropy: loss", loss, SMOOTHED_LOSSES))
        super().__init__(**{"name": loss, **kwargs})
        self.loss, self.from_logits = loss, bool(from_logits)
        with tf.init_scope():
            self.variable = keras.Variable(
                0.0,
                dtype="float64",
                trainable=False,
                aggregation="only_first_replica",
                name="label_smoothing",
            )
        self.label_smoothing = label_smoothing

    @property
    def label_smoothing(self) -> float:
        """The current s."""
        return float(self.variable.numpy())

    @label_smoothing.setter
    def label_smoothing(self, value: float) -> None:
        self.variable.assign(float(check("label_smoothing", value, type(self).__name__)))

    def call(self, y_true: TensorLike, y_pred: Tensor) -> Tensor:
        """Return the loss of each example."""
        smoothing = tf.convert_to_tensor(self.variable)
        if self.loss == "binary_crossentropy":
            if len(y_true.shape) < len(y_pred.shape):
                y_true = keras.ops.expand_dims(y_true, -1)
            targets = smooth_labels(keras.ops.cast(y_true, y_pred.dtype), smoothing, 2)
            return keras.losses.binary_crossentropy(targets, y_pred, self.from_logits)
        classes = y_pred.shape[-1]
        if self.loss == "sparse_categorical_crossentropy":
            if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
                y_true = keras.ops.squeeze(y_true, -1)
            y_true = tf.one_hot(keras.ops.cast(y_true, "int64"), classes)
        targets = smooth_labels(keras.ops.cast(y_true, y_pred.dtype), smoothing, classes)
        return keras.losses.categorical_crossentropy(targets, y_pred, self.from_logits)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for saving."""
        own = ("loss", "label_smoothing", "from_logits")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def smoothed_loss(model: KerasModel) -> SmoothedCrossentropy | None:
    """Return a compiled model's loss if it is a `SmoothedCrossentropy`; None otherwise."""
    loss = getattr(model, "loss", None)
    return loss if isinstance(loss, SmoothedCrossentropy) else None


def smoothing_variables(model: KerasModel) -> list[Variable]:
    """Return the variable of a model's `SmoothedCrossentropy`; none if it has none.

    Keras does not count it among the model's.
    """
    loss = smoothed_loss(model)
    return [] if loss is None else [loss.variable]


def keras_loss(loss: SmoothedCrossentropy) -> LossLike | None:
    """Return Keras's loss of the same values; None if it has none."""
    shared = {"from_logits": loss.from_logits, "reduction": loss.reduction}
    smoothing = {"label_smoothing": loss.label_smoothing}
    if loss.loss == "categorical_crossentropy":
        return keras.losses.CategoricalCrossentropy(**shared, **smoothing)
    if loss.loss == "binary_crossentropy":
        return keras.losses.BinaryCrossentropy(**shared, **smoothing)
    return None if loss.label_smoothing else keras.losses.SparseCategoricalCrossentropy(**shared)
