"""The scheduler's own rules: leases that it takes over, workers that are lost, what it tells."""

from types import SimpleNamespace

import pytest

from tests.search.journal import Journal
from tfcourse.errors import WorkFailedError
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.scheduler import scheduler as scheduling
from tfcourse.search.scheduler.leases import Lease, worker_of
from tfcourse.search.scheduler.scheduler import Scheduler
from tfcourse.search.space.parameters import Range
from tfcourse.search.strategies.stopping import EarlierRuns, Limits
from tfcourse.search.strategies.study import Study


def study(trials, strategy="random"):
    space = {"learning_rate": Range("float", 0.01, 0.1, None, "log")}
    return Study(strategy, None, space, 0, "min", trials, 1)


def record(trial, score=0.5):
    return TrialRecord(trial, "completed", {"learning_rate": 0.05}, score)


@pytest.fixture
def journal():
    return Journal()


class TestTakingOver:
    def test_records_and_leases_that_count(self, journal):
        """Of fewer trials than before, and a lease whose trial is on record."""
        leases = {"a": Lease(3, 1.0), "b": Lease(1, 2.0), "c": Lease(4, 3.0), "d": Lease(0, 4.0)}
        made = Scheduler(study(4), {0: record(0), 4: record(4)}, journal, leases)
        assert made.finished == {0: record(0)}
        assert made.leases == {"a": Lease(3, 1.0), "b": Lease(1, 2.0)}
        assert [made.next(name) for name in "abcd"] == [3, 1, 2, None]
        assert not made.complete

    def test_a_lease_has_the_time_of_its_beginning(self, journal, monkeypatch):
        clock = SimpleNamespace(monotonic=lambda: 1.0, time=lambda: 77.0)
        monkeypatch.setattr(scheduling, "time", clock)
        made = Scheduler(study(3), {}, journal)
        assert [made.next("a"), made.next("b/1"), made.next("a")] == [0, 1, 0]
        assert journal.leases == made.leases == {"a": Lease(0, 77.0), "b/1": Lease(1, 77.0)}

    def test_all_on_record_is_complete(self, journal):
        made = Scheduler(study(2), {0: record(0), 1: record(1)}, journal)
        assert (made.complete, made.stop, made.next("a")) == (True, None, None)

    def test_the_end_of_an_earlier_run(self, journal):
        journal.earlier = EarlierRuns(0.0, 3)
        ended = {trial: record(trial, 0.1) for trial in range(4)}
        made = Scheduler(study(9), ended, journal, limits=Limits(target=0.2))
        assert (made.stop.end, made.next("a")) == (3, None)
        del ended[2]  # it counted, and runs again
        made = Scheduler(study(9), ended, journal, limits=Limits(target=0.2))
        assert (made.complete, made.next("a"), made.next("b")) == (False, 2, None)

    def test_no_trial_begins_that_can_not_count(self, journal):
        """Trial 1 reaches the target: only trial 0, which runs, can count beside it."""
        made = Scheduler(study(9), {}, journal, limits=Limits(target=0.2))
        assert [made.next("a"), made.next("b")] == [0, 1]
        journal.records[1] = record(1, 0.1)
        made.end(1)
        assert (made.complete, made.next("b"), made.next("a")) == (False, None, 0)


class TestLostWorkers:
    def test_a_worker_has_all_its_leases(self):
        assert [worker_of(name) for name in ("w1", "w1/0", "w1/12", "w10/1")] == [
            "w1",
            "w1",
            "w1",
            "w10",
        ]

    def test_its_leases_end_and_no_others(self, journal):
        made = Scheduler(study(5), {}, journal)
        for name in ("w1/0", "w1/1", "w10/0", "w2"):
            made.next(name)
        made.release("w1")
        assert {name: lease.trial for name, lease in journal.leases.items()} == {
            "w10/0": 2,
            "w2": 3,
        }
        assert [made.next(name) for name in ("w3", "w2", "w4", "w5", "w6")] == [0, 3, 1, 4, None]

    def test_a_trial_that_it_put_on_record_has_ended(self, journal):
        """At once, and not only when its number comes up again."""
        made = Scheduler(study(5), {}, journal)
        assert [made.next("w1/0"), made.next("w1/1")] == [0, 1]
        journal.records[1] = record(1)
        made.release("w1")
        assert (journal.told, [*made.finished], made.leases) == ([record(1)], [1], {})
        assert [made.next("w2"), made.next("w3")] == [0, 2]

    def test_records_of_free_trials_are_not_looked_for(self, journal):
        """A network file system would remember that the file was missing."""
        asked = []
        journal.recorded = lambda trial: asked.append(trial)
        made = Scheduler(study(5), {}, journal)
        assert [made.next("w1"), made.next("w2")] == [0, 1]
        assert asked == []
        made.release("w1")
        assert (made.next("w3"), asked) == (0, [0, 0])

    def test_a_late_record_of_a_free_trial_ends_it(self, journal):
        made = Scheduler(study(3), {}, journal)
        made.next("w1")
        made.release("w1")
        journal.records[0] = record(0)
        assert made.next("w2") == 1
        assert journal.told == [record(0)]


