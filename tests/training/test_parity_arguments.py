"""`fit` gives ``model.fit``'s numbers to the last bit, whatever it is asked for."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.parity import (
    CLASSES,
    FEATURES,
    ROWS,
    assert_same,
    both,
    both_again,
    compiled,
    examples,
    mlp,
    network,
    small,
    weighted,
)
from tests.training.test_parity_models import IMAGE, SEQUENCE, Penalty
from tfcourse import Adam, BatchNorm, SoftmaxHead

pytestmark = pytest.mark.usefixtures("kept_programs")

layers, regularizers = keras.layers, keras.regularizers


def two_inputs_two_outputs(**kwargs):
    a, b = keras.Input((FEATURES,), name="a"), keras.Input((FEATURES,), name="b")
    h = layers.Dense(5, activation="tanh")(layers.Concatenate()([a, b]))
    outputs = {"c": SoftmaxHead(CLASSES, name="c")(h), "r": layers.Dense(1, name="r")(h)}
    losses = {"c": "sparse_categorical_crossentropy", "r": "mse"}
    metrics = {"c": ["accuracy"], "r": ["mae"]}
    return compiled(
        keras.Model({"a": a, "b": b}, outputs),
        **{"loss": losses, "metrics": metrics, "weighted_metrics": metrics, **kwargs},
    )


def several(x, y):
    return {"a": x, "b": x[:, ::-1]}, {"c": y, "r": x[:, :1]}


WEIGHTS = np.linspace(0, 2, ROWS, dtype="float32")


@pytest.mark.parametrize(
    "weights", [WEIGHTS, {"c": WEIGHTS, "r": WEIGHTS[::-1]}], ids=["one", "each"]
)
def test_several_inputs_and_outputs(weights):
    data = several(*examples())
    make = lambda: two_inputs_two_outputs(loss_weights={"c": 0.3, "r": 2.0})  # noqa: E731
    assert_same(both(make, data, sample_weight=weights, validation_data=data))


def test_lists_of_inputs_and_outputs():
    def make():
        inputs = [keras.Input((FEATURES,)), keras.Input((2,))]
        h = layers.Concatenate()(inputs)
        return compiled(
            keras.Model(inputs, [layers.Dense(1, name="p")(h), layers.Dense(2, name="q")(h)]),
            loss=["mse", "mae"],
            metrics=[["mae"], ["mse"]],
        )

    x, _ = examples()
    data = [x, x[:, :2]], [x[:, :1], x[:, 2:4]]
    assert_same(both(make, data, validation_data=data))


class Positives(keras.metrics.Metric):
    """A metric of one's own, with state."""

    def __init__(self):
        super().__init__(name="positives")
        self.total = self.add_weight(shape=(), initializer="zeros", name="total")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign_add(tf.reduce_sum(tf.cast(y_pred[:, 1] > 0.4, tf.float32)))

    def result(self):
        return self.total + 0.0  # not the variable itself: Keras reads that after a validation


def distance(y_true, y_pred):
    return tf.reduce_mean(tf.abs(y_true - y_pred), -1)


def one_hot_metrics():
    metrics = keras.metrics
    return [
        "accuracy",
        distance,
        Positives(),
        metrics.AUC(name="auc"),
        metrics.TopKCategoricalAccuracy(2, name="top"),
        metrics.Precision(0.4, name="precision"),
        metrics.F1Score(name="f1"),
    ]


def test_metrics():
    """With weights in the training, and without in the validation."""

    def make():
        weighted = [keras.metrics.AUC(name="weighted_auc"), "categorical_accuracy"]
        return small(
            loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
            metrics=one_hot_metrics(),
            weighted_metrics=weighted,
        )

    x, y = examples()
    y = np.eye(CLASSES, dtype="float32")[y]
    runs = both(make, (x, y), sample_weight=WEIGHTS, validation_data=(x, y))
    assert_same(runs)
    assert np.shape(runs[1].history.history["f1"]) == (2, CLASSES), "a value per class"


ARGUMENTS = {
    "sample weights": {"sample_weight": WEIGHTS},
    "class weights": {"class_weight": {0: 0.5, 2: 3.0}},
    "validation_split": {"validation_split": 0.2},
    "validation_batch_size": {"validation_split": 0.2, "validation_batch_size": 7},
    "validation_freq": {"validation_split": 0.2, "validation_freq": 2, "epochs": 3},
    "validation_freq as a list": {"validation_split": 0.2, "validation_freq": [1, 3], "epochs": 3},
    "validation weights": {"validation_data": (*examples(), WEIGHTS)},
    "initial_epoch": {"initial_epoch": 1},
    "no epochs": {"epochs": 0},
    "default batch size": {"batch_size": None},
    "one example a batch": {"batch_size": 1, "epochs": 1},
    "all in one batch": {"batch_size": ROWS},
    "more than all in one batch": {"batch_size": 1000},
    "no partial batch": {"batch_size": 25},
    "one example left": {"batch_size": 37},
}


