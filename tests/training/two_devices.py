"""Trains on one device and on two (logical CPUs); prints what came of each case as JSON.

A program of its own, because a process can split its CPU only before it uses TensorFlow.
"""

import json
import sys
import warnings
from functools import cache

import keras
import numpy as np
import tensorflow as tf

from tfcourse import (
    Adam,
    BatchNorm,
    ManyClassModel,
    Momentum,
    SoftmaxHead,
    evaluate,
    fit,
    predict,
)
from tfcourse.training.programs import replicas

layers = keras.layers
ROWS, FEATURES, CLASSES = 75, 6, 3  # 75 = 4 batches of 16 and one of 11, for 2 replicas 5 and 6
rng = np.random.default_rng(0)
x = rng.normal(size=(ROWS, FEATURES)).astype("float32")
y = (x[:, 0] > 0).astype("int64") + (x[:, 1] > 0.5)
weights = np.linspace(0, 2, ROWS).astype("float32")
words = rng.integers(0, 9, (ROWS, 4))

CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


@cache  # a process can't have two of them on the same devices
def mirrored(devices):
    return tf.distribute.MirroredStrategy([f"CPU:{number}" for number in range(devices)])


def compiled(model, optimizer=None, **kwargs):
    kwargs = {"metrics": ["accuracy"], "weighted_metrics": ["accuracy"], **kwargs}
    loss = kwargs.pop("loss", "sparse_categorical_crossentropy")
    model.compile(Momentum(0.1) if optimizer is None else optimizer(), loss, **kwargs)
    return model


def mlp(optimizer=None, synchronized=True, **kwargs):
    l2 = keras.regularizers.L2(0.01)
    dense = layers.Dense(8, use_bias=False, kernel_regularizer=l2)
    blocks = [dense, BatchNorm(synchronized=synchronized), layers.ReLU(), SoftmaxHead(CLASSES)]
    return compiled(keras.Sequential([keras.Input((FEATURES,)), *blocks]), optimizer, **kwargs)


def unmeasured(optimizer=None, **kwargs):
    return mlp(optimizer, metrics=None, weighted_metrics=None, **kwargs)


def linear(optimizer=None, **kwargs):
    """Two weights and no metrics: for what depends on neither layers nor metrics."""
    kwargs = {"metrics": None, "weighted_metrics": None, **kwargs}
    stack = [keras.Input((FEATURES,)), SoftmaxHead(CLASSES)]
    return compiled(keras.Sequential(stack), optimizer, **kwargs)


def two_inputs_two_outputs():
    a, b = keras.Input((FEATURES,), name="a"), keras.Input((FEATURES,), name="b")
    h = layers.Concatenate()([a, b])
    outputs = {"c": SoftmaxHead(CLASSES, name="c")(h), "r": layers.Dense(1, name="r")(h)}
    losses = {"c": "sparse_categorical_crossentropy", "r": "mse"}
    metrics = {"c": ["accuracy"], "r": ["mae"]}
    optimizer = lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1)  # noqa: E731
    model = keras.Model({"a": a, "b": b}, outputs)
    return compiled(model, optimizer, loss=losses, metrics=metrics, weighted_metrics=None)


def embedding(optimizer=None):
    body = [layers.Embedding(9, 5), layers.Flatten(), SoftmaxHead(CLASSES)]
    model = keras.Sequential([keras.Input((4,), dtype="int32"), *body])
    return compiled(model, optimizer, metrics=None, weighted_metrics=None)


class OwnStep(keras.Model):
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
        whole = loss * tf.distribute.get_replica_context().num_replicas_in_sync
        return {"loss": whole, "both": tf.stack([whole, 2 * whole])}


class OwnMetrics(keras.Model):
    def __init__(self):
        super().__init__()
        self.head = SoftmaxHead(CLASSES)

    def call(self, x):
        return self.head(x)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return {"highest": tf.reduce_mean(tf.reduce_max(y_pred, -1))}


def trained(make, data, strategy=None, inside=False, **kwargs):
    """A model and its history, trained without a strategy or under one."""
    keras.utils.set_random_seed(7)
    options = {"epochs": 3, "verbose": 0, **kwargs}
    if strategy is None:
        model = make()
        return model, fit(model, *data, **options).history
    with strategy.scope():
        model = make()
        if inside:
            return model, fit(model, *data, **options).history
    return model, fit(model, *data, **options).history


def difference(these, those):
    return max(float(np.abs(np.subtract(a, b)).max()) for a, b in zip(these, those, strict=True))


