"""Calibrated models: every kind of output, saved and loaded with Keras alone."""

import re

import keras
import matplotlib
import numpy as np
import pytest
from scipy.special import expit, logsumexp, softmax

import tfcourse
from tfcourse import BatchNorm, InputError, SoftmaxHead
from tfcourse.formulas.calibration import best_temperature, two_class_logits
from tfcourse.internals.layers import flatten_layers

layers = keras.layers
CLASSES = 3


SURE = 4.0  # The models of these tests are by so much too sure.


@pytest.fixture
def x(rng):
    return rng.normal(size=(1000, 4)).astype("float32")


def labels_of(z):
    """Labels that are drawn with the probabilities of z at the temperature `SURE`."""
    draws = np.random.default_rng(5).random((len(z), 1))
    return (softmax(z / SURE, -1).cumsum(-1) > draws).argmax(-1)


def heads():
    """Ends of a classifier of 3 classes, by name."""
    return {
        "SoftmaxHead": [SoftmaxHead(CLASSES)],
        "Dense softmax": [layers.Dense(CLASSES, "softmax")],
        "Activation": [layers.Dense(CLASSES), layers.Activation("softmax")],
        "Softmax": [layers.Dense(CLASSES), layers.Softmax()],
        "reshaped": [layers.Dense(CLASSES, "softmax"), layers.Reshape((CLASSES,))],
        "logits": [layers.Dense(CLASSES)],
        "SoftmaxHead of logits": [SoftmaxHead(CLASSES, logits=True)],
        "nested": [keras.Sequential([layers.Dense(5), SoftmaxHead(CLASSES)])],
    }


def over_sure(head, factor=12.0):
    """An untrained model with batch norm whose last weights are large."""
    keras.utils.set_random_seed(1)
    hidden = [layers.Dense(8, use_bias=False), BatchNorm(), layers.ReLU()]
    model = keras.Sequential([keras.Input((4,)), *hidden, *head])
    model(np.random.default_rng(1).normal(size=(64, 4)), training=True)
    kernels = [w for w in model.weights if w.name == "kernel"]
    kernels[-1].assign(kernels[-1] * factor)
    return model


def logits_of(model, x):
    """z up to a constant in each row, in float64 from the weights of the last layer."""
    outputs = model.predict(x, verbose=0).astype(float)
    is_probability = np.allclose(outputs.sum(-1), 1, atol=1e-3)
    return np.log(np.maximum(outputs, 1e-38)) if is_probability else outputs


@pytest.mark.parametrize("name", heads())
def test_every_head(name, x, tmp_path):
    model = over_sure(heads()[name])
    before = [w.copy() for w in model.get_weights()]
    z = logits_of(model, x)
    y = labels_of(z)
    calibration = tfcourse.calibrate(model, x, y)
    assert calibration.temperature == pytest.approx(SURE, rel=0.15)
    assert calibration.logits.is_exact and calibration.notes == ()
    probabilities, z_at_t = calibration.apply(x), z / calibration.temperature
    np.testing.assert_allclose(probabilities, softmax(z_at_t, -1), rtol=1e-3, atol=1e-5)
    loss = (logsumexp(z_at_t, -1) - z_at_t[np.arange(len(y)), y]).mean()
    assert calibration.after.loss == pytest.approx(loss, rel=1e-4)
    assert calibration.after.loss < calibration.before.loss
    assert calibration.after.error < 0.06 < calibration.before.error
    assert calibration.after.accuracy == calibration.before.accuracy
    np.testing.assert_array_equal(probabilities.argmax(-1), z.argmax(-1))
    # The model is as it was, and the copy is Keras's alone.
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    path = tmp_path / "calibrated.keras"
    copy = calibration.model()
    copy.save(path)
    np.testing.assert_allclose(
        keras.models.load_model(path).predict(x, verbose=0), probabilities, rtol=1e-6
    )
    assert all(type(layer).__module__.startswith("keras.") for layer in flatten_layers(copy))


def yes_or_no():
    """Ends of a classifier of yes or no, by name."""
    return {
        "Dense": [layers.Dense(1, "sigmoid")],
        "Activation": [layers.Dense(1), layers.Activation("sigmoid")],
        "logits": [layers.Dense(1)],
    }


