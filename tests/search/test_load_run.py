"""A finished search's model, loaded to predict: `tfcourse.load_run`, and plain Keras."""

import json
from pathlib import Path

import keras
import numpy as np
import pandas
import pytest

import tfcourse
from tests import processes
from tests.search.run_directories import completed, failed, write_run
from tfcourse.search.data.loading import load_split

ROOT = Path(__file__).parent.parent.parent
SMALL = {"build": "mlp", "arguments": {"layers": 1, "units": 4}}
RATE = {"learning_rate": {"low": 0.01, "high": 0.1, "scale": "log"}}
RNG = np.random.default_rng(3)
LABELS = np.arange(60) % 3
X = RNG.normal(5, 20, size=(60, 4)) + 60 * LABELS[:, None]
LINE = X @ [1.0, -2.0, 0.5, 0.0] / 100


def search(tmp_path, y, **settings):
    settings = {"trials": 2, "epochs": 3, "batch_size": 12, "normalize": "standardize", **settings}
    settings = {"build": "linear", "optimizer": "gradient_descent", **settings}
    made = tfcourse.Search(space=RATE, data=(X, y), out=tmp_path, name="run", **settings)
    return made, made.run(verbose=False)


@pytest.mark.parametrize(
    ("y", "settings"),
    [
        (LABELS, SMALL),
        (LABELS, {"loss": "categorical_crossentropy", "metrics": ["auc"]}),
        (LABELS // 2, {"loss": "binary_crossentropy", **SMALL}),
        (LINE, {"loss": "mse"}),
        (np.c_[LINE, -LINE], {"loss": "mae"}),
    ],
    ids=["labels", "one-hot", "binary", "numbers", "two-outputs"],
)
def test_it_takes_the_data_as_they_are(tmp_path, y, settings):
    made, result = search(tmp_path, y, **settings)
    run = tfcourse.load_run(result.directory)
    assert (run.trial, run.score, run.values) == (
        result.best.trial,
        result.best.score,
        result.best.values,
    )
    plain = keras.models.load_model(result.directory / "best.keras")
    # All in one batch, as in `run.predict`: kernels may add up its last rows in another order.
    expected = plain.predict(X, batch_size=len(X), verbose=0)
    np.testing.assert_allclose(run.predict(X), expected, rtol=1e-6)
    frame = pandas.DataFrame(X, columns=list("abcd"))
    np.testing.assert_allclose(run.predict(frame), expected, rtol=1e-6)
    # The rows of the test set, as the data has them.
    rows = [
        np.flatnonzero((X.astype("float32") == row).all(1))[0]
        for row in load_split(made.config).test.x
    ]
    assert run.evaluate(X[rows], y[rows]) == pytest.approx(result.summary.test, rel=1e-5)
    if settings.get("loss") in ("mse", "mae"):
        with pytest.raises(tfcourse.InputError, match=r"a regression, which has no classes"):
            run.predict_classes(X)
        return
    outputs = np.c_[1 - expected, expected] if expected.shape[1] == 1 else expected
    np.testing.assert_array_equal(run.predict_classes(X), outputs.argmax(axis=1))
    gap = np.where(np.arange(len(X))[:, None] == 3, np.nan, X)
    with pytest.raises(tfcourse.InputError, match=rf"1 of {len(X)} examples is NaN, .* row 3\. Fi"):
        run.predict_classes(gap)
    with pytest.raises(tfcourse.InputError, match=r"evaluate: y must be one of 0, 1.* Received: 7"):
        run.evaluate(X, y + 7)


def test_a_trial_of_a_search_that_keeps_every_model(tmp_path):
    made, result = search(tmp_path, LABELS, checkpoints="all")
    dev = load_split(made.config).dev
    for trial, record in result.trials.items():
        run = tfcourse.load_run(result.directory, trial=trial)
        assert run.trial == trial
        assert run.evaluate(dev.x, dev.y)["accuracy"] == pytest.approx(record.score)


def test_digits_that_float32_lacks_are_not_lost(tmp_path):
    x = X.copy()
    x[:, 0] += 1.7e9  # seconds
    made = tfcourse.Search(
        space=RATE, data=(x, LABELS), out=tmp_path, trials=1, epochs=1, normalize="standardize",
        build="linear", optimizer="gradient_descent",
    )  # fmt: skip
    run = tfcourse.load_run(made.run(verbose=False).directory)
    found = run.predict(x)
    wide = run.model(x.astype("float64"), training=False)
    np.testing.assert_allclose(found, wide, rtol=1e-5)
    assert not np.allclose(found, run.model.predict(x, verbose=0), rtol=1e-5)
    right = np.mean(run.predict_classes(x) == LABELS)
    assert run.evaluate(x, LABELS)["accuracy"] == pytest.approx(right)


def test_plain_keras_loads_the_best_model(tmp_path):
    """With batch norm, softmax and the optimizer of the course, normalized; on raw data."""
    made, result = search(tmp_path, LABELS, optimizer="momentum", **SMALL)
    test = load_split(made.config).test
    np.savez(tmp_path / "test.npz", x=test.x, y=test.y)
    program = """
import json, sys
sys.modules["tfcourse"] = None  # whoever imports it fails
import keras, numpy
x, y = numpy.load("test.npz").values()
model = keras.models.load_model("run/best.keras")
model.fit(x, y, epochs=0, verbose=0)
metrics = model.evaluate(x, y, verbose=0, return_dict=True)
print(json.dumps([model.predict(x, verbose=0).tolist(), metrics]))
"""
    done = processes.run(["-c", program], cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    predictions, metrics = json.loads(done.stdout)
    run = tfcourse.load_run(result.directory)
    assert any(type(layer) is tfcourse.BatchNorm for layer in run.model.layers[-1].layers)
    np.testing.assert_allclose(predictions, run.predict(test.x), rtol=1e-5)
    assert metrics == pytest.approx(result.summary.test, rel=1e-5)


def test_a_csv_of_texts_and_dates(untrained, tmp_path):
    """The table as pandas reads it gives what the rows of the search's sets give."""
    config = ROOT / "tuner_configs" / "messy_csv.toml"
    made = tfcourse.Search.from_toml(config, trials=1, epochs=1, out=tmp_path)
    result = made.run(verbose=False)
    run = tfcourse.load_run(result.directory)
    assert run.classes == ("buys more", "leaves", "stays")
    file = config.with_name("messy.csv")
    frame = pandas.read_csv(file, sep=";", decimal=",", encoding="utf-8-sig")
    frame["since"] = pandas.to_datetime(frame["since"])
    split = load_split(made.config)
    parts = [run.predict(split.columns.raw(part.x)) for part in split.parts.values()]
    found = run.predict(frame[frame.columns[::-1]])
    order, expected = np.lexsort(found.T), np.concatenate(parts)
    np.testing.assert_allclose(found[order], expected[np.lexsort(expected.T)], rtol=1e-5)
    names = np.array(run.classes)[split.test.y]
    metrics = run.evaluate(split.columns.raw(split.test.x), names)
    assert metrics == pytest.approx(result.summary.test, rel=1e-5)
    assert {*run.predict_classes(frame)} <= {*run.classes}
    with pytest.raises(tfcourse.InputError, match=r"must have the columns .* Missing: \['since'\]"):
        run.predict(frame.drop(columns="since"))


def test_columns_of_numbers_in_another_order(untrained, tmp_path):
    frame = pandas.DataFrame(np.c_[X, LABELS + 1], columns=[*"abcd", "kind"])
    frame.astype({"kind": int}).to_csv(tmp_path / "points.csv", index=False)
    data = {"source": "csv", "path": str(tmp_path / "points.csv"), "label": "kind"}
    data |= {"build": "linear", "optimizer": "gradient_descent"}
    made = tfcourse.Search(space=RATE, trials=1, epochs=1, out=tmp_path, **data)
    run = tfcourse.load_run(made.run(verbose=False).directory)
    assert (run.features, run.classes) == (("a", "b", "c", "d"), (1, 2, 3))
    expected = run.predict(X)
    for table in (frame[["kind", *"dcba"]], frame.to_dict("series")):
        np.testing.assert_array_equal(run.predict(table), expected)
    right = np.mean(expected.argmax(axis=1) == LABELS)
    assert run.evaluate(frame, LABELS + 1)["accuracy"] == pytest.approx(right)
    with pytest.raises(tfcourse.InputError, match=r"Missing: \['b'\]"):
        run.predict(frame[["a", "c", "d"]])


OWN = """
@keras.saving.register_keras_serializable(package=__name__)
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x

def own(input_shape, classes):
    head = keras.layers.Dense(classes, activation="softmax")
    return keras.Sequential([keras.Input(input_shape), Doubled(), head])
"""


def test_layers_of_the_users_are_found_by_the_builder(quick, untrained, tmp_path):
    directory = quick(OWN, builder="own").run(verbose=False).directory
    program = (
        "import sys, numpy, tfcourse\n"
        f"run = tfcourse.load_run({str(directory)!r})\n"
        "print(run.predict(numpy.ones((2, 4))).shape)"
    )
    done = processes.run(["-c", program], cwd=tmp_path.parent)  # the run directory has the folder
    assert done.stdout == "(2, 3)\n", done.stderr
    for module in tmp_path.glob("*.py"):
        module.unlink()
    done = processes.run(["-c", program], cwd=tmp_path.parent)
    assert "InputError: builder: the module " in done.stderr


def test_what_there_is_no_model_of(tmp_path):
    with pytest.raises(tfcourse.InputError, match=r"nowhere is not a run directory"):
        tfcourse.load_run(tmp_path / "nowhere")
    records = [completed(0, 0.9, {"learning_rate": 0.05}), failed(1, {"learning_rate": 0.05})]
    run = write_run(tmp_path / "run", RATE, records)
    said = (
        r"holds no finished search\. 2 of 24 trials are on record: 1 completed, 1 failed\. .*"
        r"tfcourse search .* continues it\.$"
    )
    with pytest.raises(tfcourse.InputError, match=said):
        tfcourse.load_run(run)
    with pytest.raises(tfcourse.InputError, match=r"trial 1 failed, it has no model: ValueError"):
        tfcourse.load_run(run, trial=1)
    with pytest.raises(tfcourse.InputError, match=r'trial 0 is not on disk.*checkpoints = "all"'):
        tfcourse.load_run(run, trial=0)
    with pytest.raises(tfcourse.InputError, match=r"trial must be one of .* 0, 1\. Received: 5"):
        tfcourse.load_run(run, trial=5)


def test_the_best_model_of_an_unfinished_search(tmp_path):
    _, result = search(tmp_path, LABELS)
    worse = next(number for number in result.trials if number != result.best.trial)
    (result.directory / "trials" / f"{worse:04d}.json").unlink()
    (result.directory / "summary.json").unlink()
    with pytest.raises(tfcourse.InputError, match=r"trial=\d\) loads the best model so far\.$"):
        tfcourse.load_run(result.directory)
    run = tfcourse.load_run(result.directory, trial=result.best.trial)
    assert run.predict(X).shape == (60, 3)


def test_a_lost_model_is_trained_again_by_the_same_command(tmp_path):
    _, result = search(tmp_path, LABELS)
    whole = (result.directory / "best.keras").read_bytes()
    (result.directory / "best.keras").write_bytes(whole[:-100])
    with pytest.raises(tfcourse.WorkFailedError, match=r"is lost or damaged\. The same command"):
        tfcourse.load_run(result.directory)
    search(tmp_path, LABELS)
    assert tfcourse.load_run(result.directory).trial == result.best.trial