def compare(make=mlp, data=(x, y), devices=2, inside=False, arguments=dict, one=None, **kwargs):
    """The largest differences between one device and two, and whether the replicas agree.

    ``one`` is the model and its history on one device, where they are there already.
    """
    if data and isinstance(data[0], np.ndarray | dict):
        kwargs = {"batch_size": 16, "seed": 3, **kwargs}
    one, history = one or trained(make, data, **kwargs, **arguments())
    strategy = mirrored(devices)
    two, distributed = trained(make, data, strategy, inside, **kwargs, **arguments())
    assert set(history) == set(distributed)
    copies = [strategy.experimental_local_results(w.value) for w in two.trainable_variables]
    return {
        "weights": difference(one.get_weights(), two.get_weights()),
        "slots": difference(*([v.numpy() for v in m.optimizer.variables] for m in (one, two))),
        "history": difference(history.values(), distributed.values()),
        "copies": difference([c[0] for c in copies], [c[-1] for c in copies]),
        "of each": {n: difference([v], [distributed[n]]) for n, v in history.items()},
        "epochs": len(next(iter(history.values()))),
    }


@case
def everything_at_once():
    return compare(data=(x, y), sample_weight=weights, validation_data=(x[:33], y[:33]))


@case
def clipped():
    return compare(lambda: linear(lambda: Adam(0.01, global_clipnorm=0.1)))


@case
def clipped_accumulated_and_averaged():
    options = {"clipnorm": 0.1, "gradient_accumulation_steps": 2, "ema_overwrite_frequency": 3}
    return compare(lambda: linear(lambda: Adam(0.01, use_ema=True, **options)))


@case
def loss_scaled():
    scaled = keras.optimizers.LossScaleOptimizer
    return compare(lambda: linear(lambda: scaled(keras.optimizers.SGD(0.1))))


@case
def loss_scaled_and_clipped():
    scaled = keras.optimizers.LossScaleOptimizer
    return compare(lambda: linear(lambda: scaled(keras.optimizers.SGD(0.1, clipnorm=0.05))))


@case
def several_inputs_and_outputs():
    return compare(two_inputs_two_outputs, ({"a": x, "b": x[:, ::-1]}, {"c": y, "r": x[:, :1]}))


@case
def sparse_gradients():
    return compare(lambda: embedding(lambda: keras.optimizers.Adam(0.01)), (words, y))


@case
def sparse_gradients_clipped():
    return compare(lambda: embedding(lambda: keras.optimizers.SGD(0.1, clipnorm=0.01)), (words, y))


def measured():
    """With metrics, which know the weights of the examples or not."""
    return linear(metrics=["accuracy"], weighted_metrics=["accuracy"])


@case
def dataset():
    whole = whole_batches()
    return compare(measured, (whole,), one=on_one_device(), validation_data=whole)


@case
def dataset_of_known_shapes():
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(15, drop_remainder=True)
    return compare(linear, (batches,))


def whole_batches():
    return tf.data.Dataset.from_tensor_slices((x, y, weights)).batch(16)


@cache
def on_one_device():
    """The reference of the datasets: the model and its history."""
    whole = whole_batches()
    return trained(measured, (whole,), validation_data=whole)


@cache
def measured_on_one_device():
    model, _ = on_one_device()
    return [run(model, whole_batches(), verbose=0) for run in (evaluate, predict)]


def compare_distributed(distribute):
    """One device on whole batches, two on batches that the strategy has split already."""
    strategy = mirrored(2)
    one, history = on_one_device()
    results = measured_on_one_device()
    two, distributed = trained(
        measured, (distribute(strategy),), strategy, validation_data=distribute(strategy)
    )
    assert list(history) == list(distributed)
    assert float(np.ptp(history["loss"])) > 0.01
    found = [run(two, distribute(strategy), verbose=0) for run in (evaluate, predict)]
    assert results[1].shape == found[1].shape == (ROWS, CLASSES)
    return {
        "weights": difference(one.get_weights(), two.get_weights()),
        "slots": difference(*([v.numpy() for v in m.optimizer.variables] for m in (one, two))),
        "copies": 0,
        "of each": {n: difference([v], [distributed[n]]) for n, v in history.items()}
        | {
            "evaluate": difference(results[0], found[0]),
            "predict": difference(results[1], found[1]),
        },
        "epochs": 3,
    }


@case
def distributed_dataset():
    whole = whole_batches()
    return compare_distributed(lambda strategy: strategy.experimental_distribute_dataset(whole))


@case
def distributed_by_a_function():
    def parts(context):
        return tf.data.Dataset.from_tensor_slices((x, y, weights)).batch(8)

    return compare_distributed(lambda strategy: strategy.distribute_datasets_from_function(parts))


@case
def py_dataset():
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 5

        def __getitem__(self, index):
            rows = slice(index * 16, (index + 1) * 16)
            return x[rows], y[rows]

    return compare(linear, arguments=lambda: {"x": Batches(), "shuffle": False}, data=())


@case
def one_replica():
    return compare(devices=1)


@case
def own_train_step():
    make = lambda: compiled(OwnStep(), metrics=None, weighted_metrics=None)  # noqa: E731
    return compare(make, (x[:64], y[:64]))


@case
def many_classes():
    def make():
        body = keras.Sequential([keras.Input((FEATURES,)), layers.Dense(5, activation="tanh")])
        model = ManyClassModel(body, SoftmaxHead(CLASSES))
        model.compile(Momentum(0.1))
        return model

    return compare(make, (x[:64], y[:64]))