def test_the_comparison_sees_the_last_bit():
    """A positive control of all of these tests."""
    runs = both_again(small, examples())
    assert_same(runs)
    weight = runs[1].model.trainable_weights[0]
    weight.assign(np.nextafter(weight.numpy(), np.float32(9)))
    with pytest.raises(AssertionError, match="kernel"):
        assert_same(runs)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_same_arguments(name):
    assert_same(both_again(weighted, examples(), **ARGUMENTS[name]))


def test_the_limits_of_keras_config():
    """Of the epochs, and of the steps of a training and of a validation."""
    keras.config.set_max_epochs(2)
    keras.config.set_max_steps_per_epoch(2)
    try:
        with pytest.warns(UserWarning, match="Limiting") as warned:
            runs = both_again(small, examples(), validation_data=examples(), epochs=3)
    finally:
        keras.config.set_max_epochs(None)
        keras.config.set_max_steps_per_epoch(None)
    assert_same(runs)
    assert runs[1].history.epoch == [0, 1] and int(runs[1].model.optimizer.iterations) == 4
    said = [str(warning.message) for warning in warned]
    assert said.count("Limiting epochs to 2") == 2, "Keras's warning and ours"
    assert said.count("Limiting steps_per_epoch to 2") > 2


def test_weights_of_time_steps():
    def make():
        losses = {"loss": "mse", "metrics": None, "weighted_metrics": ["mae"]}
        return network(SEQUENCE, layers.Dense(4), head=layers.Dense(1), **losses)

    x, _ = examples()
    weights = np.linspace(0, 1, ROWS * 3, dtype="float32").reshape(ROWS, 3)
    assert_same(both(make, (x, x[:, :3, None]), sample_weight=weights))


def test_mixed_precision():
    """That of float16 is in the next test, with its loss scale."""
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    assert_same(both(lambda: mlp(dropout=0.2), examples()))


def test_the_loss_scale_falls_after_an_overflow_and_grows_again():
    keras.mixed_precision.set_global_policy("mixed_float16")

    def make():
        optimizer = keras.optimizers.LossScaleOptimizer(
            Adam(0.01), initial_scale=2.0**30, dynamic_growth_steps=3
        )
        return mlp(dropout=0.2, optimizer=optimizer)

    runs = both(make, examples(), epochs=8)
    assert_same(runs)
    assert 0 < int(runs[1].model.optimizer.inner_optimizer.iterations) < 8 * 5


def test_steps_per_execution():
    make = lambda: mlp(dropout=0.2, steps_per_execution=3)  # noqa: E731
    assert_same(both(make, examples()))


def test_an_epoch_has_steps_per_epoch_steps_where_keras_takes_whole_executions():
    make = lambda: small(steps_per_execution=2)  # noqa: E731
    runs = both(make, examples(), steps_per_epoch=3, epochs=1)
    assert [int(run.model.optimizer.iterations) for run in runs] == [4, 3]


def test_running_eagerly():
    # Eager operations round as those of a graph do, except where the graph optimizer fuses them.
    make = lambda: mlp(dropout=0.2, run_eagerly=True)  # noqa: E731
    assert_same(both(make, examples(), epochs=1))


def test_all_at_once():
    """Within 1e-6: TensorFlow's graph optimizer may take sums of a larger program in another order.

    Where this was written it did not: the difference was 0.
    """
    keras.mixed_precision.set_global_policy("mixed_float16")

    def make():
        return network(
            IMAGE,
            layers.Conv2D(4, 2, kernel_regularizer=regularizers.L2(0.01)),
            BatchNorm(),
            layers.Dropout(0.3),
            layers.Flatten(),
            Penalty(),
            layers.Dense(4, kernel_constraint="max_norm", kernel_regularizer=regularizers.L1(0.01)),
            optimizer=keras.optimizers.AdamW(
                keras.optimizers.schedules.CosineDecay(0.1, 8),
                use_ema=True,
                global_clipnorm=0.5,
                gradient_accumulation_steps=2,
            ),
            loss="categorical_crossentropy",
            metrics=None,
            weighted_metrics=["accuracy"],
        )

    x, y = examples()
    data = (x, np.eye(CLASSES, dtype="float32")[y], WEIGHTS)
    arguments = {"sample_weight": WEIGHTS, "epochs": 3}
    assert_same(both(make, data[:2], validation_data=data, **arguments), tolerance=1e-6)
