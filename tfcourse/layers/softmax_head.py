"""The softmax output layer (course section 3)."""

from typing import Any

import keras
import tensorflow as tf

from tfcourse.errors import shown
from tfcourse.formulas.many_classes import blockwise_cross_entropy
from tfcourse.formulas.softmax import hardmax, linear, softmax
from tfcourse.hyperparameters import check, is_number
from tfcourse.layers.parts import serialize_parts
from tfcourse.types import (
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
    SampleWeight,
    Shape,
    Tensor,
    TensorLike,
)

__all__ = ["SoftmaxHead"]


@keras.saving.register_keras_serializable(package="tfcourse")
class SoftmaxHead(keras.layers.Layer):
    """The output layer for C exclusive classes: ``z = x W + b``, ``a = e^z / Σ e^z``.

    Input of shape ``(..., features)``, output of shape ``(..., classes)``: probabilities that sum
    to 1. Keras remembers their logits, as for its own softmax, so that its cross-entropy
    with the default ``from_logits=False`` is computed from the logits and stays finite.
    The output is float32 (float64 for a float64 layer), also under mixed precision.

    When: the classes exclude each other. If several can be true of one example, use a Dense with
    sigmoid; if the next stage takes logits, ``logits=True``; for very many classes train by
    `cross_entropy`, or with `tfcourse.ManyClassModel`.

    Args:
        classes: The number of classes C, at least 2. For two, it is logistic regression:
            ``a[1] = sigmoid(z[1] - z[0])`` (course 3.3).
        use_bias: Whether to add b.
        kernel_initializer: Initializer of W.
        bias_initializer: Initializer of b.
        kernel_regularizer: Regularizer of W.
        bias_regularizer: Regularizer of b.
        kernel_constraint: Constraint on W.
        bias_constraint: Constraint on b.
        logits: Whether to return the logits z instead of the probabilities; the loss then needs
            ``from_logits=True``.
        **kwargs: ``name``, ``dtype``, ``trainable`` as for every Keras layer.

    Raises:
        ValueError: If ``classes`` is not a whole number of at least 2, or the number of input
            features is unknown.

    Source: course sections 3.1 to 3.6.
    """

    def __init__(
        self,
        classes: int,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike | None = None,
        bias_regularizer: RegularizerLike | None = None,
        kernel_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        logits: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        whole = is_number(classes) and float(classes).is_integer()
        if not whole or classes < 2:
            hint = (
                ' For one yes-or-no output use Dense(1, activation="sigmoid").'
                if classes == 1
                else ""
            )
            raise ValueError(
                "SoftmaxHead: classes must be a whole number >= 2. "
                f"Received: {shown(classes)}.{hint}"
            )
        self.classes = int(classes)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.logits = logits
        self.bias = None
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Create W and b for the features of ``input_shape``."""
        features = input_shape[-1]
        if features is None:
            raise ValueError(
                "SoftmaxHead: the size of the last input axis must be known. "
                f"Received: input shape {tuple(input_shape)}."
            )
        self.kernel = self.add_weight(
            shape=(features, self.classes),
            name="kernel",
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(self.classes,),
                name="bias",
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: features})

    def compute_logits(self, features: TensorLike) -> Any:
        """Return ``z = x W + b`` in float32 (float64 for a float64 layer)."""
        dtype = "float64" if self.compute_dtype == "float64" else "float32"
        return linear(features, self.kernel, self.bias, dtype)

    def call(self, inputs: Tensor) -> Any:
        """Return the probabilities, or the logits with ``logits=True``."""
        z = self.compute_logits(inputs)
        return z if self.logits else softmax(z)

    def cross_entropy(
        self,
        features: TensorLike,
        labels: TensorLike,
        sample_weight: SampleWeight = None,
        label_smoothing: float = 0.0,
    ) -> Any:
        """Compute the cost ``1/m Σ w_i L_i`` without the (m, C) matrix, for very many classes.

        Equal to the layer's output with ``SparseCategoricalCrossentropy``, its gradients too, but
        with only a block of examples' logits in memory at a time; see
        `tfcourse.formulas.many_classes.blockwise_cross_entropy`. It has no second derivatives.

        Args:
            features: The layer's input, shape ``(..., features)``.
            labels: The true classes, whole numbers of shape ``(...)``.
            sample_weight: Weights w of shape ``(...)``; None for weights of 1.
            label_smoothing: s in [0, 1), as of Keras's ``CategoricalCrossentropy``.

        Returns:
            A scalar, float32 (float64 for a float64 layer).
        """
        if not self.built:
            self.build(features.shape)
        dtype = tf.float64 if self.compute_dtype == "float64" else tf.float32
        # Class numbers may be of any type, as in Keras's loss.
        labels = tf.cast(tf.reshape(labels, [-1]), tf.int64)
        weights = tf.ones(tf.shape(labels), dtype)
        if sample_weight is not None:
            weights = tf.reshape(tf.cast(sample_weight, dtype), [-1])
        bias = tf.zeros([self.classes], dtype) if self.bias is None else self.bias
        return blockwise_cross_entropy(
            tf.reshape(tf.cast(features, self.compute_dtype), [-1, features.shape[-1]]),
            tf.cast(self.kernel, self.compute_dtype),
            tf.convert_to_tensor(bias),
            labels,
            weights,
            smoothing=check("label_smoothing", label_smoothing, type(self).__name__),
        )

    def hardmax(self, features: TensorLike) -> Any:
        """Return 1 for the most probable class, 0 for the others (course 3.2)."""
        return hardmax(self._logits_of(features))

    def classify(self, features: TensorLike) -> Any:
        """Return the number of the most probable class, int64 of shape ``(...)``."""
        return tf.argmax(self._logits_of(features), axis=-1)

    def top_k(self, features: TensorLike, k: int = 5) -> tuple[Tensor, Tensor]:
        """Return the probabilities and numbers of the k most probable classes, best first."""
        probabilities, classes = tf.math.top_k(softmax(self._logits_of(features)), k=k)
        return probabilities, classes

    def _logits_of(self, features: TensorLike) -> Any:
        if not self.built:
            self(features)
        return self.compute_logits(tf.cast(features, self.compute_dtype))

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """Return the input's shape with ``classes`` for the last axis."""
        return (*input_shape[:-1], self.classes)

    def compute_output_spec(self, inputs: Tensor) -> Any:
        """Return the shape and dtype of the output, which is not of the compute dtype."""
        dtype = "float64" if self.compute_dtype == "float64" else "float32"
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for saving."""
        config = {"classes": self.classes, "use_bias": self.use_bias, "logits": self.logits}
        return {**super().get_config(), **config, **serialize_parts(self, ("kernel", "bias"))}
