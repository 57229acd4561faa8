"""Discrete spaces: every configuration is tried once, and then the search ends."""

import itertools
import json
import logging
import re
from dataclasses import replace

import pytest

from tests.contracts.oracle_contract import OracleContract
from tfcourse import InputError
from tfcourse.search.config.load import parse_config
from tfcourse.search.config.strategy_tables import HyperbandTable
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.space.discrete import configuration_count
from tfcourse.search.space.parameters import Choice, Range
from tfcourse.search.space.sampling import sample
from tfcourse.search.strategies.hyperband import hyperband_round
from tfcourse.search.strategies.proposals import propose
from tfcourse.search.strategies.study import Memo, Study

# An optimizer without and one with a momentum, of 3 values; 8 batch sizes, and 2 rates.
SPACE = {
    "optimizer": {"values": ["adam", "momentum"]},
    "momentum": {"low": 0.5, "high": 0.9, "step": 0.2, "when": {"optimizer": "momentum"}},
    "batch_size": {"low": 16, "high": 128, "step": 16, "scale": "log"},
    "learning_rate": {"values": [0.01, 0.1]},
}
CONFIGURATIONS = (1 + 3) * 8 * 2
STRATEGIES = {
    "random": {},
    "quasi_random": {},
    "gp": {"initial": 52, "parallel": 3},
    "bayesian": {"initial": 62, "parallel": 3},
    "tpe": {"initial": 20, "parallel": 3},
    "cma_es": {},
    "optuna": {"sampler": "QMCSampler"},
    "coarse_to_fine": {"trials_per_round": 16, "shrink": 0.3, "floor": 0.05},
}


def config(strategy="random", space=SPACE, trials=CONFIGURATIONS, settings=None, **search):
    own = STRATEGIES.get(strategy, {}) if settings is None else settings
    search |= {"name": "drawn", "objective": "val_loss", "strategy": strategy, "trials": trials}
    search |= {strategy: own} if own else {}
    return parse_config({"search": search, "space": space}, "drawn", None)


def played(drawn, finished=()):
    """The records of a search one trial after the other; the score is of the values alone."""
    records, memo = dict(finished), Memo()
    for trial in range(drawn.trials):
        if trial not in records:
            values = propose(drawn.study, trial, records, memo)
            score = values["batch_size"] + 100 * values["learning_rate"]
            records[trial] = TrialRecord(trial, "completed", values, score)
    return records


def texts(records):
    return [json.dumps(records[trial].values, sort_keys=True) for trial in sorted(records)]


class TestDiscreteRandom(OracleContract):
    strategy = "random"
    space = {
        "learning_rate": {"values": [1e-4, 1e-3, 1e-2, 0.1, 0.5]},
        "optimizer": {"values": ["adam", "momentum"]},
        "momentum": {"values": [0.9, 0.99], "when": {"optimizer": "momentum"}},
        "units": {"low": 32, "high": 128, "step": 32},
    }

    def test_no_configuration_is_tried_twice(self, undisturbed):
        assert len({*texts(undisturbed)}) == self.trials


class TestDiscreteCoarseToFine(TestDiscreteRandom):
    strategy = "coarse_to_fine"
    settings = {"trials_per_round": 5}
    trials = 14
    waits = True


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_configuration_is_tried_once(strategy):
    """All 64, counted after inactive values are dropped; those of an independent list."""
    every = {
        json.dumps(
            {"batch_size": size, "learning_rate": rate, "optimizer": name} | own, sort_keys=True
        )
        for size, rate in itertools.product(range(16, 129, 16), (0.01, 0.1))
        for name, own in [
            ("adam", {}),
            *(("momentum", {"momentum": m}) for m in (0.5, 0.7, 0.9)),
        ]
    }
    assert len(every) == CONFIGURATIONS
    drawn = config(strategy)
    tried = texts(played(drawn))
    assert len(tried) == CONFIGURATIONS
    assert {t.replace("0.8999999999999999", "0.9") for t in tried} == every
    longer = config(strategy, trials=1000)
    assert longer.trials == CONFIGURATIONS
    assert longer.study == drawn.study, "of which all values are a function"


