"""What the driver of a search on Ray makes of its workers' messages; nothing is started."""

import math

import pytest

from tfcourse.search.ray.conductor import RayConductor
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.journal import SearchJournal


class Worker:
    """A worker that keeps what it is sent."""

    def __init__(self, name):
        self.name, self.messages = name, []

    def send(self, what, **message):
        self.messages.append({"what": what, **message})

    @property
    def trial(self):
        return self.messages[-1]["trial"]


@pytest.fixture
def conduct(quick):
    """Makes a conductor of an empty record, and two workers that it lets train."""

    def make(**search):
        config, out = quick(search=search).config, quick().directory
        directory = RunDirectory(out)
        directory.create(config.as_toml(), {})
        journal = SearchJournal(config, directory, {}, lambda record, best: None)
        conductor = RayConductor(config, {}, journal)
        workers = Worker("w1"), Worker("w2")
        for worker in workers:
            conductor.started(worker)
        return conductor, directory, *workers

    return make


def ask(conductor, worker):
    conductor.receive(worker, {"what": "next", "holder": worker.name})
    return worker.trial


def record_of(trial, status, **fields):
    """A record as it is read from a file."""
    return TrialRecord(trial, status, {"learning_rate": 0.05}, scores=[], curves=[], **fields)


def end(conductor, worker, model=None, score=0.5):
    record = record_of(worker.trial, "completed", score=score)
    message = {"what": "recorded", "trial": worker.trial, "record": record, "model": model}
    conductor.receive(worker, message)
    return record


def test_a_record_and_its_model_are_written_here(conduct):
    conductor, directory, one, _ = conduct()
    assert one.messages == [{"what": "train"}]
    assert ask(conductor, one) == 0
    record = end(conductor, one, model=b"no model, but its bytes")
    assert directory.read_trial(0) == record
    assert conductor.scheduler.finished == {0: record}
    # It is not signed as a model of this trial, so it doesn't become the best one.
    assert not directory.best.exists()


def test_a_model_without_a_record_is_written_first(conduct, monkeypatch):
    """A crash between the two runs the trial again."""
    conductor, directory, one, _ = conduct()
    ask(conductor, one)

    def full(self, record):
        assert directory.model_of(0).read_bytes() == b"bytes"
        raise OSError("full")

    monkeypatch.setattr(RunDirectory, "write_trial", full)
    with pytest.raises(OSError, match="full"):
        end(conductor, one, model=b"bytes")
    assert conductor.scheduler.finished == {}


def test_the_trial_of_a_lost_worker_is_for_any_other(conduct):
    conductor, _, one, two = conduct()
    assert (ask(conductor, one), ask(conductor, two)) == (0, 1)
    conductor.started(Worker("w1"))  # again: the cluster may have no place for it
    end(conductor, two)
    assert ask(conductor, two) == 0


def test_a_trial_that_was_recorded_as_failed_stays_so(conduct):
    conductor, directory, one, _ = conduct()
    ask(conductor, one)
    failed = record_of(0, "failed", message="It took too long.")
    directory.write_trial(failed)
    end(conductor, one)
    assert directory.read_trial(0) == failed
    assert conductor.scheduler.finished == {0: failed}


def test_a_worker_gets_the_records_that_its_trial_depends_on_once(conduct):
    rounds = {"strategy": "coarse_to_fine", "coarse_to_fine": {"trials_per_round": 2}}
    conductor, _, one, two = conduct(trials=6, **rounds)
    for worker in (one, two):
        ask(conductor, worker)
        assert worker.messages[-1]["records"] == []
    first, second = end(conductor, one), end(conductor, two, score=0.6)
    ask(conductor, one)
    assert one.messages[-1]["records"] == [second]  # its own is there
    ask(conductor, two)
    assert two.messages[-1]["records"] == [first]
    third = end(conductor, one)
    ask(conductor, one)
    assert third not in one.messages[-1]["records"]


def test_all_end_when_no_trial_runs(conduct):
    conductor, _, one, two = conduct(trials=4, target=0.45)
    for worker in (one, two):
        ask(conductor, worker)
    end(conductor, one)
    conductor.receive(one, {"what": "trained"})
    conductor.started(three := Worker("w3"))
    assert conductor.concluded_at == math.inf
    assert three.messages == []
    end(conductor, two)
    assert conductor.concluded_at < math.inf
    conductor.receive(two, {"what": "trained"})
    assert [worker.messages[-1]["what"] for worker in (one, two, three)] == ["stop"] * 3
