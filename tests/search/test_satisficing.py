"""Limits of a search (course 6.1): a trial that breaks one is recorded as such, and never best."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import tfcourse
from tests.contracts import oracle_contract
from tests.contracts.oracle_contract import OracleContract, Search, values_of
from tests.search.conftest import load
from tests.search.run_directories import completed, failed, write_run
from tfcourse import InputError
from tfcourse.cli import app
from tfcourse.report.figures.history import history_panel
from tfcourse.report.page.parts import header
from tfcourse.report.report import write_report
from tfcourse.search.best.trial import read_trial
from tfcourse.search.records.satisficing import Bound, broken, judge
from tfcourse.search.records.trial_record import TrialRecord, rank
from tfcourse.search.results.keras_tuner_project import write_project
from tfcourse.search.results.search_record import read_record
from tfcourse.search.results.watcher import Watcher
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.errors import SearchFailedError
from tfcourse.search.strategies.proposals import propose
from tfcourse.search.strategies.stopping import Limits, find_stop

NUMBERS = st.one_of(st.none(), st.floats(-2, 2))


def record(value=0.5, parameters=10, best_epoch=1, status="completed", **fields):
    """A trial whose second metric has this value at its best epoch, and 0.5 at the other."""
    curve = [0.5, 0.5]
    curve[best_epoch - 1] = value
    history = {"val_loss": [0.1, 0.2], "val_recall": curve}
    return TrialRecord(
        0, status, {}, 0.1, best_epoch, history=history, parameters=parameters, **fields
    )


class TestJudgement:
    @given(value=st.floats(-3, 3), low=NUMBERS, high=NUMBERS, epoch=st.sampled_from([1, 2]))
    def test_a_limit_is_about_the_best_epoch(self, value, low, high, epoch):
        inside = (low is None or low <= value) and (high is None or value <= high)
        judged = judge(record(value, best_epoch=epoch), [Bound("val_recall", low, high)])
        assert judged.status == ("completed" if inside else "infeasible")
        assert (judged.message == "") is inside
        assert rank([judged], "min") == ([judged] if inside else [])

    def test_the_words(self):
        bounds = [Bound("parameters", most=50_000), Bound("val_recall", least=0.95)]
        judged = judge(record(0.91666666, 60_490), bounds)
        assert judged.message == "Breaks parameters 60490 > 50000; val_recall 0.916667 < 0.95."
        assert judge(record(0.95, 50_000), bounds) == record(0.95, 50_000), "the ends are inside"

    @pytest.mark.parametrize("value", [None, math.nan, math.inf])
    def test_a_value_that_is_no_number_is_outside(self, value):
        assert broken(record(value), [Bound("val_recall", -9, 9)]) == [
            "val_recall is not a finite number"
        ]
        assert broken(record(), [Bound("another", -9, 9)]) == ["another is not a finite number"]

    def test_a_verdict_can_be_taken_back(self):
        bounds = [Bound("val_recall", least=0.95)]
        judged = judge(record(), bounds)
        assert judge(judged, []) == record()
        assert judge(judged, [Bound("val_recall", least=0.4)]) == record()
        assert judge(judged, bounds) == judged

    def test_a_trial_that_is_only_slow_has_completed_for_strategies(self):
        bounds = [Bound("seconds", most=9), Bound("milliseconds", most=0.5)]
        slow = judge(record(seconds=12.25, milliseconds=0.75), bounds)
        assert slow.message == "Breaks seconds 12.25 > 9; milliseconds 0.75 > 0.5."
        assert (slow.status, slow.is_slow, slow.comparable_score) == ("infeasible", True, 0.1)
        assert rank([slow], "min") == []
        assert judge(slow, []) == record(seconds=12.25, milliseconds=0.75)
        large = judge(slow, [*bounds, Bound("parameters", most=9)])
        assert (large.is_slow, large.comparable_score) == (False, None)
        assert judge(record(seconds=1), bounds).status == "completed", "without milliseconds"

    @pytest.mark.parametrize("status", ["failed", "pruned"])
    def test_what_can_not_be_the_best_stays_as_it_is(self, status):
        other = record(status=status, message="Its reason.")
        assert judge(other, [Bound("val_recall", least=0.95)]) is other


class TestConfig:
    RAW = {"search": {"name": "a", "trials": 3}, "space": {"learning_rate": {"low": 1, "high": 2}}}

    def load(self, tmp_path, limits, **training):
        raw = {**self.RAW, "search": {**self.RAW["search"], "limits": limits}}
        return load(tmp_path, {**raw, "training": training})

    def test_the_forms(self, tmp_path):
        limits = {"parameters": 50, "seconds": 9.0, "milliseconds": 0.5}
        limits |= {"val_loss": {"max": 1}, "accuracy": {"min": 0.1, "max": 0.9}}
        config = self.load(tmp_path, limits)
        assert config.bounds == (
            Bound("parameters", most=50),
            Bound("seconds", most=9.0),
            Bound("milliseconds", most=0.5),
            Bound("val_loss", most=1),
            Bound("accuracy", 0.1, 0.9),
        )
        assert config.as_tables()["search"]["limits"] == limits
        assert load(tmp_path, self.RAW).bounds == ()
        assert "limits" not in load(tmp_path, self.RAW).as_tables()["search"]

    @pytest.mark.parametrize(
        ("limits", "said"),
        [
            (
                {"val_recal": {"min": 0.9}},
                '[search.limits] must be one of "parameters", "seconds", "milliseconds", '
                '"val_accuracy", "val_recall", "val_loss", "accuracy", "recall", "loss". Received: '
                "'val_recal'. Did you mean \"val_recall\"?",
            ),
            (
                {"val_recall": 0.9},
                "[search.limits] val_recall must be { min = number }, { max = number } or both. "
                "Received: 0.9.",
            ),
            ({"val_recall": {"least": 0.9}}, "or both. Received: {'least': 0.9}."),
            ({"val_recall": {}}, "or both. Received: {}."),
            ({"val_recall": {"min": True}}, "or both. Received: {'min': True}."),
            ({"val_recall": {"min": math.inf}}, "or both. Received: {'min': inf}."),
            ({"val_recall": {"min": 2, "max": 1}}, "val_recall must have min <= max. Received:"),
            ({"parameters": 0}, "[search.limits] parameters: must be greater than or equal to 1."),
            ({"parameters": 1.5}, "[search.limits] parameters: must be a valid integer. Received"),
            ({"seconds": 0}, "[search.limits] seconds: must be greater than 0. Received: 0."),
            ({"milliseconds": {"max": 1}}, "[search.limits] milliseconds: must be a valid number."),
            (7, "[search.limits] must be a table. Received: 7."),
        ],
        ids=str,
    )
    def test_errors_name_the_file_the_table_and_the_key(self, limits, said, tmp_path):
        with pytest.raises(InputError) as raised:
            self.load(tmp_path, limits, loss="binary_crossentropy", metrics=["accuracy", "recall"])
        (line,) = str(raised.value).splitlines()
        assert line.startswith(f"{tmp_path / 'search.toml'}: [search.limits]")
        assert said in line

    @pytest.mark.parametrize(
        ("limits", "said"),
        [
            ({"val_recall": 0.9}, 'Search: limits["val_recall"] must be { min'),
            ({"val_recal": {"min": 0.9}}, 'Search: limits must be one of "parameters", '),
            (7, "Search: limits must be a table. Received: 7."),
        ],
        ids=str,
    )
    def test_from_python(self, limits, said):
        space = {"learning_rate": {"low": 0.1, "high": 0.2}}
        with pytest.raises(InputError, match=re.escape(said)):
            tfcourse.Search(
                space=space,
                trials=2,
                limits=limits,
                loss="binary_crossentropy",
                metrics=["recall"],
            )


SOURCE = """
def net(input_shape, classes, units=2):
    layers = [keras.layers.Dense(units), keras.layers.Dense(classes, activation="softmax")]
    return keras.Sequential([keras.Input(input_shape), *layers])