def test_the_draws_are_those_without_repetition_until_one_repeats():
    """So a run directory of an earlier version goes on with the values that it would have had."""
    drawn = config()
    plain = [sample(drawn.space, 0, trial) for trial in range(CONFIGURATIONS)]
    first = next(n for n, values in enumerate(plain) if values in plain[:n])
    assert first >= 3
    tried = [record.values for record in played(drawn).values()]
    assert tried[:first] == plain[:first]
    assert tried[first] != plain[first]


def test_trials_on_record_keep_their_values_and_none_is_repeated():
    drawn = config()
    old = {
        trial: TrialRecord(trial, "completed", sample(drawn.space, 0, trial), float(trial))
        for trial in range(40)
    }
    records = played(drawn, old)
    assert all(records[trial] is old[trial] for trial in old)
    new = texts({trial: record for trial, record in records.items() if trial >= 40})
    assert len({*new}) == len(new)
    assert not {*new} & {*texts(old)}


def test_a_space_that_is_not_all_discrete_is_drawn_as_before():
    space = SPACE | {"learning_rate": {"low": 0.01, "high": 0.1}}
    drawn = config(space=space, trials=500)
    assert drawn.trials == 500
    for trial in range(0, 500, 50):
        assert propose(drawn.study, trial, {}) == sample(drawn.space, 0, trial)


def test_a_large_space_is_not_listed():
    """10^15 configurations, of which a few are drawn; and some that hardly ever come by chance."""
    large = {f"n{i}": Range("int", 1, 10**5, 1) for i in range(3)}
    assert configuration_count(large, 24) == 24
    chained = {"p0": Choice(("a", "b"))} | {
        f"p{i}": Choice(("a", "b"), ((f"p{i - 1}", "a"),)) for i in range(1, 60)
    }
    assert configuration_count(chained, 10_000) == 61
    rare = {
        "batch_size": {"low": 1, "high": 10**6, "scale": "log"},
        "optimizer": {"values": ["adam"]},
    }
    drawn, memo = config(space=rare, trials=300), Memo()
    values = [propose(drawn.study, trial, {}, memo)["batch_size"] for trial in range(300)]
    assert len({*values}) == 300


def test_hyperband_begins_with_no_configuration_twice():
    space = {"batch_size": {"low": 1, "high": 60}}
    raw = {"search": {"name": "h", "strategy": "hyperband", "trials": 60, "objective": "val_loss"}}
    raw |= {"space": space, "training": {"epochs": 9}}
    drawn, records, memo = parse_config(raw, "h", None), {}, Memo()
    for trial in range(60):
        values = propose(drawn.study, trial, records, memo)
        # A round in which all but one failed: others take the places of those that would go on.
        status = "failed" if trial in (0, 1, *range(3, 9)) else "completed"
        score = None if status == "failed" else float(values["batch_size"])
        records[trial] = TrialRecord(trial, status, values, score)
    rounds = {trial: hyperband_round(trial, 9, 3) for trial in range(60)}
    begun = [records[t].values["batch_size"] for t in rounds if rounds[t].before is None]
    assert len({*begun}) == len(begun) > 20
    replaced = [
        record.values["batch_size"]
        for trial, record in records.items()
        if rounds[trial].before and "continues" not in record.values
    ]
    assert len({*replaced}) == len(replaced) == 2
    assert not {*replaced} & {*begun[:9]}


SIZES = {"batch_size": Range("int", 1, 17, 1)}
HYPERBAND = Study("hyperband", HyperbandTable(factor=3), SIZES, 0, "min", 23, 9)


def test_hyperbands_brackets_draw_as_if_those_that_go_on_were_not_there():
    """Of 23 trials 9, 5 and 3 begin a bracket: each has one of 17 configurations."""
    begin = [*range(9), *range(13, 18), *range(20, 23)]
    values = [propose(HYPERBAND, trial, {})["batch_size"] for trial in begin]
    assert sorted(values) == list(range(1, 18))


@pytest.mark.parametrize("seed", range(8))
def test_hyperband_fills_a_round_that_failed_with_the_configurations_that_are_left(seed):
    """Of 16, as 9 and 5 trials began: it knows only the round that failed, of trials 13 to 17."""
    study = replace(HYPERBAND, space={"batch_size": Range("int", 1, 16, 1)}, seed=seed)
    begun = [propose(study, trial, {}) for trial in (*range(9), *range(13, 18))]
    failed = {n: TrialRecord(n, "failed", begun[n - 4]) for n in range(13, 18)}
    filled = [propose(study, trial, failed) for trial in (18, 19)]
    sizes = [values["batch_size"] for values in (*begun, *filled)]
    assert sorted(sizes) == list(range(1, 17))
    assert [values["epochs"] for values in filled] == [9, 9]


