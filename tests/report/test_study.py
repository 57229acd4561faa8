"""Trials as an Optuna study, and the importance of hyperparameters."""

import math
import sqlite3
from dataclasses import replace

import numpy as np
import optuna
import pytest
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from tests.report.runs import RATE, WIDE, sometimes, trials
from tests.search.run_directories import completed
from tfcourse.report import importance
from tfcourse.report.axes import score_axis
from tfcourse.report.importance import importances
from tfcourse.report.study import as_study
from tfcourse.search.config.checks import parse_space
from tfcourse.search.records.trial_record import rank


def space_of(raw):
    space, problems = parse_space(raw, None, None)
    assert not problems
    return space


def test_the_distributions_keep_their_scales():
    records = trials(WIDE, 30, sometimes)
    study = as_study(space_of(WIDE), records, "max")
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    distributions = {}
    for trial in study.trials:
        distributions |= trial.distributions
    assert distributions["learning_rate"] == FloatDistribution(1e-4, 1.0, log=True)
    assert distributions["beta_1"] == FloatDistribution(1 - 0.999, 1 - 0.9, log=True)
    assert distributions["layers"] == IntDistribution(1, 4)
    assert distributions["width"] == IntDistribution(8, 96, log=True)
    assert distributions["dropout"] == FloatDistribution(0.0, 0.5)
    assert distributions["batch_size"] == CategoricalDistribution((16, 32, 64, 128, 256))


def test_the_trials_are_those_of_the_search():
    records = trials(WIDE, 30, sometimes)
    study = as_study(space_of(WIDE), records, "max")
    assert [t.user_attrs["trial"] for t in study.trials] == list(range(30))
    states = {"completed": TrialState.COMPLETE, "failed": TrialState.FAIL}
    for trial, record in zip(study.trials, records, strict=True):
        assert (trial.state, trial.value) == (states[record.status], record.score)
        assert {*trial.params} == {*record.values}
        for name, value in record.values.items():
            there = 1 - trial.params[name] if name == "beta_1" else trial.params[name]
            assert there == pytest.approx(value) if isinstance(value, float) else there == value
        if record.message:
            assert trial.user_attrs["message"] == record.message
    best = rank(records, "max")[0]
    assert study.best_trial.user_attrs["trial"] == best.trial


def test_a_trial_that_breaks_a_limit_has_a_score_and_is_not_the_best():
    values = {"learning_rate": 0.01}
    better = replace(completed(1, 0.9, values), status="infeasible", message="Breaks it.")
    ended = replace(completed(2, 0.95, values), status="pruned")
    study = as_study(space_of({"learning_rate": RATE}), [completed(0, 0.5, values), better], "max")
    assert [trial.value for trial in study.trials] == [0.5, 0.9]
    assert study.best_trial.number == 0
    assert [trial.constraints for trial in study.trials] == [{"limits": 0.0}, {"limits": 1.0}]
    free = as_study(space_of({"learning_rate": RATE}), [completed(0, 0.5, values), ended], "max")
    assert [trial.constraints for trial in free.trials] == [{}, {}]


def test_a_start_that_is_on_no_step_has_a_distribution_without_steps():
    space = {
        "learning_rate": {"low": 1e-3, "high": 0.1, "step": 0.011},
        "units": {"low": 8, "high": 96, "step": 16},
        "beta": {"low": 0.1, "high": 0.9, "step": 0.2},
    }
    first = {"learning_rate": 0.01, "units": 9, "beta": 0.1 + 0.2}
    second = {"learning_rate": 0.001 + 3 * 0.011, "units": 40, "beta": 0.7}
    records = [completed(0, 0.1, first), completed(1, 0.2, second)]
    study = as_study(space_of(space), records, "min")
    assert [trial.params for trial in study.trials] == [first, second]
    distributions = study.trials[0].distributions
    assert distributions["learning_rate"] == FloatDistribution(1e-3, 0.1)
    assert distributions["units"] == IntDistribution(8, 96)
    assert distributions["beta"] == FloatDistribution(0.1, 0.9, step=0.2)


def test_a_study_in_a_database(tmp_path):
    file = tmp_path / "study.db"
    as_study(space_of({"learning_rate": RATE}), [], "min", "digits", f"sqlite:///{file}")
    with sqlite3.connect(file) as connection:
        assert connection.execute("select study_name from studies").fetchall() == [("digits",)]
    connection.close()


LINEAR = {name: {"low": 0.0, "high": 1.0} for name in ("a", "b", "c")}


def shares(raw, score_of, count=200):
    records = trials(raw, count, score_of)
    ranking = rank(records, "max")
    axis = score_axis("score", [record.score for record in ranking])
    return {entry.name: entry for entry in importances(space_of(raw), ranking, axis)}


@pytest.fixture
def few_forests(monkeypatch):
    """Fit three forests: their number is of the spread, not of the mean."""
    monkeypatch.setattr(importance, "FORESTS", 3)


@pytest.mark.usefixtures("few_forests")
def test_the_importance_of_a_sum_is_the_share_of_its_variances():
    """2a + b has the variances 4/12 and 1/12: shares of 0.8 and 0.2."""
    entries = shares(LINEAR, lambda n, v, rng: 2 * v["a"] + v["b"])
    assert list(entries) == ["a", "b", "c"]
    assert entries["a"].share == pytest.approx(0.8, abs=0.06)
    assert entries["b"].share == pytest.approx(0.2, abs=0.06)
    assert entries["c"].share < 0.03
    for entry in entries.values():
        assert entry.low <= entry.share <= entry.high
        assert entry.trials == 200


@pytest.mark.usefixtures("few_forests")
def test_every_decade_counts_the_same():
    raw = {"learning_rate": RATE, "a": {"low": 0.0, "high": 4.0}}
    entries = shares(raw, lambda n, v, rng: math.log10(v["learning_rate"]) + v["a"])
    assert entries["learning_rate"].share == pytest.approx(0.5, abs=0.08)


def test_fewer_trials_leave_more_uncertainty():
    def noisy(number, values, rng):
        return values["a"] + values["b"] + rng.normal() * 0.2

    few, many = (shares(LINEAR, noisy, count)["a"] for count in (16, 100))
    assert few.high - few.low > 2 * (many.high - many.low)


@pytest.mark.usefixtures("few_forests")
def test_a_conditional_one_is_measured_among_the_trials_that_have_it():
    raw = {
        "kind": {"values": ["x", "y"]},
        "a": {"low": 0.0, "high": 1.0, "when": {"kind": "x"}},
        "b": {"low": 0.0, "high": 1.0},
    }
    entries = shares(raw, lambda n, v, rng: v.get("a", 0.5), 120)
    assert 40 < entries["a"].trials < 80
    assert entries["a"].share > 0.9
    assert entries["b"].trials == 120


@pytest.mark.parametrize("count", [0, 1, 7])
def test_few_trials_have_no_importance(count):
    assert shares(LINEAR, lambda n, v, rng: v["a"], count) == {}


def test_equal_scores_and_equal_values_have_none():
    assert shares(LINEAR, lambda n, v, rng: 0.5, 30) == {}
    records = [completed(n, np.sin(n), {"a": 0.5, "b": 0.5, "c": 0.5}) for n in range(20)]
    axis = score_axis("score", [record.score for record in records])
    assert importances(space_of(LINEAR), records, axis) == []
