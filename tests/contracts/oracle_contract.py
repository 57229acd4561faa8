"""What every strategy of a search keeps to; a test class inherits it.

The objective is a formula, so that nothing is trained: what is tested is who gets which values.
"""

import json
import math
import random
from dataclasses import asdict, replace

import pytest

from tfcourse.search.config.load import parse_config
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.runtime.scheduling import scheduler_by_program
from tfcourse.search.scheduler.scheduler import Scheduler
from tfcourse.search.space.parameters import Choice, active
from tfcourse.search.strategies.proposals import MODEL_BASED, propose
from tfcourse.search.strategies.stopping import NO_RUNS
from tfcourse.search.strategies.study import Memo

SPACE = {
    "learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"},
    "optimizer": {"values": ["adam", "momentum"]},
    "momentum": {
        "low": 0.9,
        "high": 0.999,
        "scale": "one_minus_log",
        "when": {"optimizer": "momentum"},
    },
    "units": {"low": 32, "high": 128, "step": 32},
}


def score(values):
    """A loss: a valley at α = 0.01 with 96 units and momentum; None stands for a failure."""
    if values["learning_rate"] > 0.3:
        return None
    valley = (math.log10(values["learning_rate"]) + 2) ** 2 + (values["units"] - 96) ** 2 / 1e4
    return valley + (values["optimizer"] == "adam") / 4 + values.get("momentum", 0) / 10


def ended(trial, values):
    """A trial's record, as it comes back from its file."""
    found = score(values)
    status = "failed" if found is None else "completed"
    record = TrialRecord(trial, status, values, found, 1)
    return TrialRecord(**json.loads(json.dumps(asdict(record))))


class Search:
    """A search's scheduler and what its workers do, in an order drawn from ``order``.

    Each worker keeps what its proposals share, as in a search.
    """

    earlier = NO_RUNS

    def __init__(self, config, records=(), workers=1, order=0, by_program=False):
        self.config, self.records, self.by_program = config, dict(records), by_program
        self.scheduler = (
            scheduler_by_program(config, self.records, self)
            if by_program
            else Scheduler(config.study, self.records, self)
        )
        self.total, self.told, self.begun = config.search.trials, [], []
        self.random, self.idle = random.Random(order), 0
        self.running = dict.fromkeys(f"worker{number}" for number in range(workers))
        self.memos = {worker: Memo() for worker in self.running}

    def run(self, steps=10_000):
        """Goes on until every worker is told to stop, or for so many steps."""
        for _ in range(steps):
            if not self.running:
                return self.records
            worker = self.random.choice(list(self.running))
            if self.running[worker] is None:
                self.begin(worker)
            else:
                self.end(worker)
        return self.records

    def begin(self, worker):
        trial = self.scheduler.next(worker)
        if trial is None and self.scheduler.complete:
            del self.running[worker]
        elif trial is None:
            # At the end they wait as well, should another worker be lost.
            running = [trial for trial in self.running.values() if trial is not None]
            self.idle += len(self.records) + len(running) < self.total
            assert running, "it waits for nobody"
            missing = self.missing()
            if not self.by_program or self.config.search.strategy in MODEL_BASED:
                missing = missing[:1]
            memo = self.memos[worker]
            for number in missing:
                assert propose(self.config.study, number, self.records, memo) is None
        else:
            assert trial in self.missing()
            self.running[worker] = trial
            self.begun.append(trial)

    def missing(self):
        """The trials that have not ended and that nobody runs."""
        running = set(self.running.values())
        return [n for n in range(self.total) if n not in self.records and n not in running]

    def end(self, worker):
        trial = self.running[worker]
        self.running[worker] = None
        values = propose(self.config.study, trial, self.records, self.memos[worker])
        record = ended(trial, dict(values))
        self.records[trial] = record
        self.scheduler.end(trial)
        assert self.told[-1] is record

    def recorded(self, trial):
        return self.records.get(trial)

    def leases_changed(self, leases):
        running = {w: trial for w, trial in self.running.items() if trial is not None}
        assert {w: lease.trial for w, lease in leases.items() if w in running} == running

    def ended(self, record):
        self.told.append(record)


def values_of(records):
    return {trial: records[trial].values for trial in sorted(records)}


