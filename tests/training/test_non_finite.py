"""What `fit` does about a loss that is NaN or infinite."""

import itertools
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcourse import Adam, GradientDescent, InputError, NonFiniteLossError, fit
from tfcourse.training.non_finite.guard import Guard

ROWS, FEATURES = 75, 6  # 75 = 4 batches of 16 and one of 11
layers = keras.layers


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, FEATURES)).astype("float32")
    return x, x @ rng.normal(size=(FEATURES, 1)).astype("float32")


def linear(rate, *middle, optimizer=None):
    keras.utils.set_random_seed(1)
    stack = [layers.Dense(8, name="first"), *middle, layers.Dense(1, name="last")]
    model = keras.Sequential([keras.Input((FEATURES,)), *stack])
    model.compile(optimizer or keras.optimizers.SGD(rate), "mse")
    return model


def train(model, x, y, **kwargs):
    options = {"batch_size": 16, "epochs": 4, "verbose": 0, "shuffle": False, **kwargs}
    return fit(model, x, y, **options)


def state(model):
    return [v.numpy() for v in [*model.weights, *model.optimizer.variables]]


def first_step_with_nan(x, y, rate):
    """The number of the first step whose loss is not finite, and the weights before it: Keras."""
    model, step = linear(rate), 0
    while True:
        before = state(model)
        rows = slice(16 * (step % 5), 16 * (step % 5) + 16)
        if not np.isfinite(model.train_on_batch(x[rows], y[rows])):
            return step, before
        step += 1