@pytest.mark.parametrize("strategy", [n for n in STRATEGIES if n not in ("cma_es", "optuna")])
def test_a_search_ends_with_the_last_configuration_and_says_so(quick, strategy, caplog):
    """Six trials of two values were six trainings of two models."""
    space = {"learning_rate": {"values": [0.01, 0.1]}}
    planned = quick(space=space, search={"trials": 6, "strategy": strategy})
    with caplog.at_level(logging.WARNING, "tfcourse"):
        result = planned.run(verbose=False)
    assert sorted(r.values["learning_rate"] for r in result.trials.values()) == [0.01, 0.1]
    said = "trials = 6, and [space] has 2 different configurations: the search ends when each "
    assert said in caplog.text
    assert planned.completed().was_complete


def test_repetitions_on_record_are_told(quick, caplog):
    space = {"learning_rate": {"values": [0.01, 0.1, 0.5]}}
    planned = quick(space=space, search={"trials": 2})
    planned.run(verbose=False)
    path = planned.directory / "trials" / "0001.json"
    record = json.loads(path.read_text())
    record["values"] = json.loads((planned.directory / "trials" / "0000.json").read_text())[
        "values"
    ]
    path.write_text(json.dumps(record))
    longer = quick(space=space, search={"trials": 3})
    assert not caplog.text
    from tfcourse.search.store.resume import repetitions

    (line,) = repetitions("random", longer.config.space, planned.finished())
    assert re.match(r"1 trials on record repeat .* \(trial 1 those of trial 0\), as an ", line)


def test_a_lost_best_model_of_a_repetition_can_only_be_found_afresh(quick):
    """No number of trials reaches one beyond the configurations of the space."""
    from tfcourse.search.store.directory import RunDirectory
    from tfcourse.search.store.resume import finished_trials

    planned = quick(space={"learning_rate": {"values": [0.01, 0.1]}}, search={"trials": 6})
    directory = RunDirectory(planned.directory)
    directory.create(planned.config.as_toml(), {})
    for trial in range(3):
        values = {"learning_rate": (0.01, 0.1)[trial % 2]}
        directory.write_trial(TrialRecord(trial, "completed", values, 0.5 + trial / 10, 1, 0.5))
    said = r"best trial, 2, is lost .* of 2 trials it can't be run again\. Start over with --fresh"
    with pytest.raises(InputError, match=said):
        finished_trials(planned.config, directory)


def test_hyperband_with_too_few_configurations_is_refused():
    with pytest.raises(InputError) as error:
        config("hyperband", {"batch_size": {"values": [8, 16, 32]}}, 20, {"factor": 3})
    assert re.search(
        r"\[search\] trials must be <= 3: hyperband begins with a new configuration in \d+ of the "
        r'20, and \[space\] has 3\. Widen the space, or use strategy "grid"\.',
        str(error.value),
    )


def test_a_start_within_rounding_of_a_step_is_that_configuration():
    """0.001 + 0.05 is 0.051000000000000004 in double, which no one writes into a file."""
    space = {
        "learning_rate": {"low": 1e-3, "high": 0.1, "step": 0.05},
        "units": {"values": [8, 16]},
    }
    for strategy in ("random", "tpe", "gp"):
        search = {"name": "s", "objective": "val_loss", "strategy": strategy, "trials": 9}
        search["start"] = [{"learning_rate": 0.051, "units": 16}]
        study = parse_config({"search": search, "space": space}, "s.toml", None).study
        records, memo = {}, Memo()
        for trial in range(4):
            values = propose(study, trial, records, memo)
            records[trial] = TrialRecord(trial, "completed", values, 0.1 * trial)
        rates = [(round(r.values["learning_rate"], 6), r.values["units"]) for r in records.values()]
        assert sorted(rates) == [(0.001, 8), (0.001, 16), (0.051, 8), (0.051, 16)]
