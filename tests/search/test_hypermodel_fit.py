"""A ``HyperModel`` whose fit is the user's own, beside keras-tuner and ``model.fit``."""

import keras
import keras_tuner
import numpy as np
import pytest

import tfcourse
from tests.search.test_own_callbacks import same
from tfcourse.errors import InputError, WorkFailedError
from tfcourse.search.data.loading import load_split
from tfcourse.search.engine.hypermodel_fit import history_of_result
from tfcourse.search.space.sampling import trial_seed
from tfcourse.search.trials.building import build_trial

MODELS = """
import keras_tuner
import tensorflow as tf

class Model(keras_tuner.HyperModel):
    def build(self, hp):
        units = hp.Int("units", 4, 16, step=4)
        layers = [keras.Input((4,)), keras.layers.Dense(units), keras.layers.Dense(3, "softmax")]
        model, loss = keras.Sequential(layers), "sparse_categorical_crossentropy"
        model.compile("sgd", loss, metrics=["accuracy"], run_eagerly=True)  # nothing to trace
        return model

class Sizes(Model):
    def fit(self, hp, model, x, y, **kwargs):
        if hp.Boolean("halved"):
            x = x / 2
        assert hp.get("units") == model.layers[0].units
        size = hp.Choice("batch_size", [6, 12])
        return model.fit(x, y, batch_size=size, shuffle=False, **kwargs)

class Short(Model):
    def fit(self, hp, model, x, y, validation_data):
        model.fit(x, y, epochs=1, verbose=0)
        return model.evaluate(*validation_data, return_dict=True, verbose=0)["accuracy"]

class Loop(keras_tuner.HyperModel):  # as keras-tuner's guide to a loop of one's own
    def build(self, hp):
        units = hp.Int("units", 4, 16, step=4)
        return keras.Sequential([keras.Input((4,)), keras.layers.Dense(units),
                                 keras.layers.Dense(3, "softmax")])

    def fit(self, hp, model, x, y, validation_data, callbacks=None, **kwargs):
        batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
        optimizer = keras.optimizers.SGD(hp.Float("rate", 0.01, 0.1, sampling="log"))
        loss = keras.losses.SparseCategoricalCrossentropy()
        mean, losses = keras.metrics.Mean(), []
        for callback in callbacks:
            callback.set_model(model)
        for epoch in range(3):
            for images, labels in batches:
                with tf.GradientTape() as tape:
                    value = loss(labels, model(images, training=True))
                gradients = tape.gradient(value, model.trainable_weights)
                optimizer.apply(gradients, model.trainable_weights)
            mean.update_state(loss(validation_data[1], model(validation_data[0])))
            score = (-1) ** epoch * float(mean.result())
            mean.reset_state()
            for callback in callbacks:
                callback.on_epoch_end(epoch, logs={"odd": score})
            losses.append(abs(score))
        return {"odd": score, "second": losses[1]}

class Own(Model):  # a number that its compiled model does not know
    def fit(self, hp, model, *args, **kwargs):
        return {"mine": min(model.fit(*args, **kwargs).history["val_loss"]), "val_loss": 0.5}

class Nothing(Model):
    def fit(self, hp, model, *args, **kwargs):
        model.fit(*args, **kwargs)
"""


@pytest.fixture
def fits(quick):
    def make(builder, space=None, **tables):
        return quick(MODELS, builder=builder, space=space or {}, **tables)

    return make


def test_it_is_called_as_keras_tuner_calls_it(fits, caplog, tmp_path):
    """What it registers is searched, also where it passes on a batch size of its own."""
    search = fits("Sizes", search={"trials": 2}, training={"epochs": 3})
    assert {*search.config.space} == {"units", "halved", "batch_size"}
    result = search.run(verbose=False)
    assert sum("has a fit of its own" in message for message in caplog.messages) == 1
    split = load_split(search.config)
    for number, record in result.trials.items():
        model = build_trial(search.config, split, record.values, trial_seed(0, number))
        scale = 2 if record.values["halved"] else 1
        expected = model.fit(
            split.train.x / scale,
            split.train.y,
            batch_size=record.values["batch_size"],
            shuffle=False,
            epochs=3,
            verbose=0,
            validation_data=(split.dev.x, split.dev.y),
            validation_batch_size=12,
        )
        assert record.history == expected.history
    best, model = result.best, result.best_model()
    _, accuracy = model.evaluate(split.dev.x, split.dev.y, verbose=0)
    assert accuracy == pytest.approx(best.score)
    again = tfcourse.Search(search.config, tmp_path / "again").run(verbose=False)
    assert same(again) == same(result)


