"""The descent of the course's toy problem as a compiled program."""

import inspect
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfcourse.formulas import updates
from tfcourse.formulas.averages import bias_correction
from tfcourse.formulas.quadratic import quadratic
from tfcourse.hyperparameters import COURSE_OPTIMIZERS
from tfcourse.types import Tensor, TensorArray, TensorFunction

__all__ = ["SEGMENT", "descend", "descent_program"]

# The most steps of one call: under XLA the length of the history is part of the program.
SEGMENT = 4096


def descend(
    coefficients: tuple[float, float, float],
    start: float,
    optimizer: str,
    learning_rate: float,
    steps: int,
    jit_compile: bool,
) -> npt.NDArray[np.float32]:
    """Return w before the first step of the descent and after each.

    The arguments are those of `tfcourse.minimize_quadratic`.
    """
    program = descent_program(optimizer, jit_compile)
    parts = [np.array([start], np.float32)]
    with tf.device("CPU"):  # the operations are scalar
        w = tf.constant(start, tf.float32)
        state = [tf.constant(0.0)] * _slots(optimizer)
        shared = tf.constant(coefficients, tf.float32), tf.constant(learning_rate, tf.float32)
        one = tf.constant(1.0)
        for first in range(0, steps, SEGMENT):
            stop = min(first + SEGMENT, steps)
            numbers = tf.constant(first), tf.constant(stop)
            w, state, history = program(*shared, w, state, *numbers, one)
            parts.append(history.numpy()[: stop - first])
    return np.concatenate(parts)


@lru_cache(maxsize=16)
def descent_program(optimizer: str, jit_compile: bool) -> TensorFunction:
    """Return the steps ``first`` to ``stop`` - 1 as one compiled loop, at most `SEGMENT`.

    It is a ``tf.function`` of (coefficients, learning_rate, w, state, first, stop, one) that
    returns w, the optimizer's state, and w after each step.

    XLA contracts a product and a sum to one instruction, which rounds once: other digits than
    those of TensorFlow's kernels. So under XLA the products of the gradient and of gradient
    descent's step are multiplied by ``one``, a 1 that the compiler does not know. The instruction
    then has this product, which is exact.
    """
    formula = getattr(updates, optimizer)

    def program(
        coefficients: Tensor,
        learning_rate: Tensor,
        w: Tensor,
        state: list[Tensor],
        first: Tensor,
        stop: Tensor,
        one: Tensor,
    ) -> tuple[Tensor, list[Tensor], Tensor]:
        a, b, c = tf.unstack(coefficients)

        def body(step: Tensor, w: Tensor, state: list[Tensor], history: TensorArray) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(w)
                if jit_compile:
                    # `quadratic`, with a product of its own for each w: the gradient has them too.
                    cost = a * (w * one) ** 2 + b * (w * one) + c
                else:
                    cost = quadratic(w, a, b, c)
            gradient = tape.gradient(cost, w)
            number = tf.cast(step + 1, w.dtype)
            arguments = _hyperparameters(optimizer, learning_rate, number)
            results = formula(gradient, *state, **arguments)
            change, *state = results if state else [results]
            w = w - (change * one if jit_compile else change)
            return step + 1, w, state, history.write(step - first, w)

        length = SEGMENT if jit_compile else stop - first
        history = tf.TensorArray(tf.float32, size=length, element_shape=[])
        loop = [first, w, state, history]
        _, w, state, history = tf.while_loop(lambda step, *_: step < stop, body, loop)
        return w, state, history.stack()

    compiled: TensorFunction = tf.function(program, jit_compile=jit_compile, autograph=False)
    return compiled


def _slots(optimizer: str) -> int:
    """Return the number of values that an optimizer keeps from step to step."""
    return len(inspect.getfullargspec(getattr(updates, optimizer)).args) - 1  # but the gradient


def _hyperparameters(optimizer: str, learning_rate: Tensor, step: Tensor) -> dict[str, Any]:
    """Return the arguments of the optimizer's formula, its decays and ε being the course's."""
    defaults = COURSE_OPTIMIZERS[optimizer].defaults
    arguments: dict[str, Any] = {"learning_rate": learning_rate}
    for name, value in defaults.items():
        if name == "epsilon":
            arguments[name] = value
        elif name != "learning_rate":
            arguments[f"one_minus_{name}"] = 1 - value
    if optimizer == "adam":
        for i in (1, 2):
            # The powers in float32, as in the course's program: its first step is 0.0999993 where
            # exact arithmetic gives 0.1. tfcourse.Adam uses the exact form.
            beta = tf.constant(defaults[f"beta_{i}"])
            arguments[f"correction_{i}"] = bias_correction(beta, step)
    return arguments
