"""The ways in which a formula is run: each dtype eagerly or not, and XLA once."""

import pytest
import tensorflow as tf


@pytest.fixture(
    params=[("eager", "float64"), ("function", "float32"), ("jit", "float32")], ids="-".join
)
def way(request):
    """How the function runs, and its dtype; all six pairs find no more than these three."""
    return request.param


@pytest.fixture
def compiled(way):
    """Let a function of tensors run eagerly, as a ``tf.function``, or compiled by XLA."""
    how, _ = way
    if how == "eager":
        return lambda function: function
    return tf.function(jit_compile=how == "jit", autograph=False)


@pytest.fixture
def dtype(way):
    return way[1]
