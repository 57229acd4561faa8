"""How many threads a trial's operations use: convolutions add up in an order that depends on it."""

import contextlib

import tensorflow as tf

__all__ = ["use_threads"]


def use_threads(count: int) -> None:
    """Has each operation use so many; where TensorFlow runs already they are settled."""
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(count)