@case
def own_metrics():
    return compare(lambda: compiled(OwnMetrics(), metrics=None, weighted_metrics=None),
                   (x[:64], y[:64]))  # fmt: skip


@case
def stops_early_inside_the_scope():
    def arguments():
        stop = keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)
        return {"callbacks": [stop], "epochs": 12, "validation_data": (x, y), "shuffle": False}

    return compare(lambda: linear(lambda: Momentum(10.0)), arguments=arguments, inside=True)


@case
def every_batch_has_its_callback():
    calls = []
    counter = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: calls.append(1))
    trained(linear, (x, y), mirrored(2), batch_size=16, callbacks=[counter])
    return {"calls": len(calls)}


@case
def control_without_synchronized_batch_norm():
    return compare(lambda: unmeasured(synchronized=False))


@case
def control_without_shares():
    parts = replicas._parts
    replicas._parts = lambda *a, **k: [(part, tf.constant(1.0)) for part, _ in parts(*a, **k)]
    try:
        return compare(linear)
    finally:
        replicas._parts = parts


def fails(function):
    """What a training under a strategy raises."""
    try:
        function()
    except Exception as error:
        return {"type": type(error).__name__, "message": str(error)}
    return {"type": None, "message": "trained"}


def fails_on_two(make=linear, data=(x, y), **kwargs):
    return fails(lambda: trained(make, data, mirrored(2), **{"batch_size": 16, **kwargs}))


@case
def error_jit_compile():
    return fails_on_two(jit_compile=True)


@case
def error_run_eagerly():
    return fails_on_two(lambda: linear(run_eagerly=True))


@case
def error_strategy():
    cpu = tf.distribute.experimental.CentralStorageStrategy(["CPU:0", "CPU:1"])
    return fails(lambda: trained(linear, (x, y), cpu))


@case
def error_model_outside():
    model = linear()
    with mirrored(2).scope():
        return fails(lambda: fit(model, x, y))


@case
def error_optimizer_outside():
    optimizer = Momentum(0.1)
    return fails_on_two(lambda: linear(lambda: optimizer))


@case
def error_metric_outside():
    metric = keras.metrics.SparseCategoricalAccuracy()
    return fails_on_two(lambda: linear(metrics=[metric]))


@case
def error_reduction():
    loss = keras.losses.SparseCategoricalCrossentropy(reduction="sum")
    return fails_on_two(lambda: linear(loss=loss))


@case
def error_clipping_inside():
    return fails_on_two(lambda: linear(lambda: Momentum(0.1, clipnorm=1.0)), inside=True)


@case
def error_accumulation_in_own_step():
    optimizer = lambda: Momentum(0.1, gradient_accumulation_steps=2)  # noqa: E731
    make = lambda: compiled(OwnStep(), optimizer, metrics=None, weighted_metrics=None)  # noqa: E731
    return fails_on_two(make)


@case
def error_small_batch():
    return fails_on_two(batch_size=1)


@case
def error_small_last_batch():
    return fails_on_two(batch_size=37)


@case
def error_small_validation_batch():
    return fails_on_two(validation_data=(x, y), validation_batch_size=1)


@case
def error_uneven_batch_of_an_own_step():
    return fails_on_two(lambda: compiled(OwnStep(), metrics=None, weighted_metrics=None))


@case
def error_small_batch_of_a_dataset():
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(37)
    return fails_on_two(data=(batches,), batch_size=None)


@case
def error_small_batch_of_known_shape():
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(1, drop_remainder=True)
    with mirrored(2).scope():
        model = linear()
    step = replicas.distributed_test_step(model, logs=False)
    return fails(lambda: step(next(iter(batches))))


@case
def error_distributed_dataset_of_sparse_tensors():
    batches = tf.data.Dataset.from_tensor_slices((tf.sparse.from_dense(x), y)).batch(16)
    data = (mirrored(2).experimental_distribute_dataset(batches),)
    return fails_on_two(data=data, batch_size=None)


@case
def error_distributed_dataset_without_end():
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(16).repeat()
    data = (mirrored(2).experimental_distribute_dataset(batches),)
    return fails_on_two(data=data, batch_size=None)


@case
def error_loss_not_finite():
    return fails_on_two(lambda: unmeasured(lambda: Momentum(1e38)))


@case
def rollback():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make = lambda: unmeasured(lambda: Momentum(1e38))  # noqa: E731
        found = fails_on_two(make, on_nan="rollback")
    return {**found, "warnings": sum("not finite" in str(w.message) for w in caught)}


@case
def error_second_strategy():  # the last one: other strategies are of no use after it
    trained(linear, (x, y), mirrored(2), batch_size=16)
    another = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    return fails(lambda: trained(embedding, (words, y), another, batch_size=16))


if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    for name in sys.argv[1:] or CASES:
        print(json.dumps({"case": name, **CASES[name]()}), flush=True)
