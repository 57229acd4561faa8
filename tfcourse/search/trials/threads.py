"""The number of threads of an operation, on which the order of a convolution's sums depends."""

import contextlib

import tensorflow as tf

__all__ = ["use_threads"]


def use_threads(count: int) -> None:
    """Set the threads of each operation; without effect where TensorFlow has already started."""
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(count)