class Batches(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return 5

    def __getitem__(self, index):
        rows = slice(16 * index, 16 * index + 16)
        return self.x[rows], self.y[rows]


def generated(x, y):
    batches = Batches(x, y)
    while True:
        yield from (batches[index] for index in range(5))


# The data as arguments of fit: what a stream gives is the same in each epoch.
FORMS = {
    "arrays": lambda x, y: {"x": x, "y": y, "batch_size": 16},
    "dataset": lambda x, y: {"x": tf.data.Dataset.from_tensor_slices((x, y)).batch(16)},
    "generator": lambda x, y: {"x": generated(x, y), "steps_per_epoch": 5},
    "PyDataset": lambda x, y: {"x": Batches(x, y)},
}


def train_on(form, model, data, **kwargs):
    return fit(
        model, **FORMS[form](*data), **{"epochs": 4, "verbose": 0, "shuffle": False} | kwargs
    )


@pytest.mark.parametrize(
    ("form", "rate", "jit_compile"),
    [
        *itertools.product(("arrays", "dataset"), (3.0, 1e6), (False,)),
        ("arrays", 3.0, True),
        ("dataset", 3.0, True),
        ("generator", 3.0, False),
        ("PyDataset", 3.0, False),
    ],
)
def test_it_stops_before_the_batch_and_names_it(form, rate, jit_compile, data):
    step, weights = first_step_with_nan(*data, rate)
    epoch, batch = divmod(step, 5)
    model = linear(rate)
    with pytest.raises(NonFiniteLossError) as caught:
        train_on(form, model, data, jit_compile=jit_compile)
    error = caught.value
    assert (error.epoch, error.batch) == (epoch, batch)
    assert f"epoch {epoch + 1}, batch {batch + 1}, at learning rate {rate:g}." in str(error)
    assert f"The model has the weights from before batch {batch + 1}." in str(error)
    assert 'Lower the learning rate, or clip the gradients (clipnorm); on_nan="ignore"' in str(
        error
    )
    for ours, theirs in zip(state(model), weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4 if jit_compile else 0)
        assert np.isfinite(ours).all()


@pytest.mark.parametrize("options", [{"run_eagerly": True}, {"steps_per_execution": 2}], ids=str)
def test_a_stream_stops_before_the_batch_however_it_runs(options, data):
    step, weights = first_step_with_nan(*data, 3.0)
    model = linear(3.0)
    model.compile("sgd", "mse", **options)
    model.optimizer.learning_rate = 3.0
    each = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    with pytest.raises(NonFiniteLossError) as caught:
        train_on("dataset", model, data, callbacks=[each])
    assert 5 * caught.value.epoch + caught.value.batch == step
    for ours, theirs in zip(model.get_weights(), weights, strict=False):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


class Seventh(layers.Layer):
    """Gives infinity from its seventh training step on."""

    def build(self, shape):
        self.calls = self.add_weight(
            name="calls", dtype="int32", initializer="zeros", trainable=False
        )

    def call(self, x, training=False):
        if training:
            self.calls.assign_add(1)
        return tf.where(self.calls.value >= 7, np.inf, x)


def test_the_layer_and_the_batch_of_a_stream_are_named(data):
    """Dropout and a count: a step must be repeated from the state in which it was taken."""
    runs = []
    for form in ("arrays", "dataset"):
        model = linear(0.01, layers.Dropout(0.3, seed=1), Seventh(name="bad"))
        with pytest.raises(NonFiniteLossError, match=r'is that of layer "bad"\.') as caught:
            train_on(form, model, data)
        assert (caught.value.epoch, caught.value.batch) == (1, 1)
        runs.append(state(model))
    for ours, theirs in zip(*runs, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_first_layer_is_named(data):
    class Overflow(layers.Layer):
        def call(self, x):
            return x * tf.constant(1e38) * 1e3

    with pytest.raises(NonFiniteLossError, match=r'is that of layer "bad"\.') as caught:
        train(linear(0.1, layers.Dense(4), Overflow(name="bad"), layers.ReLU()), *data)
    assert caught.value.layer == "bad"


def test_the_first_layer_is_named_in_bfloat16(data):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    middle = [layers.Dense(4), layers.Lambda(lambda x: x * 1e38 * 1e3, name="bad"), layers.ReLU()]
    with pytest.raises(NonFiniteLossError, match=r'is that of layer "bad"\.'):
        train(linear(0.1, *middle), *data)


def test_a_layer_inside_a_nested_model_is_named(data):
    inner = keras.Sequential([layers.Dense(4), layers.Lambda(tf.math.log, name="log")])
    with pytest.raises(NonFiniteLossError, match=r'is that of layer "log"\.'):
        train(linear(0.1, inner), *data)


def test_the_layers_are_as_before_after_an_error(data):
    model = linear(1e6)
    with pytest.raises(NonFiniteLossError):
        train(model, *data)
    assert not any("call" in vars(layer) for layer in model.layers)


def test_nan_in_the_data_is_named(data):
    x, y = data[0].copy(), data[1]
    x[40, 2] = np.nan  # in batch 3
    with pytest.raises(NonFiniteLossError, match=r"batch 3, .*x of that batch holds NaN") as caught:
        train(linear(0.01), x, y, check_data=False)
    assert caught.value.layer is None


def test_a_loss_function_is_named(data):
    model = linear(0.01)
    model.compile("sgd", lambda y, p: tf.math.log(-tf.square(p)))
    with pytest.raises(NonFiniteLossError, match="Every layer's output is finite, but the loss"):
        train(model, *data)


class RootOfSquare(layers.Layer):
    """The absolute value, with a gradient of 0/0 at 0."""

    def call(self, x):
        return tf.sqrt(tf.square(x))


def test_weights_that_are_not_finite_stop_it_though_the_loss_is(data):
    """The gradient of the last batch of an epoch is NaN: its loss is not."""
    x, y = data[0].copy(), data[1]
    x[64:] = 0
    own = layers.Dense(4, use_bias=False)
    model = keras.Sequential([keras.Input((FEATURES,)), own, RootOfSquare(), layers.Dense(1)])
    model.compile(GradientDescent(0.01), "mse")
    message = r"epoch 1, batch 5, .*The loss of that batch is finite, but the weights after"
    with pytest.raises(NonFiniteLossError, match=message):
        train(model, x, y, validation_data=(x, y))
    assert int(model.optimizer.iterations) == 4
    assert all(np.isfinite(w).all() for w in model.get_weights())


def recorded(train, *args, **kwargs):
    """What a training gave, and its warnings of losses that are not finite."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", category=UserWarning)
        result = train(*args, **kwargs)
    return result, [str(w.message) for w in caught if w.category is UserWarning]


@pytest.mark.parametrize("form", FORMS)
def test_a_rollback_halves_the_learning_rate_and_goes_on(form, data):
    expected, ours = linear(0.375), linear(3.0)
    history = expected.fit(*data, batch_size=16, epochs=3, verbose=0, shuffle=False)
    result, messages = recorded(train_on, form, ours, data, on_nan="rollback", epochs=3)
    assert [m.partition("Continuing ")[2] for m in messages] == [
        f"from batch 1 with the state from before batch 1 and the learning rate {now} instead of "
        f"{before} ({n} of 3 times)."
        for n, before, now in ((1, 3, 1.5), (2, 1.5, 0.75), (3, 0.75, 0.375))
    ]
    assert result.history == history.history
    for a, b in zip(ours.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_rollback_under_xla_loses_no_batch_of_the_buffer(data):
    data = data[0][:64], data[1][:64]  # four full batches: one shape to compile
    ours = linear(5.0)
    result, messages = recorded(
        train_on, "dataset", ours, data, on_nan="rollback", epochs=1, jit_compile=True
    )
    expected = linear(5.0 / 2 ** len(messages))
    history = expected.fit(*data, batch_size=16, verbose=0, shuffle=False)
    assert messages and int(ours.optimizer.iterations) == 4
    np.testing.assert_allclose(result.history["loss"], history.history["loss"], rtol=1e-4)


def test_what_is_kept_of_a_stream_is_bounded(data, monkeypatch):
    """Room for two batches (whose size isn't known): a copy is taken before each third."""
    monkeypatch.setattr("tfcourse.training.loop.REPLAY_BYTES", 2 * 256 * (FEATURES + 1) * 4)
    kept = []
    add_batches = Guard.add_batches
    monkeypatch.setattr(
        Guard,
        "add_batches",
        lambda guard, result: (
            add_batches(guard, result),
            kept.append(sum(map(len, guard.replay_buffers))),
        ),
    )
    x, y = data[0].copy(), data[1]
    x[64:] = np.nan
    with pytest.raises(NonFiniteLossError, match=r"batch 5, .*x of that batch holds NaN"):
        train_on("dataset", linear(0.01), (x, y))
    assert kept == [2, 2, 1]
    model = linear(3.0)
    _, messages = recorded(train_on, "dataset", model, data, on_nan="rollback", epochs=1)
    assert "Continuing from batch 3 with the state from before batch 3" in messages[0]
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_a_copy_whose_first_loss_is_nan_is_of_no_use(data):
    """With 0.5 the first epoch ends at weights from which no learning rate leads back."""
    model = linear(1.0)
    result, messages = recorded(train, model, *data, on_nan="rollback")
    first, second, third, fourth = result.history["loss"]
    assert first > 1e10 and fourth < third < second < 2
    assert (
        "epoch 2, batch 1. Continuing from batch 1 with the state of 1 copies earlier"
        in messages[1]
    )
    assert float(model.optimizer.learning_rate) == 0.25


def test_three_rollbacks_are_the_most(data):
    with pytest.raises(NonFiniteLossError, match=r"after 3 rollbacks, at learning rate 125\."):
        recorded(train, linear(1000.0), *data, on_nan="rollback")


class OwnStep(keras.Sequential):
    """Reports a loss of its own."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self(x) - y))
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss}


@pytest.mark.parametrize("form", ["arrays", "dataset"])
def test_a_train_step_of_ones_own_is_guarded_by_the_loss_it_reports(form, data):
    model = OwnStep([keras.Input((FEATURES,)), layers.Dense(1)])
    model.compile(GradientDescent(1e9))
    message = "batch 4, .*Every layer's output is finite on that batch"
    with pytest.raises(NonFiniteLossError, match=message):
        train_on(form, model, data)
    assert int(model.optimizer.iterations) == 3


def test_ignore_goes_on_as_keras_does(data):
    theirs, ours = linear(3.0), linear(3.0)
    options = {"batch_size": 16, "epochs": 2, "verbose": 0, "shuffle": False}
    expected = theirs.fit(*data, **options).history["loss"]
    np.testing.assert_array_equal(
        train(ours, *data, epochs=2, on_nan="ignore").history["loss"], expected
    )
    assert np.isnan(expected).all()


def test_loss_scaling_skips_what_overflows_and_trains_on(data):
    """An infinite gradient in float16 is no failure: the scale is lowered."""
    keras.mixed_precision.set_global_policy("mixed_float16")
    model = linear(
        0.01, optimizer=keras.optimizers.LossScaleOptimizer(Adam(0.01), initial_scale=2.0**30)
    )
    history = train(model, *data)
    assert np.isfinite(history.history["loss"]).all()
    assert float(model.optimizer.dynamic_scale) < 2.0**30


@pytest.mark.parametrize(
    ("on_nan", "rate", "message"),
    [
        (
            "stopp",
            0.1,
            r'on_nan must be one of "stop", "rollback", "ignore"\. .*Did you mean "stop"',
        ),
        (
            "rollback",
            keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.9),
            r"halves the learning rate, which must .* Received: the schedule ExponentialDecay\.",
        ),
    ],
)
def test_wrong_arguments(on_nan, rate, message, data):
    with pytest.raises(InputError, match=message):
        train(linear(rate), *data, on_nan=on_nan)
