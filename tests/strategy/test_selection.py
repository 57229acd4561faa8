"""One metric to optimize, the others with limits: on records, and on models (course 6.1)."""

import itertools
import re
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import tfcourse
from tests.search.run_directories import completed, failed, write_run
from tfcourse import InputError, Search, WorkFailedError
from tfcourse.search.trials import latency
from tfcourse.strategy import measures, select

SPACE = {"units": {"low": 1, "high": 64}}


@pytest.fixture
def run(tmp_path):
    """Trials 0 to 4, best 3, then 1; trial 5 has failed."""
    trials = [
        trial(number, accuracy, loss)
        for number, (accuracy, loss) in enumerate(
            [(0.80, 0.6), (0.92, 0.9), (0.85, 0.3), (0.95, 1.2), (0.85, 0.5)]
        )
    ]
    return write_run(tmp_path / "run", SPACE, [*trials, failed(5, {"units": 8})])


def trial(number, accuracy, loss):
    history = {
        "val_accuracy": [accuracy - 0.02, accuracy - 0.01, accuracy],
        "val_loss": [loss + 1, loss - 0.1, loss],
        "own": [99.0, 98.0, float(number)],
    }
    return completed(number, accuracy, {"units": 8}, history=history)


def order(selection):
    return [each.record.trial for each in selection.candidates]


def test_without_limits_it_is_the_best_trial(run):
    selection = select(run, "val_accuracy")
    assert order(selection) == [3, 1, 2, 4, 0]
    assert selection.trial == 3 and selection.values == {"units": 8}


def test_a_limit_from_above_and_one_from_below(run):
    selection = select(run, "val_accuracy", {"val_loss": 0.6})
    # At equal accuracy the search's own order decides; 0.6 itself is within.
    assert order(selection) == [2, 4, 0, 3, 1]
    assert [each.ruled_out_by is None for each in selection.candidates] == [True] * 3 + [False] * 2
    text = str(selection)
    assert "Selected: trial 2, val_accuracy 0.85." in text
    assert "val_loss <= 0.6 rules out 2 of 5: trial 1, 3." in text
    # More is better of an accuracy, so that its threshold is the least.
    selection = select(run, "val_loss", {"val_accuracy": 0.85})
    assert order(selection) == [2, 4, 1, 3, 0]
    assert "val_accuracy >= 0.85 rules out 1 of 5: trial 0." in str(selection)


def test_a_metric_is_that_of_the_best_epoch(tmp_path):
    """The one whose weights the trial's model has, though later ones are better."""
    history = {"val_accuracy": [0.5, 0.9, 0.7], "val_loss": [3.0, 2.0, 1.0]}
    best = completed(0, 0.9, {"units": 8}, epochs=2, history=history)
    selection = select(
        write_run(tmp_path / "run", SPACE, [best]), "val_loss", {"val_accuracy": 0.8}
    )
    assert selection.best.values == {"val_loss": 2.0, "val_accuracy": 0.9}


def test_a_metric_that_is_not_finite_satisfies_nothing(tmp_path):
    history = {"val_accuracy": [0.9], "val_loss": [None]}
    trials = [trial(0, 0.8, 0.6), completed(1, 0.9, {"units": 8}, epochs=1, history=history)]
    run = write_run(tmp_path / "run", SPACE, trials)
    selection = select(run, "val_accuracy", {"val_loss": 9e9})
    assert selection.trial == 0 and "none" in str(selection)
    assert order(select(run, "val_loss")) == [0, 1]


def test_a_metric_of_ones_own_needs_its_direction(run):
    with pytest.raises(InputError, match=r'direction of "own" is not known\. Give directions='):
        select(run, "val_accuracy", {"own": 2})
    assert select(run, "val_accuracy", {"own": 2}, directions={"own": "max"}).trial == 3
    assert select(run, "val_accuracy", {"own": 2}, directions={"own": "min"}).trial == 1


def test_the_objective_has_the_direction_of_its_search(tmp_path):
    """Also where the search has another one than the metric's usual direction."""
    trials = [trial(0, 0.8, 0.6), trial(1, 0.9, 0.5)]
    run = write_run(tmp_path / "run", SPACE, trials, objective="own", direction="max")
    assert select(run, "own").trial == 1
    run = write_run(tmp_path / "other", SPACE, trials, direction="min")
    assert select(run, "val_accuracy").trial == 0
    assert select(run, "val_accuracy", directions={"val_accuracy": "max"}).trial == 1


def test_no_trial_satisfies_every_limit(run):
    limits = {"val_loss": 0.4, "val_accuracy": 0.9}
    said = (
        "select: none of 5 trials satisfies every limit. Nearest to each:\n"
        "  val_loss <= 0.4 rules out 4; the best of them has 0.5 (trial 4).\n"
        "  val_accuracy >= 0.9 rules out 1; the best of them has 0.85 (trial 2).\n"
        "Relax a limit, or search with smaller models."
    )
    with pytest.raises(WorkFailedError, match=f"^{re.escape(said)}$"):
        select(run, "val_accuracy", limits)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("val_acuracy",), "Received: 'val_acuracy'. Did you mean \"val_accuracy\"?"),
        (("val_accuracy", {"latency": 1}), 'a metric must be one of "val_accuracy", "val_loss"'),
        (("val_accuracy", {"val_loss": "low"}), "must be a number. Received: 'low'."),
        (("val_accuracy", {"val_loss": float("nan")}), "must be a number. Received: nan."),
        (("val_accuracy", {"parameters": 9}), "need the models of the trials, which are built"),
    ],
)
def test_errors(arguments, said, run):
    with pytest.raises(InputError, match=re.escape(said)):
        select(run, *arguments)


