"""A search of models with several inputs trains and saves what ``model.fit`` would."""

import keras
import numpy as np
import pytest

import tfcourse
from tests.search.conftest import RATE
from tfcourse.data.input_scaling import fit_input_scaling
from tfcourse.search.data.loading import load_split
from tfcourse.search.space.sampling import trial_seed

COUNT = 40
RNG = np.random.default_rng(0)
X = {
    "ids": RNG.integers(0, 7, (COUNT, 5)),
    "series": RNG.normal(5, 3, (COUNT, 4, 3)).astype("float32"),
    "image": RNG.integers(0, 256, (COUNT, 4, 4, 1), "uint8"),
}
Y = X["ids"][:, 0] % 3
Y[:3] = 0, 1, 2


def build(input_shape, classes):
    inputs = {
        "ids": keras.Input(input_shape["ids"], dtype="int32", name="ids"),
        "series": keras.Input(input_shape["series"], name="series"),
        "image": keras.Input(input_shape["image"], name="image"),
    }
    parts = {**inputs, "ids": keras.layers.Embedding(7, 2)(inputs["ids"])}
    flat = [keras.layers.Flatten()(part) for part in parts.values()]
    joined = keras.layers.Concatenate()(flat)
    return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax")(joined))


def rows(which):
    return {name: array[which] for name, array in X.items()}, Y[which]


def scaled(x):
    """The inputs by NumPy: the series standardized, the image in [0, 1] by its channel."""
    series, image = X["series"][:30], X["image"][:30].astype("float32")
    mean, deviation = series.mean((0, 1)), series.std((0, 1))
    return {
        "ids": x["ids"],
        "series": (x["series"] - mean) / deviation,
        "image": (x["image"].astype("float32") - image.min()) / (image.max() - image.min()),
    }


def test_the_trials_and_the_best_model_are_those_of_model_fit(tmp_path):
    search = tfcourse.Search(
        out=tmp_path,
        train=rows(slice(30)),
        dev=rows(slice(30, 35)),
        test=rows(slice(35, None)),
        build=build,
        space=RATE,
        trials=1,
        epochs=3,
        optimizer="gradient_descent",
        batch_size=30,  # one batch, so that the order does not matter
        normalize={"series": "standardize", "image": "min_max"},
    )
    result = search.run(verbose=False)
    keras.utils.set_random_seed(trial_seed(0, 0))
    model = build({name: array.shape[1:] for name, array in X.items()}, 3)
    model.compile(
        keras.optimizers.SGD(result.trials[0].values["learning_rate"]),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        run_eagerly=True,
    )
    x, y = rows(slice(30))
    dev, dev_y = rows(slice(30, 35))
    sets = {"batch_size": 30, "validation_data": (scaled(dev), dev_y), "verbose": 0}
    history = model.fit(scaled(x), y, epochs=result.best.best_epoch, **sets).history
    for name, values in history.items():
        np.testing.assert_allclose(
            result.trials[0].history[name][: len(values)], values, rtol=1e-4, err_msg=name
        )
    best = keras.models.load_model(tmp_path / "search" / "best.keras")
    raw, labels = rows(slice(35, None))
    np.testing.assert_allclose(
        best.predict(raw, verbose=0), model.predict(scaled(raw), verbose=0), rtol=1e-3, atol=1e-5
    )
    loss, accuracy = model.evaluate(scaled(raw), labels, verbose=0)
    assert result.summary.test == pytest.approx({"loss": loss, "accuracy": accuracy}, rel=1e-4)


def test_a_method_for_all_leaves_whole_numbers_alone():
    scaling = fit_input_scaling(X, "standardize")
    assert {*scaling.by_input} == {"series"}
    x = scaling.apply(X)
    np.testing.assert_allclose(x["series"].mean((0, 1)), 0, atol=1e-6)
    assert x["ids"] is X["ids"]
    assert fit_input_scaling({"ids": X["ids"]}, "standardize") is None
    assert fit_input_scaling(X, {"series": "none"}) is None


def test_folds_and_the_record_have_every_input(tmp_path, untrained):
    search = tfcourse.Search(
        out=tmp_path, data=(X, Y), build=build, space=RATE, trials=1, epochs=1, folds=3
    )
    assert search.run(verbose=False).best.scores is not None
    split = load_split(search.config)
    assert {*split.train.x} == {*X}