@pytest.mark.parametrize("name", yes_or_no())
def test_yes_or_no(name, x):
    model = over_sure(yes_or_no()[name], 20.0)
    kernel, bias = last_weights(model)
    features = keras.Model(model.inputs, model.layers[2].output).predict(x, verbose=0)
    z = features.astype(float) @ kernel + bias
    y = labels_of(two_class_logits(z)).astype("float32")
    one, two = (tfcourse.calibrate(model, x, labels) for labels in (y, y[:, None]))
    expected = best_temperature(two_class_logits(z), y.astype(int))
    assert one.temperature == two.temperature == pytest.approx(expected, rel=1e-3)
    assert 3 < expected < 6
    assert one.logits.kind == "sigmoid" and one.logits.is_exact
    np.testing.assert_allclose(one.apply(x), expit(z / one.temperature), rtol=1e-4, atol=1e-6)
    assert one.after.loss < one.before.loss


def last_weights(model):
    kernel = [w for w in model.weights if w.name == "kernel"][-1]
    bias = [w for w in model.weights if w.name == "bias"][-1]
    return kernel.numpy().astype(float), bias.numpy().astype(float)


def test_one_hot_labels_and_sequences(x):
    model = over_sure([SoftmaxHead(CLASSES)])
    y = labels_of(logits_of(model, x))
    one, two = (tfcourse.calibrate(model, x, labels) for labels in (y, np.eye(CLASSES)[y]))
    assert one.temperature == two.temperature
    sequence = keras.Sequential([keras.Input((4, 4)), layers.Dense(CLASSES, "softmax")])
    for labels in (y.reshape(250, 4), np.eye(CLASSES)[y].reshape(250, 4, CLASSES)):
        calibration = tfcourse.calibrate(sequence, x.reshape(250, 4, 4), labels)
        assert calibration.after.bins.sizes.sum() == 1000
        assert calibration.apply(x.reshape(250, 4, 4)).shape == (250, 4, CLASSES)


@keras.saving.register_keras_serializable(package="test_calibration")
class Subclassed(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.head = layers.Dense(CLASSES, "softmax")

    def call(self, x):
        return self.head(x)


def test_a_model_whose_logits_are_not_visible(x, tmp_path):
    model = Subclassed()
    model(x)
    y = labels_of(logits_of(model, x))
    calibration = tfcourse.calibrate(model, x, y)
    assert "The model's logits are not visible" in str(calibration).replace("\n", " ")
    expected = softmax(logits_of(model, x) / calibration.temperature, -1)
    np.testing.assert_allclose(calibration.apply(x), expected, rtol=1e-4)
    calibration.model().save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, rtol=1e-4)


def shared_softmaxes():
    """Models whose last softmax something else needs too, by name."""
    inputs = keras.Input((4,))
    hidden = layers.Dense(CLASSES)(inputs)
    probabilities = layers.Softmax()(hidden)
    penalty = layers.Reshape((CLASSES,))(layers.ActivityRegularization(0.1)(probabilities))
    softmax_layer = layers.Activation("softmax")
    twice = softmax_layer(layers.Dense(CLASSES)(softmax_layer(hidden)))
    flat = layers.Reshape((CLASSES,))(probabilities)
    return {
        "in the middle": keras.Model(inputs, layers.Average()([flat, penalty])),
        "called twice": keras.Model(inputs, twice),
    }


@pytest.mark.parametrize("name", ["in the middle", "called twice"])
def test_a_softmax_that_is_needed_elsewhere(name, x):
    model = shared_softmaxes()[name]
    z = logits_of(model, x)
    calibration = tfcourse.calibrate(model, x, labels_of(z * SURE))
    assert not calibration.logits.is_exact
    expected = softmax(z / calibration.temperature, -1)
    np.testing.assert_allclose(calibration.apply(x), expected, rtol=1e-4)


def test_several_inputs(x):
    inputs = {name: keras.Input((2,), name=name) for name in "ab"}
    joined = layers.Concatenate()([*inputs.values()])
    kernel = keras.initializers.RandomNormal(0, 5, seed=1)
    softmax_layer = layers.Dense(CLASSES, "softmax", kernel_initializer=kernel)
    model = keras.Model(inputs, softmax_layer(joined))
    data = {"a": x[:, :2], "b": x[:, 2:]}
    z = x.astype(float) @ softmax_layer.kernel.numpy()
    calibration = tfcourse.calibrate(model, data, labels_of(z))
    assert calibration.temperature == pytest.approx(SURE, rel=0.15)
    expected = softmax(z / calibration.temperature, -1)
    np.testing.assert_allclose(calibration.apply(data), expected, rtol=1e-3, atol=1e-6)
    listed = keras.Model([*inputs.values()], model.output)
    one = tfcourse.calibrate(listed, [*data.values()], labels_of(z))
    assert one.temperature == pytest.approx(calibration.temperature)


