"""What `save_model` writes loads in plain Keras, and in tfcourse as it was."""

import json
import operator
import zipfile

import keras
import numpy as np
import pytest

from tests import processes
from tfcourse import Adam, BatchNorm, ManyClassModel, Momentum, RMSprop, SoftmaxHead, load_model
from tfcourse.data.scaling import fit_scaling
from tfcourse.losses import SmoothedCrossentropy
from tfcourse.models import mlp
from tfcourse.models.saving import save_model
from tfcourse.search.trials.normalized import with_scaling

L = keras.layers
K = keras.optimizers
RNG = np.random.default_rng(0)
X, Y = RNG.normal(3, 2, size=(96, 16)).astype("float32"), np.arange(96) % 3
LOSS = "sparse_categorical_crossentropy"


def images():
    convolution = [L.Reshape((4, 4, 1)), L.Conv2D(4, 3, use_bias=False)]
    norm = BatchNorm(bias_correction=True)
    return keras.Sequential([keras.Input((16,)), *convolution, norm, L.Flatten(), SoftmaxHead(3)])


def inside():
    block = keras.Sequential([keras.Input((4,)), BatchNorm(), L.Dense(2)])
    layers = [L.Reshape((4, 4)), L.TimeDistributed(block), L.Flatten(), SoftmaxHead(3)]
    return keras.Sequential([keras.Input((16,)), *layers])


def functional():
    a = keras.Input((16,))
    shared = BatchNorm()
    z = L.Add()([shared(a), shared(L.Dense(16, use_bias=False)(a))])
    return keras.Model(a, SoftmaxHead(3)(z))


def half():
    policy = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
    layers = [L.Dense(8, dtype=policy), BatchNorm(dtype=policy), SoftmaxHead(3, dtype=policy)]
    return keras.Sequential([keras.Input((16,)), *layers])


@keras.saving.register_keras_serializable("test")
class Plain(keras.Model):
    """A subclassed model of Keras's layers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = L.Dense(3, "softmax", name="dense")

    def call(self, x):
        return self.dense(x)


MODELS = {
    "mlp": (lambda: mlp((16,), 3, dropout=0.3), lambda: Adam(0.01)),
    "images": (images, lambda: Momentum(0.1)),
    "inside": (inside, lambda: RMSprop(0.01)),
    "functional": (functional, lambda: K.Adam(0.01)),
    "half": (half, lambda: K.LossScaleOptimizer(Adam(0.01))),
    "scheduled": (functional, lambda: Momentum(K.schedules.ExponentialDecay(0.1, 9, 0.5))),
    "no layer of ours": (
        lambda: keras.Sequential([keras.Input((16,)), L.Dense(3, "softmax")]),
        lambda: Adam(0.01),
    ),
    "subclassed": (Plain, lambda: Adam(0.01)),
}
NOT_COMPILED = {"scheduled"}


@pytest.mark.parametrize("optimizer", [Adam, K.Adam])
def test_a_loss_that_keras_does_not_have_is_left_out_of_the_plain_model(tmp_path, optimizer):
    """Keras's sparse cross-entropy has no label smoothing."""
    model = keras.Sequential([keras.Input((16,)), L.Dense(3, "softmax")])
    model.compile(optimizer(0.01), SmoothedCrossentropy(LOSS, 0.1), run_eagerly=True)
    model.fit(X, Y, verbose=0)
    save_model(model, tmp_path / "model.keras")
    assert model.compiled
    plain, own = (load(tmp_path / "model.keras") for load in (keras.saving.load_model, load_model))
    assert not plain.compiled
    np.testing.assert_array_equal(plain.predict(X, verbose=0), own.predict(X, verbose=0))
    assert own.loss.label_smoothing == 0.1
    assert own.optimizer.iterations == model.optimizer.iterations


def trained(name, normalized=False):
    build, optimizer = MODELS[name]
    model = build()
    model.compile(optimizer(), LOSS, metrics=["accuracy"], run_eagerly=True)
    for _ in range(3):
        model.train_on_batch(X, Y)
    return with_scaling(model, fit_scaling(X, "standardize"), (16,)) if normalized else model


def assert_equal(one, two):
    assert len(one) == len(two)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def layer_names(model):
    return [(type(layer), layer.name) for layer in model._flatten_layers()]


