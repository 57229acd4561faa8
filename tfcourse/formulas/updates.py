"""The updates of the course's optimizers, as pure functions (sections 5.9 to 5.12).

Every function takes the gradient, the state and the hyperparameters, and returns
``(step, *state)``: the step to subtract from the weight, and the new state.
Decays are passed as their complements 1-β, which keep their digits in float32 (see
`tfcourse.formulas.averages.update_average`).
All work on tensors of any float dtype, inside ``tf.function``, XLA and ``vectorized_map``.
"""

import tensorflow as tf

from tfcourse.formulas.averages import update_average
from tfcourse.types import Scalar, Tensor

__all__ = ["adam", "gradient_descent", "momentum", "rmsprop"]


def gradient_descent(gradient: Tensor, *, learning_rate: Scalar) -> Tensor:
    """Return the step of ``w ← w - α dw``."""
    return learning_rate * gradient


def momentum(
    gradient: Tensor, velocity: Tensor, *, learning_rate: Scalar, one_minus_momentum: Scalar
) -> tuple[Tensor, Tensor]:
    """Return the step of ``v ← βv + (1-β)dw;  w ← w - αv`` (course 5.9).

    Keras's ``SGD(momentum=β)`` has no (1-β): with a constant α, scaled by 1-β, it takes the
    same steps.
    """
    velocity = update_average(velocity, gradient, one_minus_momentum)
    return learning_rate * velocity, velocity


def rmsprop(
    gradient: Tensor,
    square: Tensor,
    *,
    learning_rate: Scalar,
    one_minus_rho: Scalar,
    epsilon: Scalar,
) -> tuple[Tensor, Tensor]:
    """Return the step of ``s ← βs + (1-β)dw²;  w ← w - α dw/(√s + ε)`` (course 5.10, erratum E6).

    Keras's ``RMSprop`` puts ε inside the root.
    """
    square = update_average(square, gradient * gradient, one_minus_rho)
    return learning_rate * gradient / (tf.sqrt(square) + epsilon), square


def adam(
    gradient: Tensor,
    average: Tensor,
    square: Tensor,
    *,
    learning_rate: Scalar,
    one_minus_beta_1: Scalar,
    one_minus_beta_2: Scalar,
    epsilon: Scalar,
    correction_1: Scalar,
    correction_2: Scalar,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the step of Adam, Algorithm 1 of Kingma and Ba 2015 (course 5.11).

    ``v ← β₁v + (1-β₁)dw;  s ← β₂s + (1-β₂)dw²;
    w ← w - α · (v/(1-β₁ᵗ)) / (√(s/(1-β₂ᵗ)) + ε)``

    ``correction_1`` and ``correction_2`` are 1-β₁ᵗ and 1-β₂ᵗ. Keras's ``Adam`` adds ε to
    the uncorrected root instead, which is the paper's "epsilon hat", ε·√(1-β₂ᵗ) here.
    """
    average = update_average(average, gradient, one_minus_beta_1)
    square = update_average(square, gradient * gradient, one_minus_beta_2)
    direction = (average / correction_1) / (tf.sqrt(square / correction_2) + epsilon)
    return learning_rate * direction, average, square