def test_mixed_precision_and_float64(x):
    for policy, tolerance in (("mixed_float16", 2e-2), ("float64", 1e-9)):
        keras.config.set_dtype_policy(policy)
        model = over_sure([SoftmaxHead(CLASSES)])
        z = logits_of(model, x)
        calibration = tfcourse.calibrate(model, x, labels_of(z))
        np.testing.assert_allclose(
            calibration.apply(x), softmax(z / calibration.temperature, -1), atol=tolerance
        )
    assert calibration.apply(x).dtype == "float64"


def test_what_limits_it(x):
    model = over_sure([layers.Dense(CLASSES)])
    z = logits_of(model, x)
    perfect = tfcourse.calibrate(model, x, z.argmax(-1))
    assert perfect.temperature == 0.01 and "T is at its least, 0.01" in perfect.notes[0]
    wrong = tfcourse.calibrate(model, x, z.argmin(-1))
    assert wrong.temperature == 100 and "T is at its largest, 100" in wrong.notes[0]
    y = labels_of(z)
    two = tfcourse.calibrate(model, x[y < 2], y[y < 2])
    assert two.notes == ("No example of these classes is among them: 2.",)
    assert np.isfinite(two.apply(x)).all()


def test_the_same_measures_on_other_data(x):
    model = over_sure([SoftmaxHead(CLASSES)])
    y = labels_of(logits_of(model, x))
    calibration = tfcourse.calibrate(model, x[:500], y[:500], bins=10)
    same = calibration.measure(x[:500], y[:500])
    assert same.error == calibration.after.error
    assert calibration.measure(x[500:], y[500:]).error < calibration.before.error
    assert len(same.bins.sizes) == 10
    text = str(calibration)
    assert "calibration error" in text and "calibrated" in text


def test_the_picture(x, tmp_path):
    model = over_sure([SoftmaxHead(CLASSES)])
    calibration = tfcourse.calibrate(model, x, labels_of(logits_of(model, x)))
    calibration.plot(tmp_path / "reliability.png")
    image = matplotlib.image.imread(tmp_path / "reliability.png")
    assert image.shape[0] > 400 and len(np.unique(image.reshape(-1, 4), axis=0)) > 20
    with pytest.raises(InputError, match=r"must be a \.png, \.svg or \.pdf file"):
        calibration.plot(tmp_path / "reliability.txt")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"y": np.zeros(3)}, "y must have the shape (4,) or one-hot (4, 3), as x and"),
        ({"y": np.array([0, 1, 2, 3])}, "y must be class numbers in 0 … 2. Received: 0, 1, 2, 3."),
        ({"y": np.array([0, 1, 2, -1])}, "Received: -1, 0, 1, 2."),
        ({"y": np.array([0, 1, 2, 0.5])}, "Received: 0.0, 0.5, 1.0, 2.0."),
        ({"y": np.array(list("abca"))}, "Received: a, b, c."),
        ({"y": np.full((4, 3), 1 / 3)}, "must be one-hot"),
        ({"y": np.eye(4)[:, :3]}, "y of shape (4, 3) must be one-hot"),
        ({"x": np.full((4, 4), np.nan)}, "outputs must be finite"),
        ({"x": np.zeros((0, 4))}, "x must hold at least one example"),
        ({"bins": 0}, "bins must be a whole number >= 1. Received: 0."),
        ({"bins": np.inf}, "bins must be a whole number >= 1. Received: inf."),
        ({"bounds": (2, 1)}, "both positive. Received: (2, 1)."),
        ({"head": [layers.Dense(3, "sigmoid")]}, "whose rows do not sum to 1"),
    ],
)
def test_errors(change, said):
    head = change.pop("head", None) or [layers.Dense(3, "softmax")]
    model = keras.Sequential([keras.Input((4,)), *head])
    arguments = {"x": np.ones((4, 4)), "y": np.array([0, 1, 2, 0]), **change}
    with pytest.raises(InputError, match=re.escape(said)):
        tfcourse.calibrate(model, **arguments)


def test_two_outputs():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, [layers.Dense(2)(inputs), layers.Dense(2)(inputs)])
    with pytest.raises(InputError, match=r"must have one output\. Received: 2 outputs"):
        tfcourse.calibrate(model, np.ones((3, 4)), np.zeros(3))
