"""`fit` against ``model.fit``: the same numbers, whatever the model and the arguments."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcourse import Adam, BatchNorm, InputError, Momentum, SoftmaxHead, fit

layers = keras.layers
ROWS, FEATURES, CLASSES = 75, 6, 3  # 75 = 4 batches of 16 and one of 11


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, FEATURES)).astype("float32")
    return x, (x[:, 0] > 0).astype("int64") + (x[:, 1] > 0.5)


def compiled(model, optimizer=None, **kwargs):
    kwargs = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **kwargs}
    model.compile(Adam(0.01) if optimizer is None else optimizer, **kwargs)
    return model


def mlp(dropout=0.0, **kwargs):
    blocks = [layers.Dense(8, use_bias=False), BatchNorm(), layers.ReLU(), layers.Dropout(dropout)]
    head = SoftmaxHead(CLASSES)
    return compiled(keras.Sequential([keras.Input((FEATURES,)), *blocks, head]), **kwargs)


def two_inputs_two_outputs():
    a, b = keras.Input((FEATURES,), name="a"), keras.Input((FEATURES,), name="b")
    h = layers.Dense(5, activation="tanh")(layers.Concatenate()([a, b]))
    outputs = {"c": SoftmaxHead(CLASSES, name="c")(h), "r": layers.Dense(1, name="r")(h)}
    model = keras.Model({"a": a, "b": b}, outputs)
    losses = {"c": "sparse_categorical_crossentropy", "r": "mse"}
    return compiled(model, loss=losses, metrics={"c": ["accuracy"], "r": ["mae"]})


class OwnStep(keras.Model):
    """A model with its own ``train_step``, which reports its own logs."""

    def __init__(self):
        super().__init__()
        self.head = SoftmaxHead(CLASSES)

    def call(self, x):
        return self.head(x)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x))
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss, "twice": 2 * loss}


def recurrent():
    head = [layers.LSTM(4), SoftmaxHead(CLASSES)]
    return compiled(keras.Sequential([keras.Input((FEATURES,)), layers.Reshape((3, 2)), *head]))


def convolutional():
    body = [layers.Reshape((3, 2, 1)), layers.Conv2D(4, 2), BatchNorm(), layers.Flatten()]
    return compiled(keras.Sequential([keras.Input((FEATURES,)), *body, SoftmaxHead(CLASSES)]))


def regularized():
    l2 = keras.regularizers.L2(0.1)
    body = [layers.Dense(4, kernel_regularizer=l2, activation="relu")]
    return compiled(keras.Sequential([keras.Input((FEATURES,)), *body, SoftmaxHead(CLASSES)]))


MODELS = {
    "batch norm": mlp,
    "dropout": lambda: mlp(dropout=0.4),
    "momentum": lambda: mlp(optimizer=Momentum(0.1)),
    "keras adam": lambda: mlp(optimizer=keras.optimizers.Adam(0.01)),
    "schedule": lambda: mlp(
        optimizer=Momentum(keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.9))
    ),
    "ema": lambda: mlp(optimizer=Adam(0.01, use_ema=True, ema_overwrite_frequency=3)),
    "clipping": lambda: mlp(optimizer=Adam(0.01, global_clipnorm=0.1)),
    "accumulation": lambda: mlp(optimizer=Adam(0.01, gradient_accumulation_steps=2)),
    "weighted metrics": lambda: mlp(weighted_metrics=["accuracy"]),
    "L2": regularized,
    "LSTM": recurrent,
    "convolution": convolutional,
    # Without metrics: Keras itself can't read metrics that the step never updated.
    "own train_step": lambda: compiled(OwnStep(), metrics=None),
}


def both(make, x, y, jit_compile=False, **kwargs):
    """The two models after ``model.fit`` and after `fit`, and their histories."""
    results = []
    for train in (lambda m, *a, **k: m.fit(*a, **k), fit):
        keras.utils.set_random_seed(7)
        model = make()
        own = {} if train is not fit else {"jit_compile": jit_compile}
        options = {"batch_size": 16, "epochs": 3, "verbose": 0, "shuffle": False, **kwargs}
        results.append((model, train(model, x, y, **options, **own)))
    return results


def assert_same(results, tolerance=0.0):
    (theirs, their_history), (ours, our_history) = results
    assert our_history.epoch == their_history.epoch
    assert our_history.history.keys() == their_history.history.keys()
    for name, values in their_history.history.items():
        np.testing.assert_allclose(our_history.history[name], values, atol=tolerance, rtol=0)
    for ours_, theirs_ in (
        (ours.variables, theirs.variables),
        (ours.optimizer.variables, theirs.optimizer.variables),
    ):
        assert len(ours_) == len(theirs_) > 0
        for a, b in zip(ours_, theirs_, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), atol=tolerance, rtol=0)


@pytest.mark.parametrize("name", MODELS)
def test_same_numbers_to_the_last_bit(name, data):
    assert_same(both(MODELS[name], *data, validation_data=data))


def test_same_numbers_with_several_inputs_and_outputs(data):
    x, y = data
    targets = {"c": y, "r": x[:, :1]}
    results = both(two_inputs_two_outputs, {"a": x, "b": x[:, ::-1]}, targets)
    assert_same(results)


def test_same_numbers_under_mixed_precision(data):
    keras.mixed_precision.set_global_policy("mixed_float16")
    assert_same(both(mlp, *data))


@pytest.mark.parametrize(
    "arguments",
    [
        {"sample_weight": np.linspace(0, 2, ROWS)},
        {"class_weight": {0: 0.5, 2: 3.0}},
        {"validation_split": 0.2},
        {"validation_split": 0.2, "validation_batch_size": 7, "validation_freq": 2},
        {"validation_split": 0.2, "validation_freq": [1, 3]},
        {"initial_epoch": 1},
        {"batch_size": None},
        {"batch_size": ROWS},
        {"batch_size": 1000},
        {"batch_size": 25},
    ],
    ids=lambda a: ",".join(f"{k}={v}" for k, v in a.items() if not isinstance(v, np.ndarray)),
)
def test_same_arguments(arguments, data):
    assert_same(both(mlp, *data, **arguments))


def test_metrics_of_several_values(data):
    x, y = data
    make = lambda: mlp(loss="categorical_crossentropy", metrics=[keras.metrics.F1Score()])  # noqa: E731
    results = both(make, x, np.eye(CLASSES, dtype="float32")[y])
    assert_same(results)
    assert np.shape(results[1][1].history["f1_score"]) == (3, CLASSES)


def test_validation_weights(data):
    x, y = data
    validation = (x, y, np.linspace(0, 1, ROWS).astype("float32"))
    make = lambda: mlp(weighted_metrics=["accuracy"])  # noqa: E731
    assert_same(both(make, x, y, validation_data=validation))


# Under XLA sums are taken in another order; dropout draws from another generator, so without it.
@pytest.mark.parametrize("name", ["batch norm", "L2", "own train_step"])
def test_xla_agrees_to_float_tolerance(name, data):
    assert_same(both(MODELS[name], *data, jit_compile=True, validation_data=data), tolerance=2e-5)


def test_early_stopping_restores_the_best_weights(data):
    def stopping(model, train):
        stop = keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)
        return train(model, *data, epochs=12, verbose=0, validation_data=data, shuffle=False,
                     callbacks=[stop])  # fmt: skip

    keras.utils.set_random_seed(1)
    make = lambda: mlp(optimizer=Adam(1.0))  # noqa: E731
    theirs = make()
    ours = keras.models.clone_model(theirs)
    compiled(ours, Adam(1.0))
    ours.set_weights(theirs.get_weights())
    their_history = stopping(theirs, lambda m, *a, **k: m.fit(*a, **k))
    our_history = stopping(ours, fit)
    assert len(our_history.epoch) < 12
    assert_same([(theirs, their_history), (ours, our_history)])


class Recorder(keras.callbacks.Callback):
    """Writes down every hook that is called, and the loss it was given."""

    def __init__(self, batches):
        super().__init__()
        self.calls = []
        hooks = ["train_begin", "train_end", "epoch_begin", "epoch_end", "test_begin", "test_end"]
        on_batches = ["train_batch_begin", "train_batch_end", "test_batch_begin", "test_batch_end"]
        for hook in hooks + (on_batches if batches else []):
            setattr(self, f"on_{hook}", self._recorder(hook))

    def _recorder(self, hook):
        def record(*index, logs=None):
            if index and not isinstance(index[-1], int):
                *index, logs = index
            self.calls.append((hook, *index, None if not logs else round(float(logs["loss"]), 6)))

        return record


@pytest.mark.parametrize("batches", [False, True])
def test_callbacks_see_what_they_see_under_keras(batches, data):
    calls = []
    for train in (lambda m, *a, **k: m.fit(*a, **k), fit):
        keras.utils.set_random_seed(7)
        recorder = Recorder(batches)
        train(mlp(), *data, batch_size=16, epochs=2, verbose=0, shuffle=False,
              validation_data=data, callbacks=[recorder])  # fmt: skip
        calls.append(recorder.calls)
    assert calls[1] == calls[0]
    assert sum(hook == "train_batch_end" for hook, *_ in calls[1]) == (10 if batches else 0)


def test_a_batch_callback_can_stop_the_training(data):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    model = mlp()
    fit(model, *data, batch_size=16, epochs=3, verbose=0, callbacks=[Stop()])
    assert int(model.optimizer.iterations) == 2


def test_learning_rate_scheduler_acts_at_the_next_epoch(data):
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    assert_same(both(mlp, *data, callbacks=[scheduler]))


def test_shuffling_comes_from_seed_and_epoch(data):
    def weights(seed, epochs=2):
        keras.utils.set_random_seed(3)
        model = mlp()
        fit(model, *data, epochs=epochs, verbose=0, seed=seed)
        return np.concatenate([w.ravel() for w in model.get_weights()])

    np.testing.assert_array_equal(weights(5), weights(5))
    assert np.abs(weights(5) - weights(6)).max() > 1e-4

    keras.utils.set_random_seed(3)
    in_two_calls = mlp()
    fit(in_two_calls, *data, epochs=1, verbose=0, seed=5)
    fit(in_two_calls, *data, epochs=2, initial_epoch=1, verbose=0, seed=5)
    flat = np.concatenate([w.ravel() for w in in_two_calls.get_weights()])
    np.testing.assert_array_equal(flat, weights(5))


def test_every_example_is_seen_once_an_epoch(data):
    class Sum(keras.Model):
        def build(self, shape):
            self.seen = self.add_weight(shape=(ROWS,), initializer="zeros", trainable=False)
            self.w = self.add_weight(shape=(1,), name="w")

        def call(self, x):
            self.seen.assign_add(tf.reduce_sum(tf.one_hot(tf.cast(x[:, 0], tf.int32), ROWS), 0))
            return self.w * x

    model = Sum()
    model.compile(Momentum(0.0), "mse")
    rows = np.arange(ROWS, dtype="float32")[:, None]
    fit(model, rows, rows, batch_size=16, epochs=3, verbose=0)
    np.testing.assert_array_equal(model.seen.numpy(), np.full(ROWS, 3))


def programs(model):
    return model._tfcourse_programs.programs


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_second_call_traces_nothing(jit_compile, data):
    model = mlp()
    for _ in range(2):
        fit(model, *data, batch_size=16, verbose=0, validation_data=data, jit_compile=jit_compile)
    # Under XLA the smaller last batch has a program of its own.
    assert {k[0]: p.traces for k, p in programs(model).items() if k != "state"} == (
        {"train": 2, "test": 2} if jit_compile else {"train": 1, "test": 1}
    )
    fit(model, *data, batch_size=20, verbose=0, jit_compile=jit_compile)
    train = next(p for key, p in programs(model).items() if key[0] == "train")
    assert train.traces == (4 if jit_compile else 1), "without XLA the batch size is a tensor"


def test_compiling_again_makes_new_programs(data):
    model = mlp()
    fit(model, *data, verbose=0)
    before = programs(model)
    compiled(model, Momentum(0.5))
    weights = model.get_weights()
    fit(model, *data, verbose=0)
    assert programs(model) is not before
    assert any((a != b).any() for a, b in zip(weights, model.get_weights(), strict=True))


def test_run_eagerly_runs_the_same_step_in_python(data):
    assert_same(both(lambda: mlp(run_eagerly=True), *data), tolerance=1e-6)


def test_a_dataset_gives_the_same_numbers(data):
    dataset = tf.data.Dataset.from_tensor_slices(data).batch(16)
    keras.utils.set_random_seed(7)
    theirs = mlp()
    arguments = {"epochs": 2, "verbose": 0, "shuffle": False, "validation_data": dataset}
    their_history = theirs.fit(dataset, **arguments)
    keras.utils.set_random_seed(7)
    ours = mlp()
    our_history = fit(ours, dataset, **arguments)
    assert_same([(theirs, their_history), (ours, our_history)])


def test_a_saved_model_can_be_trained_on(data, tmp_path):
    model = mlp()
    fit(model, *data, verbose=0, seed=1)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        fit(each, *data, verbose=0, seed=2)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_progress_is_shown_as_keras_shows_it(data, capsys):
    fit(mlp(), *data, batch_size=16, epochs=2, verbose=2)
    shown = capsys.readouterr().out
    assert "Epoch 2/2" in shown and "5/5" in shown and "accuracy" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps_per_epoch": 0}, r"steps_per_epoch must be a whole number >= 1\. Received: 0\."),
        ({"batch_size": 0}, r"batch_size must be a whole number >= 1\. Received: 0\."),
        ({"batch_size": 2.5}, r"batch_size must be a whole number >= 1\. Received: 2\.5\."),
        ({"epochs": 0}, r"epochs must be a whole number >= 1\. Received: 0\."),
        ({"y": np.zeros(3)}, r"same number of examples .* Received: x: 75, y: 3\."),
        ({"x": np.zeros((0, 6)), "y": np.zeros(0)}, r"x holds no examples"),
        ({"validation_split": 1.0}, r"validation_split must lie in \(0, 1\).*Received: 1\.0 of 75"),
        ({"validation_split": 0.999}, r"leave examples on both sides"),
        (
            {"class_weight": {0: 1.0}, "sample_weight": np.ones(ROWS)},
            r"class_weight or sample_weight, not both",
        ),
    ],
)
def test_wrong_arguments(arguments, message, data):
    x, y = data
    with pytest.raises(InputError, match=message):
        fit(mlp(), **{"x": x, "y": y, "verbose": 0, **arguments})


def test_a_model_must_be_compiled(data):
    model = keras.Sequential([keras.Input((FEATURES,)), SoftmaxHead(CLASSES)])
    with pytest.raises(InputError, match=r"fit needs a compiled model\. Call model\.compile"):
        fit(model, *data)