class TestEnds:
    def test_of_no_trial(self, journal):
        made = Scheduler(study(3), {}, journal)
        for trial in (-1, 3):
            journal.records[trial] = record(trial)
            with pytest.raises(WorkFailedError) as error:
                made.end(trial)
            assert str(error.value) == f"Trial {trial} is none of the 3 trials."
        assert made.finished == {}
        journal.records[0] = record(0)
        made.end(0)
        assert [*made.finished] == [0]

    def test_are_told_once_and_the_journal_first(self, journal):
        made = Scheduler(study(3), {}, journal)
        assert made.next("w1") == 0
        journal.records[0] = record(0)
        works = journal.ended

        def full(record):
            raise OSError("full")

        journal.ended = full
        with pytest.raises(OSError, match="full"):
            made.end(0)
        assert (made.finished, [*made.leases]) == ({}, ["w1"])
        journal.ended = works
        made.end(0)
        made.end(0)
        assert (journal.told, journal.leases, made.leases) == ([record(0)], {}, {})

    def test_leases_that_stay_the_same_are_not_written(self, journal):
        written = []
        journal.leases_changed = written.append
        made = Scheduler(study(3), {}, journal)
        made.next("w1")
        made.next("w1")
        journal.records[1] = record(1)
        made.end(1)
        made.release("w2")
        assert [{name: lease.trial for name, lease in each.items()} for each in written] == [
            {"w1": 0}
        ]

    def test_a_worker_whose_trial_is_on_record_gets_another(self, journal):
        made = Scheduler(study(3), {}, journal)
        assert made.next("w1") == 0
        journal.records[0] = record(0)
        assert (made.next("w1"), journal.told) == (1, [record(0)])


class TestPrograms:
    """Trials with an even number have one program, the others another."""

    def first(self, journal, strategy="random", **options):
        numbers = {}

        def program_of(values):
            return numbers.setdefault(values["learning_rate"], len(numbers)) % 2

        made = Scheduler(study(6, strategy), {}, journal, None, program_of, **options)
        trials = []
        for _ in range(4):
            trials.append(made.next("w1"))
            journal.records[trials[-1]] = record(trials[-1])
        return trials

    def test_a_worker_keeps_its_program(self, journal):
        assert self.first(journal, programs_kept=1) == [0, 2, 4, 1]

    def test_with_none_kept_or_a_limit_they_are_in_order(self, journal):
        assert self.first(journal) == [0, 1, 2, 3]
        assert self.first(Journal(), programs_kept=1, limits=Limits(patience=9)) == [0, 1, 2, 3]
        limits = Limits(max_seconds=1e9)
        assert self.first(Journal(), programs_kept=1, limits=limits) == [0, 2, 4, 1]

    def test_seconds_run_from_the_first_trial(self, journal, monkeypatch):
        clock = SimpleNamespace(now=50.0)
        fake = SimpleNamespace(monotonic=lambda: clock.now, time=lambda: 0.0)
        monkeypatch.setattr(scheduling, "time", fake)
        journal.earlier = EarlierRuns(10.0)
        made = Scheduler(study(3), {}, journal)
        assert made.seconds == 10.0
        clock.now = 60.0
        made.next("w1")
        clock.now = 75.0
        made.next("w2")
        assert made.seconds == 25.0
