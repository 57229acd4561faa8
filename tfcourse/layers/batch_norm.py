"""Batch normalization with moving averages for test time (course section 2)."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfcourse.formulas.averages import interpolate_average, update_average
from tfcourse.formulas.fused_normalization import fused_inference, fused_training, use_fused
from tfcourse.formulas.ghost_normalization import ghost_normalize
from tfcourse.formulas.normalization import (
    batch_moments,
    normalize,
    normalize_for_inference,
    renorm_corrections,
    renorm_parameters,
)
from tfcourse.hyperparameters import Hyperparameter, check
from tfcourse.layers.batch_norm_checks import check_axis, check_virtual_batch_size
from tfcourse.layers.batch_renorm import add_renorm_weights, check_renorm
from tfcourse.layers.parts import serialize_parts
from tfcourse.types import ConstraintLike, InitializerLike, RegularizerLike, Shape, Tensor, Variable

__all__ = ["BatchNorm"]


@keras.saving.register_keras_serializable(package="tfcourse")
class BatchNorm(keras.layers.Layer):
    """Batch normalization: ``z̃ = γ (z-μ)/√(σ²+ε) + β``, one γ and β per feature.

    In training μ and σ² (divided by m, not m-1) are those of the mini-batch, over every axis but
    ``axis``, and the moving averages follow them: ``v ← momentum·v + (1-momentum)·statistic``.
    At test time, and while ``trainable`` is False, the moving averages replace them, so that one
    example gives the same result alone or in a batch (course 2.8).

    A bias right before it is cancelled by the mean: build that layer with ``use_bias=False``
    (course 2.4). The weights have the names and order of `keras.layers.BatchNormalization`, so
    that ``get_weights`` and ``set_weights`` move between the two.

    When: between a linear layer and its activation, with mini-batches large enough for their
    statistics, whose noise falls as 1/√m (course 2.7). ``bias_correction`` for a training of few
    steps; `tfcourse.recalibrate` afterwards, for exact statistics; `tfcourse.fold_batch_norm` for
    a model that only predicts.

    Input and output have the same shape, of any rank of 2 or more. Under mixed precision the
    statistics are computed and kept in float32.

    Args:
        axis: The features' axis, which keeps its own statistics.
        momentum: β of the moving averages, in [0, 1]; 0.9 spans about ten batches.
        epsilon: ε > 0, added to the variance.
        center: Whether to add β.
        scale: Whether to multiply by γ.
        beta_initializer: Initializer of β.
        gamma_initializer: Initializer of γ.
        moving_mean_initializer: Initializer of the moving mean.
        moving_variance_initializer: Initializer of the moving variance.
        beta_regularizer: Regularizer of β.
        gamma_regularizer: Regularizer of γ.
        beta_constraint: Constraint on β.
        gamma_constraint: Constraint on γ.
        synchronized: Whether replicas under ``tf.distribute`` share their batch statistics.
        bias_correction: Whether the averages exclude their initial values, ``v_t/(1-β^t)``: after
            the first batch they *are* its statistics. Adds a scalar weight,
            ``moving_weight`` = 1-β^t, after the others.
        renorm: Whether to correct each batch in training towards the averages of the batches (batch
            renormalization), for batches that are small or differ from each other. Adds the weights
            ``moving_stddev``, ``renorm_mean`` and ``renorm_stddev``; test time is the same.
        renorm_clipping: With ``renorm``: limits ``"rmin"``, ``"rmax"`` and ``"dmax"`` of the
            correction, see `tfcourse.formulas.normalization.renorm_corrections`; none by default.
        renorm_momentum: With ``renorm``: β of the averages that correct in training, in [0, 1].
        virtual_batch_size: The examples of a virtual batch (ghost batch norm): in training each is
            normalized by its own statistics, whose noise regularizes a large batch as that of
            small ones does (course 2.7). If it does not divide the batch, see
            `tfcourse.formulas.ghost_normalization.virtual_batches`. As in Keras 2 the moving
            averages take one step a batch, by the mean of the statistics, so that ``momentum``
            keeps its meaning; the paper takes one for each virtual batch. Excludes ``renorm`` and
            ``synchronized``.
        **kwargs: ``name``, ``dtype``, ``trainable`` as for every Keras layer.

    Call arguments:
        inputs: The pre-activations z.
        training: Whether to use the batch's statistics and update the moving averages with them.
        mask: Boolean, one rank less than ``inputs``: the positions that count in the statistics.

    Raises:
        ValueError: If a momentum lies outside [0, 1], epsilon is not positive, a limit is not
            admissible, the axis does not exist in the input or its size is unknown, or the input
            is not floating point.

    Source: Ioffe and Szegedy 2015, "Batch Normalization"; Ioffe 2017, "Batch Renormalization";
    Hoffer et al. 2017, "Train longer, generalize better"; course sections 2.3 to 2.8.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.9,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        moving_mean_initializer: InitializerLike = "zeros",
        moving_variance_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike | None = None,
        gamma_regularizer: RegularizerLike | None = None,
        beta_constraint: ConstraintLike | None = None,
        gamma_constraint: ConstraintLike | None = None,
        synchronized: bool = False,
        bias_correction: bool = False,
        renorm: bool = False,
        renorm_clipping: Mapping[str, float] | None = None,
        renorm_momentum: float = 0.99,
        virtual_batch_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        Hyperparameter("momentum", float, 0, 1).check(momentum, "BatchNorm")
        check("epsilon", epsilon, "BatchNorm")
        self.axis = int(axis)
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self.center = center
        self.scale = scale
        self.beta_initializer = keras.initializers.get(beta_initializer)
        self.gamma_initializer = keras.initializers.get(gamma_initializer)
        self.moving_mean_initializer = keras.initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = keras.initializers.get(moving_variance_initializer)
        self.beta_regularizer = keras.regularizers.get(beta_regularizer)
        self.gamma_regularizer = keras.regularizers.get(gamma_regularizer)
        self.beta_constraint = keras.constraints.get(beta_constraint)
        self.gamma_constraint = keras.constraints.get(gamma_constraint)
        self.synchronized = synchronized
        self.bias_correction = bias_correction
        self.renorm = renorm
        self.renorm_momentum = renorm_momentum
        self.renorm_clipping = check_renorm(renorm_clipping, renorm_momentum, renorm)
        self.virtual_batch_size = check_virtual_batch_size(virtual_batch_size, renorm, synchronized)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None
        self.moving_weight: Variable | None = None
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Create γ, β and the moving averages for the features of ``input_shape``."""
        features = check_axis(self.axis, input_shape, self.virtual_batch_size)
        if self.scale:
            self.gamma = self._add_statistic("gamma", features, trainable=True)
        if self.center:
            self.beta = self._add_statistic("beta", features, trainable=True)
        self.moving_mean = self._add_statistic("moving_mean", features)
        self.moving_variance = self._add_statistic("moving_variance", features)
        if self.renorm:
            add_renorm_weights(self, features)
        if self.bias_correction:
            self.moving_weight = self.add_weight(
                shape=(), name="moving_weight", initializer="zeros", trainable=False, autocast=False
            )
        self.input_spec = keras.layers.InputSpec(ndim=len(input_shape), axes={self.axis: features})

    def _add_statistic(self, name: str, features: int, trainable: bool = False) -> Any:
        return self.add_weight(
            shape=(features,),
            name=name,
            initializer=getattr(self, f"{name}_initializer"),
            regularizer=getattr(self, f"{name}_regularizer", None),
            constraint=getattr(self, f"{name}_constraint", None),
            trainable=trainable,
            autocast=False,
        )

    def call(self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None) -> Any:
        """Normalize ``inputs``; see the class docstring."""
        if not tf.as_dtype(inputs.dtype).is_floating:
            raise ValueError(
                "BatchNorm: inputs must be floating point; cast them first. "
                f"Received: dtype {inputs.dtype}."
            )
        z = tf.cast(inputs, tf.float64 if inputs.dtype == tf.float64 else tf.float32)
        gamma = None if self.gamma is None else tf.cast(self.gamma, z.dtype)
        beta = None if self.beta is None else tf.cast(self.beta, z.dtype)
        if training and self.trainable:
            outputs, mean, variance = self._normalize_by_batch(z, gamma, beta, mask)
            self._update_moving_averages(mean, variance)
        else:
            outputs = self._normalize_by_moving_averages(z, gamma, beta)
        return tf.cast(outputs, self.compute_dtype)

    def _normalize_by_batch(
        self, z: Tensor, gamma: Tensor | None, beta: Tensor | None, mask: Tensor | None
    ) -> Any:
        """Return z normalized by the moments of the batch, and the moments."""
        if mask is not None and len(mask.shape) != len(z.shape) - 1:
            raise ValueError(
                "BatchNorm: mask must have one rank less than the inputs. "
                f"Received: mask of shape {mask.shape}, inputs of shape {z.shape}."
            )
        if (size := self.virtual_batch_size) is not None:
            return ghost_normalize(z, size, gamma, beta, self.epsilon, self.axis, mask)
        plain = mask is None and not self.synchronized and not self.renorm
        if plain and use_fused(z, self.axis, training=True):
            return fused_training(z, gamma, beta, self.epsilon)
        mean, variance = batch_moments(z, self.axis, mask, self.synchronized)
        if self.renorm:
            average, stddev = (tf.cast(a, z.dtype) for a in (self.renorm_mean, self.renorm_stddev))
            r, d = renorm_corrections(
                mean, variance, average, stddev, self.epsilon, **self.renorm_clipping
            )
            gamma, beta = renorm_parameters(r, d, gamma, beta)
        return normalize(z, mean, variance, gamma, beta, self.epsilon, self.axis), mean, variance

    def _normalize_by_moving_averages(
        self, z: Tensor, gamma: Tensor | None, beta: Tensor | None
    ) -> Any:
        mean, variance = (tf.cast(a, z.dtype) for a in (self.moving_mean, self.moving_variance))
        if use_fused(z, self.axis, training=False):
            return fused_inference(z, mean, variance, gamma, beta, self.epsilon)
        return normalize_for_inference(z, mean, variance, gamma, beta, self.epsilon, self.axis)

    def _update_moving_averages(self, mean: Tensor, variance: Tensor) -> None:
        rate: Any = 1.0 - self.momentum
        if self.moving_weight is not None:
            # The average of a constant 1 is the weight of the batches so far, 1-β^t.
            weight = update_average(tf.convert_to_tensor(self.moving_weight), 1.0, rate)
            self.moving_weight.assign(weight)
            rate = tf.math.divide_no_nan(rate, weight)
        updates = [(self.moving_mean, mean, rate)]
        if self.renorm:
            stddev, renorm_rate = tf.sqrt(variance + self.epsilon), 1.0 - self.renorm_momentum
            updates += [
                (self.moving_stddev, stddev, rate),
                (self.renorm_mean, mean, renorm_rate),
                (self.renorm_stddev, stddev, renorm_rate),
            ]
        else:
            updates.append((self.moving_variance, variance, rate))
        for average, value, share in updates:
            value = tf.cast(value, average.dtype)
            average.assign(interpolate_average(tf.convert_to_tensor(average), value, share))
        if self.renorm:
            square = tf.square(tf.convert_to_tensor(self.moving_stddev))
            self.moving_variance.assign(tf.nn.relu(square - self.epsilon))

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for saving."""
        plain = ("axis", "momentum", "epsilon", "center", "scale", "synchronized")
        own = ["bias_correction", "renorm", "renorm_clipping", "renorm_momentum"]
        # Not None, so that the hash of a model without is that of a version without.
        own += ["virtual_batch_size"] * (self.virtual_batch_size is not None)
        config = {name: getattr(self, name) for name in (*plain, *own)}
        config |= serialize_parts(self, ("moving_mean", "moving_variance"), ("initializer",))
        return {**super().get_config(), **config, **serialize_parts(self, ("beta", "gamma"))}