def test_only_a_model_with_layers_of_ours_is_built_twice(tmp_path, monkeypatch):
    built, build = [], L.Dense.build
    monkeypatch.setattr(
        L.Dense, "build", lambda self, shape: built.append(self) or build(self, shape)
    )
    policy = keras.dtype_policies.DTypePolicy("float32")  # Keras writes that the layers share it
    for last, times in [(L.Dense(3, "softmax", dtype=policy), 1), (SoftmaxHead(3), 2)]:
        stack = [L.Dense(4, dtype=policy), L.Dropout(0.3, dtype=policy), last]
        model = keras.Sequential([keras.Input((16,)), *stack])
        model.compile(Adam(0.01), LOSS, run_eagerly=True)
        model.train_on_batch(X, Y)
        save_model(model, path := tmp_path / "model.keras")
        built.clear()
        loaded = load_model(path)
        assert sum(layer.name == stack[0].name for layer in built) == times
        for kind in ("weights", "optimizer.variables"):
            found, wanted = (operator.attrgetter(kind)(each) for each in (loaded, model))
            assert_equal([v.numpy() for v in found], [v.numpy() for v in wanted])


@pytest.mark.parametrize("name", MODELS)
def test_ours_comes_back_as_it_was(name, tmp_path):
    model = trained(name)
    state = [v.numpy() for v in model.optimizer.variables]
    save_model(model, path := tmp_path / "model.keras")
    assert model.compiled and type(model.optimizer) is type(MODELS[name][1]())
    assert_equal([v.numpy() for v in model.optimizer.variables], state)
    loaded = load_model(path)
    assert layer_names(loaded) == layer_names(model)
    assert_equal(loaded.get_weights(), model.get_weights())
    assert type(loaded.optimizer) is type(model.optimizer)
    assert_equal([v.numpy() for v in loaded.optimizer.variables], state)
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    assert loaded.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    assert not load_model(path, compile=False).compiled


def test_plain_keras_loads_all_of_it(tmp_path):
    """The same to the last bit, but for half precision: our head multiplies in it, Keras's not."""
    expected = {}
    for name in set(MODELS) - {"subclassed"}:  # whose class is known here alone
        for normalized in (False, True) if name == "mlp" else (False,):
            file = f"{name}{' normalized' * normalized}.keras"
            model = trained(name, normalized)
            save_model(model, tmp_path / file)
            results = model.evaluate(X, Y, verbose=0, return_dict=True)
            expected[file] = (np.asarray(model(X)), results)
    np.savez(tmp_path / "data.npz", x=X, y=Y)
    program = """
import json, pathlib, sys, warnings, numpy
sys.modules["tfcourse"] = None  # whoever imports it fails
import keras
warnings.simplefilter("error")
x, y = numpy.load("data.npz").values()
for path in pathlib.Path().glob("*.keras"):
    model = keras.models.load_model(path)
    numpy.save(path.with_suffix(".npy"), model(x))
    found = model.compiled and model.evaluate(x, y, verbose=0, return_dict=True)
    path.with_suffix(".json").write_text(json.dumps(found))
    if model.compiled:
        model.train_on_batch(x, y)
"""
    done = processes.run(["-c", program], cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    for file, (predictions, results) in expected.items():
        found = np.load((tmp_path / file).with_suffix(".npy"))
        np.testing.assert_allclose(found, predictions, rtol=0, atol=0.01 * ("half" in file))
        evaluated = json.loads((tmp_path / file).with_suffix(".json").read_text())
        if file.split(".")[0] in NOT_COMPILED:
            assert evaluated is False
        else:
            assert evaluated == pytest.approx(results, rel=0.1 if "half" in file else 1e-6)


def test_what_cannot_be_exchanged_is_saved_as_it_is(tmp_path):
    body = keras.Sequential([keras.Input((16,)), L.Dense(4), BatchNorm()])
    model = ManyClassModel(body, SoftmaxHead(3))
    model.compile(Adam(0.01))
    model.predict(X, verbose=0)
    model.optimizer.build(model.trainable_variables)
    save_model(model, path := tmp_path / "model.keras")
    assert type(load_model(path)) is ManyClassModel
    assert "ManyClassModel" in config_of(path)


def test_a_model_of_keras_own_parts_is_saved_by_keras(tmp_path):
    model = keras.Sequential([keras.Input((16,)), L.Dense(4), L.BatchNormalization()])
    model.compile("adam", "mse")
    save_model(model, path := tmp_path / "model.keras")
    with zipfile.ZipFile(path) as file:
        assert not any("tfcourse" in name for name in file.namelist())


def config_of(path):
    with zipfile.ZipFile(path) as file:
        return file.read("config.json").decode()
