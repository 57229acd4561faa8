"""A classifier of very many classes, trained without the (m, C) matrix."""

from typing import Any

import keras
import tensorflow as tf

from tfcourse.hyperparameters import check
from tfcourse.internals.models import loss_tracker
from tfcourse.layers.softmax_head import SoftmaxHead
from tfcourse.types import KerasConfig, KerasModel, Nested, Tensor

__all__ = ["ManyClassModel"]


@keras.saving.register_keras_serializable(package="tfcourse")
class ManyClassModel(keras.Model):
    """A body and a `SoftmaxHead` whose training loss is the head's blockwise cross-entropy.

    Use it like any model: ``compile(optimizer)`` without a loss, ``fit``, ``evaluate``,
    ``predict``. The loss, in training and evaluation, is ``head.cross_entropy``; ``predict``
    returns the probabilities. It reports the loss alone: metrics need the whole (m, C) matrix.

    Args:
        body: A model or layer from the inputs to features of shape ``(m, features)``.
        head: The output layer, with ``logits=False``.
        label_smoothing: The share of each target that is spread over all classes, in [0, 1), in
            the training. The loss of an evaluation is that of the targets themselves.
        **kwargs: ``name`` and the like.

    Source: course sections 3.5 and 3.6.
    """

    def __init__(
        self, body: KerasModel, head: SoftmaxHead, label_smoothing: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.body, self.head = body, head
        self.label_smoothing = check("label_smoothing", label_smoothing, type(self).__name__)

    def call(self, inputs: Nested, training: bool | None = None) -> Any:
        """Return the probabilities of all classes."""
        return self.head(self.body(inputs, training=training))

    def train_step(self, data: Nested) -> dict[str, Any]:
        """Take a step on the blockwise cost and the model's other losses."""
        with tf.GradientTape() as tape:
            cost = self._cost(data, training=True)
            # Under a tf.distribute strategy the replicas' gradients are added up.
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            scaled = self.optimizer.scale_loss(cost / replicas)
        weights = self.trainable_weights
        self.optimizer.apply(tape.gradient(scaled, weights), weights)
        return self._report(data, cost)

    def test_step(self, data: Nested) -> dict[str, Any]:
        """Compute the blockwise cost, without a step."""
        return self._report(data, self._cost(data, training=False))

    def _cost(self, data: Nested, training: bool) -> Any:
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        features = self.body(x, training=training)
        smoothing = self.label_smoothing if training else 0.0
        cost = self.head.cross_entropy(features, y, weights, smoothing)
        return tf.add_n([cost, *(tf.cast(loss, cost.dtype) for loss in self.losses)])

    def _report(self, data: Nested, cost: Tensor) -> dict[str, Any]:
        count = tf.shape(tf.nest.flatten(data)[0])[0]
        loss_tracker(self).update_state(cost, sample_weight=count)
        return {"loss": loss_tracker(self).result()}

    def get_config(self) -> dict[str, Any]:
        """Return the two parts, for saving."""
        return {
            **super().get_config(),
            "body": keras.saving.serialize_keras_object(self.body),
            "head": keras.saving.serialize_keras_object(self.head),
            "label_smoothing": self.label_smoothing,
        }

    @classmethod
    def from_config(
        cls, config: KerasConfig, custom_objects: dict[str, Any] | None = None
    ) -> "ManyClassModel":
        """Return the model of two parts."""
        parts = {
            name: keras.saving.deserialize_keras_object(config.pop(name), custom_objects)
            for name in ("body", "head")
        }
        return cls(**parts, **config)
