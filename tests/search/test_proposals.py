"""The values of a trial where it runs: from the record that all workers share."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.search.protocol import config_of, undisturbed
from tfcourse.errors import WorkFailedError
from tfcourse.search.records import visibility
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.space.sampling import trial_seed
from tfcourse.search.strategies.hyperband import hyperband_round
from tfcourse.search.strategies.proposals import Proposer, propose
from tfcourse.search.strategies.pruning import Asha, Pruning

CONFIG = config_of("hyperband", 16)
SIZE = hyperband_round(0, 9, CONFIG.settings.factor).size


@pytest.fixture(scope="module")
def records():
    return undisturbed(CONFIG)


def test_the_records_that_it_depends_on_are_read_once(records):
    """Those of the round before, and of them only what it does not know yet."""
    asked = []

    def read(trial):
        asked.append(trial)
        return records[trial]

    proposer = Proposer(CONFIG.study, {0: records[0]}, read)
    assert proposer(1) == propose(CONFIG.study, 1, {})
    assert asked == []
    for trial in (SIZE, SIZE + 1, SIZE):
        assert proposer(trial) == propose(CONFIG.study, trial, records)
    assert asked == [*range(1, SIZE)]
    assert proposer.records == {trial: records[trial] for trial in range(SIZE)}


def test_a_record_that_is_lost(records, monkeypatch):
    monkeypatch.setattr(visibility, "SECONDS_UNTIL_SEEN", 0.0)
    with pytest.raises(WorkFailedError, match="Trial 0 ended, and its record can't be found"):
        Proposer(CONFIG.study, {}, lambda trial: None)(SIZE)


def test_the_limits_are_those_of_its_pruning(records):
    assert Proposer(CONFIG.study, records, records.get).limits(4, 2) is None
    pruning = Pruning(Asha(2), 1, "val_loss", "min")
    proposer = Proposer(replace(CONFIG.study, pruning=pruning), records, records.get)
    expected = pruning.limits(9, 3, records)
    assert proposer.limits(9, 3) == expected
    assert expected.by_epoch
    assert expected != pruning.limits(1, 3, records)


def test_what_the_bayesian_process_is_asked(monkeypatch):
    """Of trial 3, the second of its batch: trial 2 counts as if it had ended like the worst."""
    asked = []

    def next_point(*question):
        asked.append(question)
        return 0.25, 0.5

    stub = SimpleNamespace(next_point=next_point)
    monkeypatch.setitem(sys.modules, "tfcourse.search.engine.gaussian_process", stub)
    study = config_of("bayesian", 6, initial=3, parallel=2).study
    values = [propose(study, trial, {}) for trial in range(3)]
    assert asked == []
    ended = {n: TrialRecord(n, "completed", values[n], 0.5 - n / 10) for n in range(2)}
    space, names = study.space, ["learning_rate", "units"]
    assert propose(study, 3, ended) == {
        "learning_rate": space["learning_rate"].value_at(0.25),
        "units": space["units"].value_at(0.5),
    }
    points = [tuple(space[name].unit_of(own[name]) for name in names) for own in values]
    expected = ((points[1], 0.4), (points[0], 0.5), (points[2], 0.5))
    assert asked == [(expected, "min", study.settings.beta, trial_seed(0, 3) + 1)]