class OracleContract:
    """Fill in the attributes.

    Attributes:
        strategy: Its name.
        settings: What its own table says.
        space: The tables of ``[space]``.
        trials: How many trials are played.
        waits: Whether a trial may have to wait for others.
        looks_further: Whether there are others to run meanwhile.
        in_order: Whether trials go in the order of their numbers whoever has which programs.
    """

    strategy: str
    settings: dict = {}
    space: dict = SPACE
    trials = 24
    waits = False
    looks_further = False
    in_order = False

    @classmethod
    def config(cls, trials=None, seed=0):
        own = {cls.strategy: cls.settings} if cls.settings else {}
        search = {"name": "played", "objective": "val_loss", "strategy": cls.strategy, **own}
        search |= {"trials": trials or cls.trials, "seed": seed}
        raw = {"search": search, "training": {"epochs": 9}, "space": cls.space}
        return parse_config(raw, "contract", None)

    @pytest.fixture(scope="class")
    @classmethod
    def undisturbed(cls):
        return Search(cls.config()).run()

    def test_the_order_of_the_tables_in_the_file_does_not_matter(self, undisturbed):
        turned = self.config()
        turned = replace(turned, space=dict(reversed(turned.space.items())))
        memo = Memo()
        for trial in range(self.trials):
            assert propose(turned.study, trial, undisturbed, memo) == undisturbed[trial].values

    def test_every_trial_runs_once_and_then_it_stops(self, undisturbed):
        assert list(undisturbed) == list(range(self.trials))
        search = Search(self.config(), undisturbed)
        search.begin("worker0")
        assert search.running == {}

    def test_failures_are_among_them(self, undisturbed):
        """The contract is about searches with failures as well."""
        failed = [record for record in undisturbed.values() if record.status == "failed"]
        assert 0 < len(failed) < self.trials

    def test_the_values_lie_in_the_space_and_only_active_ones_are_there(self, undisturbed):
        space = self.config().space
        for record in undisturbed.values():
            own = {name: record.values[name] for name in space if name in record.values}
            assert list(own) == list(active(space, {**dict.fromkeys(space), **own}))
            for name, value in own.items():
                parameter = space[name]
                if isinstance(parameter, Choice):
                    assert value in parameter.values
                else:
                    assert parameter.low <= value <= parameter.high
                    assert type(value) is {"int": int, "float": float}[parameter.kind]
        assert any("momentum" not in record.values for record in undisturbed.values())

    def test_a_trial_is_what_the_records_before_it_make_it(self, undisturbed):
        """No memory: its values can be asked for at any time, in any order."""
        for trial in [self.trials - 1, 0, self.trials // 2]:
            shuffled = sorted(undisturbed.items(), key=lambda item: item[0] * 7 % 5)
            earlier = {t: record for t, record in shuffled if t < trial}
            assert propose(self.config().study, trial, earlier) == undisturbed[trial].values
            assert propose(self.config().study, trial, dict(shuffled)) == undisturbed[trial].values
        kept = Memo()
        for trial in (*range(self.trials), *range(self.trials)):
            assert (
                propose(self.config().study, trial, undisturbed, kept) == undisturbed[trial].values
            )

    def test_to_maximize_is_to_minimize_the_negative(self, undisturbed):
        turned = {
            trial: replace(record, score=None if record.score is None else -record.score)
            for trial, record in undisturbed.items()
        }
        study = replace(self.config().study, direction="max")
        trial = self.trials * 3 // 4
        expected = {
            name: value if isinstance(value, str) else pytest.approx(value, rel=1e-5)
            for name, value in undisturbed[trial].values.items()
        }
        assert propose(study, trial, turned) == expected

    def test_a_worker_that_asks_again_gets_its_own_trial(self):
        scheduler = Search(self.config()).scheduler
        first = scheduler.next("worker0")
        assert scheduler.next("worker0") == first
        assert scheduler.next("worker1") != first

    @pytest.mark.parametrize("workers", [2, 5])
    @pytest.mark.parametrize("by_program", [False, True], ids=["by number", "by program"])
    def test_many_workers_find_the_same_trials(self, undisturbed, workers, by_program):
        search = Search(self.config(), workers=workers, order=workers, by_program=by_program)
        assert values_of(search.run()) == values_of(undisturbed)
        assert (search.idle > 0) == (self.waits and not (by_program and self.looks_further))

    @pytest.mark.parametrize("workers", [1, 3])
    def test_the_order_of_their_numbers_is_left_only_for_the_programs(self, workers):
        by_number, by_program = (
            Search(self.config(), workers=workers, order=7, by_program=by) for by in (False, True)
        )
        by_number.run()
        by_program.run()
        assert by_number.begun == list(range(self.trials))
        assert sorted(by_program.begun) == by_number.begun
        assert (by_program.begun == by_number.begun) == self.in_order

    @pytest.mark.parametrize("steps", [3, 9, 17])
    def test_an_interrupted_search_finds_the_same_trials(self, undisturbed, steps):
        """Several workers were stopped with trials under way: the record has holes."""
        search = Search(self.config(), workers=3, order=steps)
        records = search.run(steps)
        assert len(records) < self.trials
        assert values_of(Search(self.config(), records).run()) == values_of(undisturbed)

    def test_a_trial_that_was_lost_is_found_again(self, undisturbed):
        lost = self.trials // 2
        records = {t: record for t, record in undisturbed.items() if t != lost}
        assert values_of(Search(self.config(), records).run()) == values_of(undisturbed)

    def test_more_trials_leave_those_before_as_they_were(self, undisturbed):
        short = self.config(self.trials - 3)
        records = Search(short).run()
        assert list(records) == list(range(self.trials - 3))
        assert values_of(Search(self.config(), records).run()) == values_of(undisturbed)

    def test_a_seed_decides_and_zero_is_one(self, undisturbed):
        assert values_of(Search(self.config(seed=0)).run()) == values_of(undisturbed)
        firsts = [propose(self.config(seed=seed).study, 0, {}) for seed in range(8)]
        assert len({json.dumps(values) for values in firsts}) > 4
