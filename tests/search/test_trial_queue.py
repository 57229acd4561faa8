"""A worker is given trials whose programs it has; none waits for that, and none runs twice."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfcourse
from tests.search.journal import Journal
from tfcourse.search.config.architecture import program_of
from tfcourse.search.config.load import load_config, parse_config
from tfcourse.search.engine.rpc import RemoteScheduler
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.runtime.chief import run_chief
from tfcourse.search.runtime.scheduling import scheduler_by_program
from tfcourse.search.runtime.service import Service
from tfcourse.search.scheduler.scheduler import Scheduler
from tfcourse.search.scheduler.trial_queue import LOOK_AHEAD, TrialQueue, choose
from tfcourse.search.space.sampling import sample
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.errors import SearchFailedError
from tfcourse.search.store.journal import SearchJournal
from tfcourse.search.strategies.hyperband import hyperband_round
from tfcourse.search.strategies.proposals import propose

RATE = {"learning_rate": {"low": 1e-3, "high": 1.0, "scale": "log"}}
UNITS = {"units": {"values": [4, 8, 16]}}
SIZES = {"batch_size": {"values": [8, 16]}}
DIGITS = Path(tfcourse.__file__).parents[1] / "tuner_configs" / "digits.toml"
WORKERS = st.sampled_from("abc")


def config(space, trials=12, **search):
    raw = {"search": {"name": "handout", "trials": trials, **search}, "space": space}
    return parse_config(raw, "handout.toml", None)


class TestChoice:
    PROGRAMS = {3: "X", 5: "Y", 6: "Y", 8: "Z", 9: "X"}

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({}, 3),
            ({"w": "Y"}, 5),
            ({"w": "ZY"}, 5),
            ({"w": "Z", "v": "XY"}, 8),
            ({"w": "Q", "v": "XY"}, 8),
            ({"v": "X"}, 5),
            ({"v": "X", "u": "YZ"}, 3),
        ],
    )
    def test_its_own_then_nobodys_then_any(self, given, expected):
        assert choose(self.PROGRAMS, given, "w") == expected

    def test_of_none(self):
        assert choose({}, {"w": "X"}, "w") is None


def by_the_rule(free, programs, has, worker):
    """The first trial of the first of three lists that has any."""
    own = [n for n in free if programs[n] in has[worker]]
    new = [n for n in free if not any(programs[n] in kept for kept in has.values())]
    return next((min(some) for some in (own, new, free) if some), None)


class TestHandout:
    @settings(max_examples=200, deadline=None)
    @given(
        programs=st.lists(st.integers(0, 4), max_size=20).map(lambda some: some * 5),
        kept=st.integers(0, 3),
        in_round=st.integers(1, 100),
        steps=st.lists(
            st.tuples(st.sampled_from(["ask", "ask", "end", "lose"]), WORKERS), max_size=150
        ),
    )
    def test_what_is_given_to_whom(self, programs, kept, in_round, steps):
        """Whatever happens: by the rule, each trial to one, and none kept back without need."""
        ended, runs = set(), {}
        free, has = set(range(len(programs))), {name: [] for name in "abc"}

        def begun(trial):
            return ended.issuperset(range(trial // in_round * in_round))

        handout = TrialQueue(free, lambda t: programs[t] if begun(t) else None, kept)

        def ask(worker):
            ahead = [trial for trial in sorted(free)[:LOOK_AHEAD] if begun(trial)]
            expected = by_the_rule(ahead, programs, has, worker)
            assert handout.next(worker) == expected
            if expected is None:
                assert not ahead
                return
            handout.take(expected, worker)
            free.remove(expected)
            runs[worker] = expected
            others = [p for p in has[worker] if p != programs[expected]]
            has[worker] = [*others, programs[expected]][-kept:] if kept else []

        def lose(worker):
            if worker in runs:
                free.add(runs[worker])
                handout.put_back(runs.pop(worker))
            handout.forget(worker)
            has[worker] = []

        for what, worker in steps:
            if what == "ask" and worker not in runs:
                ask(worker)
            elif what == "end" and worker in runs:
                ended.add(runs.pop(worker))
            elif what == "lose":
                lose(worker)
        for worker in list(runs):
            lose(worker)
        while len(ended) < len(programs):
            ask("a")
            ended.add(runs.pop("a"))
        assert handout.next("a") is None

    def test_a_trial_is_free_once(self):
        handout = TrialQueue([2, 0, 1], lambda trial: ())
        handout.put_back(1)
        handout.discard(7)
        assert [handout.next("w"), handout.discard(0)] == [0, None]
        assert [handout.next("w"), handout.discard(1)] == [1, None]
        assert [handout.next("w"), handout.discard(2)] == [2, None]
        assert handout.next("w") is None

    def test_by_default_no_program_is_kept(self):
        handout = TrialQueue(range(4), lambda trial: trial % 2)
        handout.take(0, "w")
        assert handout.next("w") == 1

    def test_of_two_programs_the_one_that_was_used_last_is_kept(self):
        known = 4
        handout = TrialQueue(range(6), lambda t: "XYXZYX"[t] if t < known else None, 2)
        for expected in (0, 2, 1, 3):
            assert handout.next("w") == expected
            handout.take(expected, "w")
            if expected == 1:
                handout.put_back(2)
                assert handout.next("w") == 2  # one more of X: Y is now the one that goes
                handout.take(2, "w")
        known = 6
        assert handout.next("w") == 5

    def test_a_program_is_asked_for_once(self):
        """Not for each trial again at every handout; nor of trials far ahead."""
        asked = []

        def program_of(trial):
            asked.append(trial)
            return trial % 7

        handout = TrialQueue(range(1000), program_of, 16)
        for number in range(10):
            handout.take(handout.next("ab"[number % 2]), "ab"[number % 2])
        assert asked == list(range(LOOK_AHEAD + 9))


def finish(scheduler, trial):
    """Put a trial on record."""
    values = propose(scheduler.study, trial, scheduler.journal.records)
    record = TrialRecord(trial, "completed", values, 0.5, 1)
    scheduler.journal.records.setdefault(trial, record)


def play(oracle, workers):
    """Every worker asks and ends in turn until all are told to stop; who had which, in order."""
    given, held = [], dict.fromkeys(workers)
    while not oracle.complete:
        for worker in workers:
            if held[worker] is None:
                trial = oracle.next(worker)
                if trial is not None:
                    given.append((worker, trial))
                    held[worker] = trial
            else:
                trial, held[worker] = held[worker], None
                finish(oracle, trial)
                oracle.end(trial)
    assert sorted(number for _, number in given) == list(range(oracle.study.trials))
    return given


def compiled(search, given):
    """The programs that are compiled: one for each worker and combination of units and layers."""
    drawn = {number: sample(search.space, search.search.seed, number) for _, number in given}
    return {(w, drawn[n].get("units"), drawn[n].get("layers")) for w, n in given}


class TestOracle:
    def oracle(self, search, leases=None, by_program=True):
        if by_program:
            return scheduler_by_program(search, {}, Journal(), leases)
        return Scheduler(search.study, {}, Journal(), leases)

    def test_two_workers_share_out_the_architectures_of_the_digits(self):
        search = load_config(DIGITS)
        by_number = play(self.oracle(search, by_program=False), "ab")
        by_program = play(self.oracle(search), "ab")
        kinds = {kind[1:] for kind in compiled(search, by_number)}
        assert [number for _, number in by_number] == list(range(24))
        assert len(compiled(search, by_number)) > 1.4 * len(kinds)
        assert len(kinds) <= len(compiled(search, by_program)) <= len(kinds) + 1

    @pytest.mark.parametrize("workers", [1, 2, 4])
    def test_where_the_work_divides_evenly_nothing_is_compiled_twice(self, workers):
        rates = {"learning_rate": {**RATE["learning_rate"], "points": 6}}
        units = {"units": {"values": [4, 8, 16, 32]}}
        search = config({**rates, **units}, 24, strategy="grid")
        given = play(self.oracle(search), "abcd"[:workers])
        values = {n: propose(search.study, n, {}) for n in range(24)}
        assert len({(worker, values[n]["units"]) for worker, n in given}) == 4

    def test_the_architecture_of_the_last_trial_then_a_new_one_then_any(self):
        search = config({**RATE, **UNITS})
        units = [sample(search.space, 0, n)["units"] for n in range(12)]
        oracle = self.oracle(search)
        first = units[0]
        mine = [n for n in range(12) if units[n] == first]
        for number in mine[:-1]:
            trial = oracle.next("a")
            assert trial == number
            oracle.journal.records[number] = TrialRecord(number, "failed", {}, message="it broke")
            oracle.end(trial)
        other = next(n for n in range(12) if units[n] != first)
        assert oracle.next("b") == other
        assert oracle.next("a") == mine[-1]
        third = next(n for n in range(12) if units[n] not in (first, units[other]))
        assert oracle.next("c") == third
        left = set(range(12)) - {*mine, other, third}
        assert oracle.next("d") == min(left)  # nobody stays idle

    def test_a_process_with_several_trials_in_hand_takes_those_of_one_architecture(self):
        search = config({**RATE, **UNITS, **SIZES}, 24)
        units = [sample(search.space, 0, n)["units"] for n in range(24)]
        oracle = self.oracle(search)
        hand = [oracle.next(f"w1/{n}") for n in range(8)]
        other = [oracle.next(f"w2/{n}") for n in range(8)]
        assert hand == sorted(hand, key=lambda n: (units[n] != units[0], n))
        assert units[other[0]] not in {units[n] for n in hand}

    def test_a_chief_that_takes_over_knows_the_programs_of_trials_under_way(self):
        search = config({**RATE, **UNITS})
        units = [sample(search.space, 0, n)["units"] for n in range(12)]
        before = self.oracle(search)
        other = [before.next(name) for name in "ab"][1]
        after = self.oracle(search, dict(before.journal.leases))
        assert after.next("b") == other
        after.journal.records[other] = TrialRecord(other, "failed", {}, message="it broke")
        of_b = [n for n in range(12) if units[n] == units[other]]
        assert of_b[0] == other
        assert after.next("b") == of_b[1]

    def test_the_programs_of_a_lost_worker_are_nobodys(self):
        search = config({**RATE, **UNITS})
        oracle = self.oracle(search)
        assert oracle.next("a") == 0
        oracle.release("a")
        assert oracle.next("b") == 0

    @pytest.mark.parametrize("kept", [0, 1, 2])
    def test_programs_that_are_not_kept_do_not_count(self, kept):
        """As in the worker's pool of models, the one that was used least recently goes."""
        search = config({**RATE, **UNITS}, 9, strategy="random", reuse_models=kept)
        units = [sample(search.space, 0, n)["units"] for n in range(9)]
        oracle, has, free = self.oracle(search), [], list(range(9))
        for _ in range(9):
            number = oracle.next("a")
            new = [n for n in free if units[n] not in has]
            assert number == min([n for n in free if units[n] in has] or new)
            free.remove(number)
            has = [u for u in has if u != units[number]] + [units[number]]
            has = has[-kept:] if kept else []
            oracle.journal.records[number] = TrialRecord(number, "failed", {}, message="it broke")

    def test_a_trial_that_goes_on_has_the_program_of_the_one_it_continues(self):
        raw = {"search": {"name": "handout", "trials": 46, "strategy": "hyperband"}}
        raw |= {"training": {"epochs": 9}, "space": {**RATE, **UNITS}}
        search = parse_config(raw, "handout.toml", None)
        size = hyperband_round(0, 9, search.settings.factor).size
        oracle = self.oracle(search)
        while not oracle.finished.keys() >= set(range(size)):
            trial = oracle.next("a")
            finish(oracle, trial)
            oracle.end(trial)
        trial = oracle.next("a")  # and not one of the next bracket
        assert trial == size
        assert "continues" in propose(search.study, trial, oracle.finished)

    @settings(max_examples=100, deadline=None)
    @given(
        by_program=st.booleans(),
        strategy=st.sampled_from(["random", "coarse_to_fine", "hyperband"]),
        steps=st.lists(
            st.tuples(st.sampled_from(["ask", "ask", "end", "lose", "late"]), WORKERS), max_size=80
        ),
    )
    def test_no_trial_is_lost_or_handed_out_after_its_end(self, by_program, strategy, steps):
        """Workers that are thought lost may come back, and may have ended their trials."""
        search = config({**RATE, **UNITS}, strategy=strategy)
        oracle = self.oracle(search, by_program=by_program)
        records, held, lost = oracle.journal.records, {}, []

        def record(trial):
            finish(oracle, trial)

        def ask(worker):
            trial = oracle.next(worker)
            if trial is not None:
                assert trial not in records
                assert trial not in held.values()
                held[worker] = trial
            else:
                assert held or oracle.complete, "it waits for nobody"

        for what, worker in steps:
            if what == "ask" and worker not in held:
                ask(worker)
            elif what == "end" and worker in held:
                record(held[worker])
                oracle.end(held.pop(worker))
            elif what == "lose":
                oracle.release(worker)
                lost += [held.pop(worker)] if worker in held else []
            elif what == "late" and lost:
                record(lost[0])
                if worker == "a":  # else the chief does not hear of it
                    oracle.end(lost[0])
                del lost[0]
        for worker in list(held):
            record(held[worker])
            oracle.end(held.pop(worker))
        while not oracle.complete:
            ask("a")
            if "a" in held:
                record(held["a"])
                oracle.end(held.pop("a"))
        assert sorted(record.trial for record in oracle.journal.told) == list(range(12))
        assert oracle.next("b") is None
        assert oracle.complete


