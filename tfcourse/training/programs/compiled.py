"""The function of a program as TensorFlow runs it."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfcourse.internals.tensorflow import allow_retracing

__all__ = ["compiled"]


def compiled(
    function: Callable[..., Any], jit_compile: bool, run_eagerly: bool
) -> Callable[..., Any]:
    """Return the function as a ``tf.function``, or as it is for ``run_eagerly``."""
    if run_eagerly:
        return function
    # Without XLA, data of a third length is not traced again.
    program: Callable[..., Any] = tf.function(
        function, jit_compile=jit_compile, autograph=False, reduce_retracing=not jit_compile
    )
    # Each model has its own; TensorFlow takes many of them for one that is traced too often.
    allow_retracing(program)
    return program