def test_directories_without_a_trial(tmp_path):
    with pytest.raises(InputError, match="is not a run directory"):
        select(tmp_path, "val_loss")
    run = write_run(tmp_path / "run", SPACE, [failed(0, {"units": 8})])
    with pytest.raises(InputError, match=r"has no best trial\. 1 of 24 trials are on record"):
        select(run, "val_loss")


def test_the_latency_is_the_median_of_warm_calls(monkeypatch):
    """By a clock that the test sets, with one slow call; it is not read after the first calls."""
    pairs = enumerate([0.003, 0.001, 5.0, 0.002, 0.004])
    ticks = itertools.chain(
        [0.0] * latency.WARM_UP, *((10.0 * n, 10.0 * n + duration) for n, duration in pairs)
    )
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    # Not the module's own function, which TensorFlow calls as well.
    monkeypatch.setattr(latency, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    assert latency.latency(model, np.zeros((1, 2), "float32"), repeats=5) == pytest.approx(3)


def test_the_latency_of_several_inputs_and_outputs():
    inputs = {name: keras.Input((2,), name=name) for name in "ab"}
    model = keras.Model(inputs, {name: keras.layers.ReLU()(x) for name, x in inputs.items()})
    assert latency.latency(model, dict.fromkeys("ab", np.zeros((1, 2), "float32")), repeats=1) > 0


def build(input_shape, classes, units=4):
    return keras.Sequential(
        [keras.Input(input_shape), keras.layers.Dense(units), tfcourse.SoftmaxHead(classes)]
    )


@pytest.fixture
def search(tmp_path, monkeypatch, rng):
    """A finished search over units in 4, 8 and 16, of learning rates that make none better."""
    from tfcourse.search.trials import trial

    def fit(model, x, y, *, epochs, **options):
        units = model.layers[-2].units
        names = ("loss", "accuracy", "val_loss", "val_accuracy")
        return SimpleNamespace(history={name: [units / 20] * epochs for name in names})

    monkeypatch.setattr(trial, "fit", fit)
    x, y = rng.normal(size=(60, 5)).astype("float32"), np.arange(60) % 3
    space = {"units": {"values": [4, 8, 16]}, "learning_rate": {"values": [0.1, 0.2]}}
    search = Search(
        data=(x, y), build=build, space=space, trials=6, epochs=1, strategy="grid",
        normalize="standardize", out=tmp_path / "runs", name="sizes",
    )  # fmt: skip
    search.run(verbose=False)
    return search


def test_the_models_of_a_search(search, monkeypatch):
    """Parameters by hand; two trials of one architecture are measured once."""
    measured = []

    def latency(model, example, repeats=0):
        measured.append(model.count_params())
        assert example.shape == (1, 5)
        assert model(example).shape == (1, 3)
        assert "shift" in model.layers[0].name  # it takes raw data, as the best model does
        return model.count_params() / 10

    monkeypatch.setattr(measures, "latency", latency)
    # (5 + 1) units + (units + 1) 3: 39, 75 and 147 weights.
    selection = select(search, "val_accuracy", {"milliseconds": 7.5, "parameters": 100})
    assert selection.values["units"] == 8
    assert selection.best.values == {"val_accuracy": 0.4, "parameters": 75, "milliseconds": 7.5}
    assert sorted(measured) == [39, 75]  # what the parameters rule out is not measured
    text = str(selection)
    assert "parameters <= 100 rules out 2 of 6" in text
    assert "milliseconds <= 7.5 rules out none." in text
    assert "milliseconds: median of 50 predictions for one example, warm" in text
    assert select(search, "parameters", {"val_accuracy": 0.3}).best.values["parameters"] == 75
    with pytest.raises(WorkFailedError, match=r"milliseconds <= 1 rules out 6; .* has 3\.9 "):
        select(search, "val_accuracy", {"milliseconds": 1})


def test_equal_models_of_different_arguments_are_measured_once(search, monkeypatch):
    """As of a builder that compiles, whose arguments include the learning rate."""
    calls = []
    monkeypatch.setattr(measures, "latency", lambda model, x: calls.append(model) or 1.0)
    monkeypatch.setattr(measures.ModelMeasures, "_key", lambda self, record: str(record.trial))
    select(search, "milliseconds")
    assert len(calls) == 3


def test_the_selected_model(search):
    best = select(search, "val_accuracy")
    assert best.model().count_params() == search.run(verbose=False).best_model().count_params()
    other = select(search, "val_accuracy", {"parameters": 40})
    with pytest.raises(InputError, match=rf"model of trial {other.trial} is not on disk"):
        other.model()
    # A real clock: any prediction takes more than no time, and less than a minute.
    assert 0 < select(search, "milliseconds").best.values["milliseconds"] < 60_000


def test_a_builder_that_is_gone(search):
    """From its directory alone the builder is an object of this module, which no file names."""
    said = "Pass the tfcourse.Search itself if they were objects in Python"
    with pytest.raises(InputError, match=said):
        select(search.directory, "val_accuracy", {"parameters": 100})
    assert select(search.directory, "val_accuracy", {"val_loss": 0.5}).values["units"] == 8