"""
SPACE = {"learning_rate": {"low": 0.01, "high": 0.1}, "units": {"low": 1, "high": 9}}


@pytest.fixture
def searched(quick, untrained):
    """Makes searches of one run directory: their scores are by their learning rates alone."""
    first = quick(SOURCE, "net", SPACE, search={"trials": 8}, training={"epochs": 1})

    def make(limits=None, name="quick"):
        table = type(first.config.search).model_validate(
            {**first.config.search.model_dump(), "limits": limits, "name": name}
        )
        return tfcourse.Search(replace(first.config, search=table), first.out)

    return make


def parameters_of(units):
    return 4 * units + units + units * 3 + 3


def trials_of(result):
    return {n: (r.values, r.score, r.history, r.parameters) for n, r in result.trials.items()}


def test_a_search_with_limits(searched):
    free = searched(name="free").run(verbose=False)
    most = free.best.values["units"] - 1
    search = searched({"parameters": parameters_of(most)})
    result = search.run(verbose=False)
    assert trials_of(result) == trials_of(free), "the limits of a random search change no trial"
    small = [r for r in free.ranking if r.values["units"] <= most]
    assert 1 < len(small) < 8
    assert [r.trial for r in result.ranking] == [r.trial for r in small]
    assert result.best_model().count_params() == result.best.parameters <= parameters_of(most)
    for entry in result.trials.values():
        assert entry.parameters == parameters_of(entry.values["units"])
        assert (entry.status == "infeasible") is (entry.values["units"] > most)
    # It is to be seen everywhere.
    count = 8 - len(small)
    first = min(n for n, r in result.trials.items() if r.status == "infeasible")
    reason = f"parameters {result.trials[first].parameters} > {parameters_of(most)}"
    rows = (search.directory / "results.csv").read_text().splitlines()
    assert f"Breaks {reason}." in rows[1 + first]
    assert f",infeasible,{result.trials[first].score}," in rows[1 + first]
    line = (
        f"{count} of 8 trials break [search.limits] and can't be the best. Trial {first}: {reason}."
    )
    assert line in result.lines()
    shown = CliRunner().invoke(app, ["show", str(search.directory)], env={"COLUMNS": "200"}).output
    assert line in shown
    best = ["best", str(search.directory), "--trial", str(first)]
    text = CliRunner().invoke(app, best).output
    assert f"# infeasible      Breaks {reason}.\n" in text
    assert f"{len(small)} completed, {count} infeasible" in str(Watcher(search.directory).look())
    entries = json.loads(json.dumps(read_record(search.directory).as_json()))
    assert entries["counts"] == {"completed": len(small), "failed": 0, "infeasible": count}
    page = write_report(search.directory)[0].read_text(encoding="utf-8")
    assert f"Breaks {reason.replace('>', '&gt;')}." in page
    assert "Trials that can" in page
    assert read_record(search.directory).best.trial == result.best.trial


def test_limits_may_come_change_and_go(searched):
    """The ranking changes, and the trials do not: each is trained once, but for the best model."""
    free = searched().run(verbose=False)
    widths = sorted({r.values["units"] for r in free.trials.values()})
    for units in (widths[0], widths[2], None):
        limits = None if units is None else {"parameters": parameters_of(units)}
        result = searched(limits).run(verbose=False)
        assert trials_of(result) == trials_of(free)
        expected = [r.trial for r in free.ranking if units is None or r.values["units"] <= units]
        assert [r.trial for r in result.ranking] == expected
        assert searched(limits).completed().best == result.best
        assert RunDirectory(result.directory).read_trials() == result.trials
        again = searched(limits, name="again").run(verbose=False, fresh=True)
        for number, entry in again.trials.items():
            mine = result.trials[number]
            assert (mine.status, mine.message) == (entry.status, entry.message)


def test_no_trial_is_within_the_limits(searched, tmp_path):
    said = "None of 8 trials is within [search.limits]; 8 completed, the first of them, trial 0: "
    search = searched({"parameters": 1, "val_accuracy": {"min": 0.9}})
    for _ in range(2):
        with pytest.raises(SearchFailedError, match=re.escape(said)) as raised:
            search.run(verbose=False)
    assert "> 1; val_accuracy 0.4" in str(raised.value)
    assert "Wider limits keep the trials" in str(raised.value)
    record = read_record(search.directory)
    advice = record.lines()[-1]
    assert advice == (
        "No trial is within [search.limits]. Wider limits keep the trials; more [search] trials "
        "continue the search."
    )
    with pytest.raises(InputError, match=re.escape(f"8 infeasible. {advice}")):
        read_trial(search.directory)
    assert "no trial is within [search.limits]" in header(record)
    assert history_panel(record).text.startswith("No trial is within [search.limits], so")
    assert searched({"val_accuracy": {"min": 0.1}}).run(verbose=False).ranking
    # The best model of other limits is no longer the best.
    with pytest.raises(SearchFailedError):
        search.run(verbose=False)
    written = write_project(read_record(search.directory), tmp_path / "project")
    assert written == "Without weights: the search has no best model."


def test_the_parameters_of_old_trials_are_counted(searched):
    """Earlier versions did not record them."""
    free = searched().run(verbose=False)
    for path in RunDirectory(free.directory).trials.glob("*.json"):
        entry = json.loads(path.read_text())
        del entry["parameters"]
        path.write_text(json.dumps(entry))
    limits = {"parameters": parameters_of(4)}
    assert searched().completed() is not None
    assert searched(limits).completed() is None
    assert trials_of(searched(limits).run(verbose=False)) == trials_of(free)
    assert searched(limits).completed().best.values["units"] <= 4


def test_a_limit_on_predictions(searched, monkeypatch):
    """It may come later: then the models are built again, and measured."""
    measured = []

    def latency(model, example, statistic):
        assert (example.shape, statistic) == ((1, 4), min)
        measured.append(model)
        return model.count_params() / 10

    monkeypatch.setattr("tfcourse.search.trials.costs.latency", latency)
    free = searched().run(verbose=False)
    assert not measured
    most = sorted(r.parameters for r in free.trials.values())[3] / 10
    later = searched({"milliseconds": most}).run(verbose=False)
    assert len(measured) == 8
    again = searched({"milliseconds": most}, name="again").run(verbose=False)
    for result in (later, again):
        assert trials_of(result) == trials_of(free)
        for entry in result.trials.values():
            assert entry.milliseconds == entry.parameters / 10
            assert (entry.status == "infeasible") is entry.is_slow is (entry.milliseconds > most)


@pytest.mark.parametrize("caviar", ["reuse", "population"])
def test_the_time_of_a_prediction_is_measured(caviar, tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 4))
    search = tfcourse.Search(
        data=(x, x[:, 0]),
        loss="mse",
        normalize="standardize",
        objectives=["val_loss", "milliseconds"],
        limits={"milliseconds": 10_000, "seconds": 10_000},
        space={"learning_rate": {"low": 0.01, "high": 0.1}},
        arguments={"layers": 1, "units": 2, "batch_norm": "none"},
        caviar=caviar,
        trials=2,
        epochs=1,
        out=tmp_path,
    )
    result = search.run(verbose=False)
    first, second = (result.trials[n].milliseconds for n in (0, 1))
    assert 0 < first == second < 10_000, "once for the trials that share a compiled model"
    assert result.trials == RunDirectory(result.directory).read_trials()


def infeasible(trial, score, values):
    return replace(completed(trial, score, values), status="infeasible", message="Breaks it.")


def test_an_unfinished_search_shows_it(tmp_path):
    space = {"units": {"low": 1, "high": 9}}
    trials = [completed(0, 0.5, {"units": 1}), infeasible(1, 0.9, {"units": 2})]
    path = write_run(tmp_path / "run", space, [*trials, failed(2, {"units": 3})])
    entry = read_record(path)
    assert entry.best.trial == 0
    assert (
        "1 of 3 trials breaks [search.limits] and can't be the best. Trial 1: it." in entry.lines()
    )


@pytest.mark.parametrize("limits", [Limits(target=0.8), Limits(patience=2)], ids=str)
def test_only_trials_within_the_limits_end_a_search(limits):
    good = [0.5, 0.9, 0.95, 0.97]
    records = {n: completed(n, score, {}) for n, score in enumerate(good)}
    broken = {0: records[0]} | {n: infeasible(n, good[n], {}) for n in (1, 2, 3)}
    stop, with_limits = (find_stop(limits, "max", each, 9) for each in (records, broken))
    assert (stop and stop.end, with_limits and with_limits.end) == (
        (2, None) if limits.target else (None, 3)
    )


class TestStrategies:
    """A trial that breaks a limit is to a strategy one that failed: it looks elsewhere."""

    SPACE = {
        "learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"},
        "dropout": {"low": 0.0, "high": 0.9},
    }

    def play(self, monkeypatch, strategy, status, workers=1):
        """Play a search in which more dropout is better, and above 0.45 breaks a limit."""

        def ended(trial, values):
            distance = (math.log10(values["learning_rate"]) + 2) ** 2
            found, is_outside = distance - 4 * values["dropout"], values["dropout"] > 0.45
            outcome = status if is_outside else "completed"
            own = None if outcome == "failed" else found
            is_slow = outcome == "slow"
            return TrialRecord(
                trial, "infeasible" if is_slow else outcome, values, own, 1, is_slow=is_slow
            )

        monkeypatch.setattr(oracle_contract, "ended", ended)
        own = {
            "strategy": strategy,
            "space": self.SPACE,
            "trials": 20,
        }
        if strategy == "bayesian":
            own |= {"trials": 9, "settings": {"initial": 6}}
        config = type("Contract", (OracleContract,), own).config()
        return Search(config, workers=workers, order=workers).run()

    @pytest.mark.parametrize("strategy", ["coarse_to_fine", "gp", "tpe", "bayesian"])
    def test_it_counts_as_one_that_failed(self, strategy, monkeypatch):
        played = self.play(monkeypatch, strategy, "infeasible")
        assert values_of(played) == values_of(self.play(monkeypatch, strategy, "failed"))
        assert values_of(played) == values_of(self.play(monkeypatch, strategy, "infeasible", 3))

        def outside(records):
            return sum(
                records[n].values["dropout"] > 0.45 for n in range(len(records) // 2, len(records))
            )

        completed = self.play(monkeypatch, strategy, "completed")
        assert outside(played) < outside(completed)
        # Of times, which each run measures anew, the values know nothing.
        assert values_of(self.play(monkeypatch, strategy, "slow")) == values_of(completed)

    @pytest.mark.parametrize(("is_slow", "expected"), [(False, [4, 1, 2]), (True, [2, 0, 4])])
    def test_hyperband_continues_it_after_all_others(self, is_slow, expected):
        """After more epochs it may break no limit."""
        own = {"strategy": "hyperband", "space": self.SPACE, "trials": 13}
        study = type("Contract", (OracleContract,), own).config().study
        scores = {0: 0.2, 2: 0.1, 4: 0.5, 1: 0.6}  # smaller is better
        records = {}
        for trial in range(12):
            values = propose(study, trial, records)
            status = "infeasible" if trial in (0, 2) else "completed"
            score = scores.get(trial)
            records[trial] = TrialRecord(
                trial, status if score else "failed", values, score, 1, is_slow=is_slow
            )
        assert [records[n].values.get("continues") for n in (9, 10, 11)] == expected
