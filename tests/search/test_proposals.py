"""The values of a trial where it runs: from the record that all workers share."""

from dataclasses import replace

import pytest

from tests.search.protocol import config_of, undisturbed
from tfcourse.errors import WorkFailedError
from tfcourse.search.records import visibility
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
