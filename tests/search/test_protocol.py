"""Scheduler, leases, journal and resuming, whatever happens and in whatever order.

Hypothesis plays workers that ask, write, tell, die and come back late, leases that end, chiefs that
die, disks that are full at any write, and records that lose their end. Whatever it plays, no trial
is lost, none counts twice, the search ends, and its record is that of a search in which nothing
happened. `tests.search.protocol` has the search; CONTRIBUTING the command that plays it for hours.
"""

import math
import shutil
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.search.protocol import Chief, Disk, Worker, config_of, undisturbed
from tfcourse.files import is_temporary
from tfcourse.search.records.pareto import leaders
from tfcourse.search.runtime.conclusion import complete_record
from tfcourse.search.scheduler.scheduler import Scheduler
from tfcourse.search.scheduler.trial_queue import TrialQueue
from tfcourse.search.store.directory import OFF_RECORD
from tfcourse.search.strategies.stopping import Stop, find_stop, mark_after, trials_that_count

CONFIGS = {
    "random": config_of("random", 10),
    "grid": config_of("grid", 9),
    "coarse_to_fine": config_of("coarse_to_fine", 9, trials_per_round=3, rule="halving"),
    "hyperband": config_of("hyperband", 16),
    "bayesian": config_of("bayesian", 6, initial=3, parallel=2),
    "tpe": config_of("tpe", 7, initial=3, parallel=2),
    "patience": config_of("random", 12, limits={"patience": 4}),
    "target": config_of("random", 12, limits={"target": 0.3}),
}
SLOW = ("bayesian", "tpe")
NAMES = ("w1", "w2", "w3")


@cache
def finished(name):
    return undisturbed(CONFIGS[name])


