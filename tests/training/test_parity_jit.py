"""Under XLA the numbers are ``model.fit``'s: to the last bit its own under XLA, else to rounding.

XLA fuses operations and takes sums in another order than TensorFlow's kernels, so a float32
number differs in its last digits: at most 2.4e-7 was measured here, in losses and weights of
about 1. Dropout draws from XLA's generator, other numbers than TensorFlow's, as under
``compile(jit_compile=True)``.
"""

import keras
import pytest

from tests.training.data_forms import X, Y, rows
from tests.training.parity import BATCH, assert_same, both, examples, network
from tests.training.test_parity_models import MODELS, SEQUENCE
from tfcourse import BatchNorm

layers = keras.layers
FLOAT32 = 1e-6  # four times the largest difference measured


def test_to_the_last_bit_as_keras_under_xla():
    def make():
        return network(layers.Dense(4), BatchNorm(), layers.Dropout(0.4), jit_compile=True)

    assert_same(both(make, examples(), jit_compile=True))


@pytest.mark.parametrize("name", ["batch norm", "own train_step, all metrics"])
def test_to_rounding_as_keras_without_xla(name):
    runs = both(MODELS[name], examples(), jit_compile=True, validation_data=examples())
    assert_same(runs, tolerance=FLOAT32)


def test_a_recurrent_model_with_weights_and_steps_per_epoch():
    make = lambda: network(SEQUENCE, layers.LSTM(2))  # noqa: E731
    arguments = {"class_weight": {0: 0.5, 1: 1.5, 2: 3.0}, "steps_per_epoch": 3, "epochs": 4}
    assert_same(both(make, examples(), jit_compile=True, **arguments), tolerance=FLOAT32)


def test_a_dataset():
    assert_same(both(network, lambda: (rows(X, Y),), jit_compile=True), tolerance=FLOAT32)


def test_a_dataset_whose_batches_differ_in_size():
    uneven = lambda: (rows(X[:3], Y[:3]).concatenate(rows(X, Y)),)  # noqa: E731
    assert_same(both(network, uneven, jit_compile=True), tolerance=FLOAT32)


def test_mixed_precision():
    """Activations in float16 round at 5e-4 of their size; 2.6e-6 was measured in the weights."""
    keras.mixed_precision.set_global_policy("mixed_float16")
    make = lambda: network(layers.Dense(4), BatchNorm())  # noqa: E731
    full = [part[: 4 * BATCH] for part in examples()]  # nothing beside the loop to compile
    assert_same(both(make, full, jit_compile=True), tolerance=1e-5)