class TestPrograms:
    def test_a_batch_size_is_none_of_the_program_s(self):
        builder = config(RATE).builder
        assert program_of({"batch_size": 8}, builder) == program_of({"batch_size": 16}, builder)
        assert program_of({"units": 8}, builder) != program_of({"units": 16}, builder)

    def test_unless_the_builder_takes_it(self):
        raw = {"model": {"builder": "tests.search.test_trial_queue:with_size"}}
        raw |= {"search": {"name": "own", "trials": 1}, "space": RATE}
        own = parse_config(raw, "handout.toml", None).builder
        assert program_of({"batch_size": 8}, own) != program_of({"batch_size": 16}, own)


def with_size(input_shape, classes, batch_size=8):
    raise NotImplementedError


WIDE = """
def wide(input_shape, classes, units):
    return keras.Sequential([
        keras.Input(input_shape), keras.layers.Dense(units),
        keras.layers.Dense(classes, activation="softmax"),
    ])
"""


class TestSearches:
    """Who asks for it: a chief, and no search in one process."""

    @pytest.fixture
    def search(self, quick):
        space = {"units": {"values": [2, 3]}, **RATE}
        search = quick(WIDE, builder="wide", space=space, search={"trials": 6})
        units = [sample(search.config.space, 0, trial)["units"] for trial in range(6)]
        assert units not in (sorted(units), sorted(units, reverse=True))
        return search

    def test_a_process_runs_the_trials_in_the_order_of_their_numbers(self, search, monkeypatch):
        order, ended = [], SearchJournal.ended

        def spy(journal, record):
            order.append(record.trial)
            ended(journal, record)

        monkeypatch.setattr(SearchJournal, "ended", spy)
        search.run(verbose=False)
        assert order == list(range(6))

    def test_a_chief_gives_each_worker_its_own_architecture_first(self, search):
        directory = RunDirectory(search.directory)
        given = {"a": [], "b": []}

        def work(port):
            remotes = {
                name: RemoteScheduler(f"127.0.0.1:{port}", "secret", name, 5.0) for name in given
            }
            for _ in range(4):
                for name, remote in remotes.items():
                    number = remote.next(name)
                    if number is not None:
                        values = propose(search.config.study, number, {})
                        given[name].append((values["units"], number))
                        record = TrialRecord(number, "failed", values, message="it broke")
                        directory.write_trial(record)
                        remote.end(number)

        service = Service("127.0.0.1", 0, "secret")
        with pytest.raises(SearchFailedError, match="All 6 trials failed"):
            run_chief(search.config, directory, service, {}, work)
        firsts = {name: trials[0][0] for name, trials in given.items()}
        assert set(firsts.values()) == {2, 3}
        for name, trials in given.items():
            own = [number for units, number in trials if units == firsts[name]]
            assert own == sorted(own)
            assert [number for _, number in trials][: len(own)] == own
        assert sorted(n for trials in given.values() for _, n in trials) == list(range(6))