class Protocol(RuleBasedStateMachine):
    """A search that is disturbed; `finish` lets it end undisturbed and looks at its record."""

    name: str

    def __init__(self):
        super().__init__()
        self.config, self.expected = CONFIGS[self.name], finished(self.name)
        self.out = Path(tempfile.mkdtemp())
        self.path, self.disk = self.out / "protocol", Disk()
        self.patch = pytest.MonkeyPatch()
        # Tables are written at each end, and a record that is missing stays missing.
        self.patch.setattr("tfcourse.search.store.journal.SECONDS_BETWEEN_TABLES", 0.0)
        self.patch.setattr("tfcourse.search.store.journal.TABLES_SHARE", math.inf)
        self.patch.setattr("tfcourse.search.records.visibility.SECONDS_UNTIL_SEEN", 0.0)
        self.mount = self.disk.mounted(self.patch)
        self.mount.__enter__()
        self.workers: dict[str, Worker] = {}
        self.lost: set[int] = set()  # the trials whose records were damaged
        self.on_record: set[int] = set()

    @initialize(by_program=st.booleans())
    def begin(self, by_program):
        self.by_program = by_program
        self.start_chief(keeps_leases=False)

    def start_chief(self, keeps_leases):
        """The search's own command again; a full disk ends that too, and it is given once more."""
        for _ in range(2):
            try:
                self.chief = Chief(self.config, self.path, self.by_program, keeps_leases)
                break
            except OSError:
                self.disk.left = None
        assert self.on_record - self.lost <= {*self.chief.finished}, "a trial is lost"
        self.on_record = {*self.chief.finished}
        self.lost = set()

    @contextmanager
    def at_risk(self, worker, chief_dies=False):
        """Let a full disk end a worker, and perhaps its chief, who answered it."""
        try:
            yield
        except OSError:
            self.disk.left = None
            self.workers.pop(worker, None)
            if chief_dies:
                self.start_chief(keeps_leases=True)

    def worker(self, name):
        if name not in self.workers:
            self.workers[name] = Worker(self.config, self.chief, name)
        return self.workers[name]

    def idle(self):
        return [n for n in NAMES if n not in self.workers or self.workers[n].trial is None]

    def training(self):
        return [n for n, w in self.workers.items() if w.trial is not None and not w.written]

    def done(self):
        return [n for n, w in self.workers.items() if w.written]

    @precondition(idle)
    @rule(data=st.data(), chief_dies=st.booleans())
    def asks(self, data, chief_dies):
        self.ask(data.draw(st.sampled_from(self.idle())), chief_dies)

    @precondition(training)
    @rule(data=st.data())
    def writes(self, data):
        self.write(data.draw(st.sampled_from(self.training())))

    @precondition(done)
    @rule(data=st.data(), chief_dies=st.booleans())
    def tells(self, data, chief_dies):
        self.tell(data.draw(st.sampled_from(self.done())), chief_dies)

    def ask(self, name, chief_dies=False):
        worker, scheduler = self.worker(name), self.chief.scheduler
        others = {lease.trial for holder, lease in scheduler.leases.items() if holder != name}
        is_new = name not in scheduler.leases
        with self.at_risk(name, chief_dies):
            trial = scheduler.next(name)
            if trial is None:
                assert scheduler.complete or scheduler.leases, "it waits for nobody"
                return
            assert trial not in others, "two workers have a trial"
            assert trial not in self.chief.told, "a trial runs again after its end"
            if is_new and not self.by_program:
                free = {*range(self.config.trials)} - {*scheduler.finished} - others
                assert trial == min(free), "the trials are not in order"
            worker.trial = trial

    def write(self, name):
        with self.at_risk(name):
            self.workers[name].write()
            self.on_record.add(self.workers[name].trial)

    def tell(self, name, chief_dies=False):
        worker = self.workers[name]
        with self.at_risk(name, chief_dies):
            self.chief.scheduler.end(worker.trial)
            worker.trial, worker.written = None, False

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def dies(self, data):
        del self.workers[data.draw(st.sampled_from([*self.workers]))]

    @precondition(lambda self: self.chief.scheduler.leases)
    @rule(data=st.data())
    def expires(self, data):
        """The chief gives a silent worker up, which may be alive and come back late."""
        holders = [*self.chief.scheduler.leases]
        try:
            self.chief.scheduler.release(data.draw(st.sampled_from(holders)))
        except OSError:
            self.disk.left = None
            self.start_chief(keeps_leases=True)

    @rule(data=st.data(), how=st.sampled_from(["chief", "power", "damage"]))
    def starts_again(self, data, how):
        """Its chief is killed, and workers that train on find the new one; or all are killed."""
        if how != "chief":
            self.workers.clear()
        if how == "damage":
            self.damage(data)
        self.start_chief(keeps_leases=how == "chief")

    def damage(self, data):
        """A file of the record loses its end while nothing runs."""
        files = (path for path in self.path.rglob("*") if path.is_file())
        path = data.draw(st.sampled_from(sorted(f for f in files if not is_temporary(f))))
        whole, share = path.read_bytes(), data.draw(st.integers(0, 999))
        path.write_bytes(whole[: len(whole) * share // 1000])  # its length has times in it
        if path.parent.name == "trials":
            self.lost.add(int(path.stem))
        # A best trial without its model is run again: that of a lost model, or the next best one
        # where the record of the best is lost too, while it waits to be run again.
        if path.suffix in (".keras", f".{OFF_RECORD}"):
            self.lost |= self.on_record

    @precondition(lambda self: self.disk.left is None)
    @rule(writes=st.integers(0, 8))
    def fill_the_disk(self, writes):
        self.disk.left = writes

    @invariant()
    def nothing_counts_twice(self):
        if hasattr(self, "chief"):
            told = self.chief.told
            assert len(told) == len({*told}), "a trial counts twice"
            assert not {*told} & {*self.chief.finished}, "a trial of an earlier run counts again"

    def finish(self):
        """All that happens from now on is work."""
        self.disk.left = None
        alive = [*self.workers] or ["another"]
        for name in {*NAMES} - {*alive}:  # nobody starts them again
            self.chief.scheduler.release(name)
        scheduler = self.chief.scheduler
        for _ in range(8 * self.config.trials):
            if scheduler.complete and not scheduler.leases:
                break
            for name in alive:
                if name in self.training():
                    self.write(name)
                elif name in self.done():
                    self.tell(name)
                else:
                    self.ask(name)
        assert scheduler.complete and not scheduler.leases, "it does not end"
        self.look(complete_record(self.chief.journal, scheduler))

    def look(self, best):
        """The record is that of a search in which nothing happened."""
        directory, config = self.chief.directory, self.config
        read = directory.read_trials()
        stop = find_stop(config.limits, config.direction, self.expected, config.trials)
        expected = trials_that_count(self.expected, stop)
        assert _text(self.chief.scheduler.stop) == _text(stop)
        count = trials_that_count(read, stop)
        assert [*count] == [*expected]
        assert {n: _content(r) for n, r in count.items()} == {
            n: _content(r) for n, r in expected.items()
        }
        if stop is None:
            assert [*read] == [*range(config.trials)]
        assert directory.has_tables(mark_after([*read.values()], stop), config.columns)
        (leader, *_) = leaders(expected.values(), config.objectives)
        assert best == leader.trial == directory.best_trial()
        names = {p.name for p in self.path.iterdir() if not p.name.startswith(".")}
        assert names - {"rounds.json"} == {
            *("best.keras", "config.toml", "history.csv", "results.csv", "trials", "versions.json")
        }

    def teardown(self):
        try:
            if hasattr(self, "chief"):
                self.finish()
        finally:
            self.mount.__exit__(None, None, None)
            self.patch.undo()
            shutil.rmtree(self.out)


def _text(stop: Stop | None):
    return None if stop is None else stop.text


def _content(record):
    """What does not depend on who ran a trial."""
    return record.values, record.status, record.score, record.message, record.history


def play(name, examples, phases=tuple(hypothesis.Phase)):
    """Play searches of a config; raises what the machine asserts."""
    machine = type(f"Protocol_{name}", (Protocol,), {"name": name})
    settings = hypothesis.settings(
        max_examples=max(examples, 1),
        stateful_step_count=30,
        suppress_health_check=[*hypothesis.HealthCheck],
        phases=phases,
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(machine, settings=settings)


@pytest.mark.parametrize("name", CONFIGS)
def test_whatever_happens_the_record_is_the_same(name):
    play(name, hypothesis.settings().max_examples // (20 if name in SLOW else 8))


END = Scheduler._end


def _end_again(scheduler, record):
    scheduler.finished.pop(record.trial, None)
    END(scheduler, record)


MUTANTS = {
    "leases never end": (Scheduler, "release", lambda *_: None),
    "lost trials stay lost": (TrialQueue, "put_back", lambda *_: None),
    "a trial is told twice": (Scheduler, "_end", _end_again),
}
FOUND = "does not end|waits for nobody|not in order|counts"


@pytest.mark.parametrize("name", MUTANTS)
def test_it_would_find(name, monkeypatch):
    monkeypatch.setattr(*MUTANTS[name])
    with pytest.raises((AssertionError, ExceptionGroup), match=FOUND):
        play("random", 300, phases=(hypothesis.Phase.generate,))