def test_it_ends_where_its_trial_is_pruned_and_may_return_a_number(fits):
    search = fits("Short", search={"trials": 2}, training={"folds": 2})
    result = search.run(verbose=False)
    for record in result.trials.values():
        assert record.history == {"val_accuracy": [pytest.approx(record.score)]}
        assert len(record.scores) == 2
    pruning = {"rule": "median", "parallel": 1, "startup_trials": 1}
    settings = {"trials": 4, "pruning": pruning, "name": "pruned", "objective": "val_loss"}
    result = fits("Sizes", search=settings, training={"epochs": 4}).run(verbose=False)
    lengths = {r.status: len(r.history["loss"]) for r in result.trials.values()}
    assert lengths["completed"] == 4
    assert lengths["pruned"] < 4


def test_the_objective_need_not_be_a_metric_of_a_compiled_model(fits):
    search = {"objective": "mine", "direction": "min", "trials": 1}
    result = fits("Own", search={**search, "limits": {"val_loss": {"max": 1.0}}}).run(verbose=False)
    assert {name: len(values) for name, values in result.best.history.items()} == {
        "mine": 1,
        "val_loss": 1,
    }


def test_a_loop_of_ones_own(fits):
    """Its model has the weights of the best epoch, which the callbacks were told."""
    search = fits("Loop", search={"objective": "odd", "direction": "min", "trials": 2})
    assert {*search.config.space} == {"units", "rate"}
    result = search.run(verbose=False)
    dev = load_split(search.config).dev
    predictions = result.best_model().predict(dev.x, verbose=0)
    losses = -np.log(predictions[np.arange(len(dev.y)), dev.y.astype(int)])
    # The callbacks were told a negative number after the second of three epochs alone.
    assert losses.mean() == pytest.approx(result.best.history["second"][0], rel=1e-5)
    assert result.best.score < result.best.history["second"][0]


def test_what_it_may_return():
    history = keras.callbacks.History()
    history.history = {"loss": [3.0, 1.0, 2.0], "val_loss": [5.0, 4.0, 6.0], "rare": [1.0]}
    rest = ("val_loss", "min", "m:Model")
    whole = {name: history.history[name] for name in ("loss", "val_loss")}
    assert history_of_result(history, *rest) == whole
    assert history_of_result(np.float32(2), *rest) == {"val_loss": [2.0]}
    assert history_of_result({"val_loss": 1, "x": 2.5}, *rest) == {"val_loss": [1.0], "x": [2.5]}
    assert history_of_result([history, 2.0], *rest) == {"val_loss": [3.0]}
    objective = keras_tuner.Objective("val_loss", "min")
    from keras_tuner.src.engine.tuner_utils import convert_to_metrics_dict

    for result in (history, 2.0, {"val_loss": 1.0}, [history, 2.0]):
        expected = convert_to_metrics_dict(result, objective)["val_loss"]
        assert min(history_of_result(result, *rest)["val_loss"]) == expected
    with pytest.raises(InputError, match=r'fit of "m:Model" must be one of "x"\. Received: \'val_'):
        history_of_result({"x": 1}, *rest)


def test_errors_of_a_fit(fits):
    with pytest.raises(
        WorkFailedError, match=r"must return what model\.fit returns, the objective"
    ):
        fits("Nothing").run(verbose=False)
    for settings in (
        {"objectives": ["val_accuracy", "parameters", "val_loss"], "name": "objectives"},
        {"limits": {"val_loss": {"max": 9.0}, "parameters": 999}, "name": "limits"},
    ):
        what = {"limits": "metric", "objectives": "objective"}[settings["name"]]
        said = rf'{what} of the fit of ".*:Short".* must be one of .*"val_accuracy"\..*\'val_loss\''
        with pytest.raises(WorkFailedError, match=said):
            fits("Short", search={"trials": 1, **settings}).run(verbose=False)
    settings = {"objectives": ["val_accuracy", "seconds"], "name": "costs"}
    fits("Short", search={"trials": 1, **settings}).run(False)
    with pytest.raises(InputError, match=r"population.*: its own fit trains one model at a time"):
        fits("Sizes", search={"caviar": "population"})
