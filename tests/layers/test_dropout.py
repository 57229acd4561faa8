import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.parity import compiled, examples
from tfcourse import SoftmaxHead, fit
from tfcourse.layers.dropout import Dropout
from tfcourse.training.programs.model_programs import train_program


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "mixed_bfloat16"])
@pytest.mark.parametrize("noise_shape", [None, (None, 1, 5)])
@pytest.mark.parametrize(
    ("rate", "graph"), [(0.1, False), (0.35, False), (0.9, False), (0.35, True)]
)
def test_it_gives_what_keras_does_to_the_last_bit(dtype, rate, noise_shape, graph):
    x = np.random.default_rng(0).normal(size=(16, 9, 5)).astype("float32")
    found = []
    for kind in (Dropout, keras.layers.Dropout):
        layer = kind(rate, noise_shape, seed=3, dtype=dtype)
        call = tf.function(layer) if graph else layer
        found.append([call(x, training=True) for _ in range(2)])
        assert np.array_equal(layer(x), tf.cast(x, layer.compute_dtype))
    for ours, theirs in zip(*found, strict=True):
        assert ours.dtype == theirs.dtype
        assert np.array_equal(tf.cast(ours, "float64"), tf.cast(theirs, "float64"))


def test_the_rate_can_be_set_in_mid_training_and_traces_nothing():
    x, y = examples()
    found, traces = [], []
    for rates in ((0.2, 0.7), (0.7,)):
        keras.utils.set_random_seed(0)
        layer = Dropout(rates[0])
        model = compiled(keras.Sequential([keras.Input((6,)), layer, SoftmaxHead(3)]))
        for rate in rates:
            layer.rate = rate
            # Two trainings of the second rate must be the same from there on.
            keras.utils.set_random_seed(1)
            model.set_weights([np.zeros(w.shape) for w in model.weights])
            layer.seed_generator.state.assign([5, 0])
            model.optimizer.iterations.assign(0)
            for slot in model.optimizer.variables[5:]:
                slot.assign(np.zeros(slot.shape))
            history = fit(model, x, y, epochs=2, verbose=0, seed=0, jit_compile=False).history
        found.append(history)
        program = train_program(model, stream=False, jit_compile=False, guarded=True)
        traces.append(program.traces)
    assert found[0] == found[1]
    assert traces == [1, 0], "the second model uses the trace of the first"


def test_it_is_no_weight_and_is_saved_in_the_config(tmp_path):
    model = keras.Sequential([keras.Input((4,)), Dropout(0.25), keras.layers.Dense(2)])
    model.layers[0].rate = 0.375
    assert len(model.weights) == 2 and model.count_params() == 10
    model.save(tmp_path / "model.keras")
    (layer, _) = keras.models.load_model(tmp_path / "model.keras").layers
    assert type(layer) is Dropout and layer.rate == 0.375
    (layer, _) = keras.models.clone_model(model).layers
    assert layer.rate == 0.375


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5, float("nan"), True, "a", None])
def test_rates_that_are_none(rate):
    with pytest.raises(ValueError, match=r"Dropout: rate must be a number in \(0, 1\)\. Received"):
        Dropout(rate)
    layer = Dropout(0.5)
    with pytest.raises(ValueError, match=r"Dropout: rate must be a number in \(0, 1\)\. Received"):
        layer.rate = rate
    assert layer.rate == 0.5


@pytest.mark.parametrize("noise_shape", [None, (None, 1), (1, 3)])
def test_its_graph_has_a_shape_and_checks_none(noise_shape):
    """An XLA program with EnsureShape before a matrix product took ten times as long."""
    layer = Dropout(0.5, noise_shape=noise_shape)
    graph = tf.function(lambda x: layer(x, training=True)).get_concrete_function(
        tf.TensorSpec((None, 3))
    )
    assert graph.output_shapes.as_list() == [None, 3]
    assert not [op.name for op in graph.graph.get_operations() if op.type == "EnsureShape"]
