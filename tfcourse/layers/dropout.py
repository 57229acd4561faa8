"""Dropout whose rate is a variable, so that compiled programs serve every rate."""

from typing import Any

import keras
import tensorflow as tf

from tfcourse.errors import shown
from tfcourse.formulas.dropout import inverted_dropout
from tfcourse.hyperparameters import HYPERPARAMETERS
from tfcourse.types import Shape, Tensor, Variable

__all__ = ["Dropout"]


@keras.saving.register_keras_serializable(package="tfcourse")
class Dropout(keras.layers.Dropout):
    """Inverted dropout: in training a unit is 0 with probability ``rate``, else ``a / (1-rate)``.

    The numbers are those of ``keras.layers.Dropout``, to the last bit. The rate can be set in the
    middle of a training and takes effect at the next step: ``layer.rate = 0.2``. It is no weight
    of the layer, and is saved in its config.

    Args:
        rate: 0 < rate < 1, the share of the units that are dropped: the course's 1 - keep_prob.
        noise_shape: As for ``keras.layers.Dropout``.
        seed: As for ``keras.layers.Dropout``.
        **kwargs: ``name``, ``dtype`` as for every Keras layer.

    Call arguments:
        inputs: Activations of any shape.
        training: Whether to drop units.

    Raises:
        ValueError: The rate is not in (0, 1).

    Source: Srivastava et al. 2014, "Dropout"; course section 1 of the second course's first week.
    """

    def __init__(
        self, rate: float, noise_shape: Shape | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        _check(rate)  # before Keras compares it with numbers
        with tf.init_scope():
            # In another object, so that Keras does not count it among the weights.
            self._rate_reference = _Reference(tf.Variable(0.5, trainable=False, dtype=tf.float64))
        super().__init__(rate, noise_shape, seed, **kwargs)

    @property
    def rate(self) -> float:
        """The current rate."""
        return float(self.rate_variable.numpy())

    @rate.setter
    def rate(self, value: float) -> None:
        _check(value)
        self.rate_variable.assign(value)

    @property
    def rate_variable(self) -> Any:
        """The variable of the rate, in double."""
        return self._rate_reference.variable

    def use_rate_variable(self, variable: Variable) -> None:
        """Use another variable for the rate from now on."""
        self._rate_reference.variable = variable

    def call(self, inputs: Tensor, training: bool = False) -> Any:
        """Drop units in training; see the class docstring."""
        if not training:
            return inputs
        inputs = tf.convert_to_tensor(inputs)
        shape = tf.shape(inputs)
        if self.noise_shape is not None:
            shape = [shape[i] if n is None else n for i, n in enumerate(self.noise_shape)]
        uniform = keras.random.uniform(shape, dtype=inputs.dtype.name, seed=self.seed_generator)
        return inverted_dropout(inputs, uniform, tf.convert_to_tensor(self.rate_variable))


def _check(rate: float) -> None:
    if not (HYPERPARAMETERS["dropout"].admits(rate) and rate):
        raise ValueError(f"Dropout: rate must be a number in (0, 1). Received: {shown(rate)}.")


class _Reference:
    """A reference to a variable that Keras does not track."""

    def __init__(self, variable: Variable) -> None:
        self.variable = variable
