"""The end of a search by a target, a patience or its time: pure functions, scheduler, record."""

import io
import json
import math
import random
from dataclasses import replace
from types import SimpleNamespace

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfcourse
from tests.search.journal import Journal
from tfcourse import InputError
from tfcourse.console import PlainConsole
from tfcourse.search.records.trial_record import TrialRecord, rank
from tfcourse.search.runtime.progress import SearchProgress
from tfcourse.search.scheduler import scheduler as scheduling
from tfcourse.search.scheduler.scheduler import Scheduler
from tfcourse.search.space.parameters import Range
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.strategies.stopping import (
    EarlierRuns,
    Limits,
    find_stop,
    latest_end,
    seconds_on_record,
    trials_that_count,
)
from tfcourse.search.strategies.study import Study

SCORES = st.lists(st.one_of(st.none(), st.integers(-4, 4)), min_size=1, max_size=14)
LIMITS = st.builds(
    Limits,
    target=st.one_of(st.none(), st.integers(-4, 4)),
    patience=st.one_of(st.none(), st.integers(1, 5)),
    min_delta=st.integers(0, 2),
)
DIRECTIONS = st.sampled_from(["max", "min"])


def record(trial, score, worker="main", seconds=1.0):
    status = "failed" if score is None else "completed"
    return TrialRecord(trial, status, {}, score, seconds=seconds, worker=worker)


def records(scores):
    return {trial: record(trial, score) for trial, score in enumerate(scores)}


def end_by_keras(scores, direction, limits):
    """The number of trials after which a limit is met, by Keras's own ``EarlyStopping``."""
    model = SimpleNamespace(stop_training=False)
    stopping = keras.callbacks.EarlyStopping(
        "score", limits.min_delta, limits.patience or 10**6, mode=direction
    )
    stopping.set_model(model)
    stopping.on_train_begin()
    worst = -1e9 if direction == "max" else 1e9
    for trial, score in enumerate(scores):
        better = score is not None and limits.target is not None
        if better and (score >= limits.target if direction == "max" else score <= limits.target):
            return trial + 1
        stopping.on_epoch_end(trial, {"score": worst if score is None else score})
        if model.stop_training:
            return trial + 1
    return None


class TestTheFirstTrialsThatMeetALimit:
    @settings(max_examples=200, deadline=None)
    @given(
        scores=SCORES.filter(lambda scores: scores[0] is not None),
        direction=DIRECTIONS,
        limits=LIMITS,
    )
    def test_are_those_of_keras(self, scores, direction, limits):
        stop = find_stop(limits, direction, records(scores), len(scores))
        assert (stop and stop.end) == end_by_keras(scores, direction, limits)

    @settings(max_examples=200, deadline=None)
    @given(scores=SCORES, direction=DIRECTIONS, limits=LIMITS, data=st.data())
    def test_are_known_once_they_have_ended(self, scores, direction, limits, data):
        """Later trials on record change nothing, and a missing one keeps the end open."""
        stop = find_stop(limits, direction, records(scores), len(scores))
        if stop is None:
            return
        on_record = {n: r for n, r in records(scores).items() if n < stop.end}
        assert find_stop(limits, direction, on_record, len(scores)) == stop
        missing = data.draw(st.integers(0, stop.end - 1))
        del on_record[missing]
        later = find_stop(limits, direction, on_record, len(scores))
        assert later is None or later.end <= missing

    def test_by_patience(self):
        scores = [0.5, 0.4, 0.41, 0.4, 0.39]
        stop = find_stop(Limits(patience=2), "min", records(scores), 24)
        assert (stop.reason, stop.end) == ("patience", 4)
        assert stop.text == "patience 2 reached by trial 3 of 24, none better since trial 1"

    def test_by_failures(self):
        stop = find_stop(Limits(patience=3), "min", records([None] * 5), 24)
        assert stop.text == "patience 3 reached by trial 2 of 24, none completed"
        assert find_stop(Limits(patience=1), "min", records([None]), 24) is None

    def test_a_pruned_trial_reaches_no_target(self):
        behind = {0: replace(record(0, 0.1), status="pruned")}
        assert find_stop(Limits(target=0.5), "min", behind, 24) is None

    @pytest.mark.parametrize("score", [math.inf, -math.inf, math.nan, None])
    @pytest.mark.parametrize("direction", ["max", "min"])
    def test_a_score_that_is_not_finite_is_none(self, direction, score):
        ended = {trial: replace(record(trial, 0.1), score=score) for trial in range(3)}
        assert find_stop(Limits(target=0.5), direction, ended, 24) is None
        stop = find_stop(Limits(patience=2), direction, ended, 24)
        assert stop.text == "patience 2 reached by trial 1 of 24, none completed"

    def test_those_of_an_earlier_end_count_whatever_the_limits(self):
        scores = [0.5, 0.4, 0.3, 0.2]
        earlier = EarlierRuns(least=3)
        stop = find_stop(Limits(target=0.45), "min", records(scores), 9, earlier)
        assert (stop.end, stop.text) == (3, "target 0.45 reached by trial 1 of 9")

    def test_a_trial_that_runs_may_be_the_better_one(self):
        ended = records([0.5, 0.5, 0.5, 0.5])
        assert latest_end(Limits(patience=3), "min", ended, 9) == 4
        del ended[2]
        assert latest_end(Limits(patience=3), "min", ended, 9) == 9
        assert latest_end(Limits(patience=1), "min", ended, 9) == 2
        assert latest_end(Limits(target=0.5), "min", ended, 9) == 1

    def test_are_sought_among_the_trials_on_record_alone(self):
        """A search may have a million trials, and looks for its end after each of them."""

        class Counted(dict):
            lookups = 0

            def get(self, number):
                self.lookups += 1
                return super().get(number)

        ended = Counted(records([0.5, 0.4]))
        assert find_stop(Limits(patience=2), "min", ended, 10**6) is None
        assert latest_end(Limits(patience=2), "min", ended, 10**6) == 10**6
        assert ended.lookups == 4
        # Records that were lost of trials that counted.
        assert latest_end(Limits(target=0.4), "min", ended, 10**6, 5) == 5


class TestSeconds:
    def test_of_one_process_after_the_other(self):
        ended = {
            0: record(0, 1.0, "w1", 5.0),
            1: record(1, 1.0, "w2", 7.0),
            2: record(2, 1.0, "w1", 4.0),
            3: record(3, 1.0, "main", 3.0),
        }
        assert seconds_on_record(ended) == 9.0 + 3.0
        assert seconds_on_record({}) == 0.0

    def test_end_a_search(self):
        limits, ended = Limits(max_seconds=60.0), records([0.1, 0.2])
        stop = find_stop(limits, "min", ended, 3, EarlierRuns(60.0))
        assert (stop.reason, stop.end) == ("max_seconds", None)
        assert stop.text == "max_seconds 60 reached after 2 of 3 trials"
        assert find_stop(limits, "min", ended, 3, EarlierRuns(59.9)) is None
        assert find_stop(limits, "min", ended, 2, EarlierRuns(60.0)) is None  # all have ended


def study(trials, direction="min"):
    space = {"learning_rate": Range("float", 0.01, 0.1, None, "log")}
    return Study("random", None, space, 0, direction, trials, 1)


class TestScheduler:
    @settings(max_examples=150, deadline=None)
    @given(
        scores=SCORES,
        direction=DIRECTIONS,
        limits=LIMITS,
        workers=st.integers(1, 4),
        seed=st.integers(0, 10**6),
    )
    def test_any_workers_end_with_the_trials_of_one(self, scores, direction, limits, workers, seed):
        """Workers end in any order, and are lost; the trials that count are those of one."""
        trials, hand = len(scores), random.Random(seed)
        journal = Journal()
        made = Scheduler(study(trials, direction), {}, journal, limits=limits)
        for _ in range(1000):
            if made.complete and not made.leases:
                break
            worker = f"w{hand.randrange(workers)}"
            if (lease := made.leases.get(worker)) is None:
                assert made.next(worker) is not None or made.leases or made.complete
            elif hand.random() < 0.2:
                made.release(worker)
            else:
                journal.records[lease.trial] = record(lease.trial, scores[lease.trial], worker)
                made.end(lease.trial)
        assert made.complete
        assert not made.leases
        everything = records(scores)
        alone = find_stop(limits, direction, everything, trials)
        assert made.stop == alone
        mine = trials_that_count(made.finished, made.stop)
        assert mine.keys() == trials_that_count(everything, alone).keys()
        assert [r.trial for r in rank(mine.values(), direction)] == [
            r.trial for r in rank(trials_that_count(everything, alone).values(), direction)
        ]

    def test_no_trial_begins_after_max_seconds(self, monkeypatch):
        clock = SimpleNamespace(now=100.0)
        fake = SimpleNamespace(monotonic=lambda: clock.now, time=lambda: clock.now)
        monkeypatch.setattr(scheduling, "time", fake)
        journal = Journal()
        journal.earlier = EarlierRuns(10.0)
        made = Scheduler(study(5), {}, journal, limits=Limits(max_seconds=60.0))
        clock.now = 500.0  # the seconds before the first trial don't count
        assert [made.next("w1"), made.next("w2")] == [0, 1]
        clock.now = 549.9
        journal.records[0] = record(0, 0.5)
        made.end(0)
        assert made.next("w1") == 2
        clock.now = 550.0
        assert made.complete
        assert made.leases.keys() == {"w1", "w2"}, "they end as usual"
        journal.records[1] = record(1, 0.5)
        made.end(1)
        assert made.next("w2") is None
        assert made.next("w1") is None, "a worker that was lost does not begin again"
        assert not made.leases
        assert made.seconds == 60.0
        assert made.stop.text == "max_seconds 60 reached after 2 of 5 trials"


def outline(result):
    best, trials = result.best, trials_that_count(result.trials, result.stop)
    return best.trial, best.values, best.score, sorted(trials), result.stop and result.stop.text


class TestSearch:
    """With scores that fall with the learning rates, which are random."""

    SEARCH = {"objective": "val_loss", "trials": 12, "seed": 8}

    @pytest.fixture
    def run(self, quick, untrained):
        """Runs the search of 12 trials with some limits, in one run directory for each name."""
        search = quick(search=self.SEARCH)

        def run(out="runs", **limits):
            return tfcourse.Search.from_toml("search.toml", out=out, **limits).run(verbose=False)

        assert search.directory.parent.name == "runs"
        return run

    def test_stops_goes_on_and_stops_again(self, run):
        losses = [r.score for _, r in sorted(run("all").trials.items())]
        ordered = sorted(losses)
        first = next(n for n, loss in enumerate(losses) if loss <= ordered[3])
        result = run(target=ordered[3])
        assert (result.best.trial, len(result.trials)) == (first, first + 1)
        text = f"target {ordered[3]:g} reached by trial {first} of 12"
        assert f"ended by    {text}" in str(result)
        kept = json.loads((result.directory / "summary.json").read_text())
        assert (kept["stopped"], kept["counted_trials"]) == (text, first + 1)
        assert run(target=ordered[3]).was_complete
        assert tfcourse.Search.read_result(result.directory).stop.text == text
        # Another limit continues; a tighter one leaves what counted.
        last = run(target=ordered[0])
        assert not last.was_complete
        assert last.best.score == ordered[0]
        assert run(target=ordered[3]).best == last.best
        assert run().trials.keys() == set(range(12))
        assert run(target=ordered[3]).stop.end == 12

    def test_patience(self, run):
        scores = [r.score for _, r in sorted(run("all").trials.items())]
        result = run(patience=2)
        assert len(result.trials) == end_by_keras(scores, "min", Limits(patience=2))

    def test_max_seconds(self, run):
        result = run(max_seconds=1e-9)
        assert len(result.trials) == 1, "one trial begins before any time has passed"
        assert result.stop.text == "max_seconds 1e-09 reached after 1 of 12 trials"
        assert run(max_seconds=1e-9).was_complete
        kept = json.loads((result.directory / "summary.json").read_text())
        assert kept["seconds"] > 0
        more = run(max_seconds=1e9)
        assert (len(more.trials), more.stop) == (12, None)

    def test_the_seconds_of_the_summary_count(self, run):
        """They have the time between the trials too, which the trials' own seconds lack."""
        result = run(max_seconds=1e-9)
        summary = result.directory / "summary.json"
        summary.write_text(json.dumps({**json.loads(summary.read_text()), "seconds": 500.0}))
        assert run(max_seconds=400.0).was_complete
        assert not run(max_seconds=1e9).was_complete

    def test_trials_after_the_end_are_marked(self, run):
        """As after a run of two workers: trial 2, the best of all, is on record."""
        directory = RunDirectory(run(trials=3).directory)
        for trial, score in enumerate([0.5, 0.4, 0.1]):
            directory.write_trial(replace(directory.read_trial(trial), score=score))
        directory.summary.unlink()
        result = run(target=0.45)
        assert result.best.trial == 1
        assert RunDirectory(result.directory).best_trial() == 1
        assert "reached by trial 1 of 12; trial 2 after it does not count" in str(result)
        rows = (result.directory / "results.csv").read_text().splitlines()
        assert ["Does not count" in row for row in rows] == [False, False, False, True]
        assert run(target=0.45).was_complete
        again = tfcourse.retest(result.directory, top=3)
        assert [trial.trial for trial in again.trials] == [1, 0]

    def test_the_bar_shows_the_limits(self, quick):
        limits = {"target": 0.05, "patience": 20, "max_seconds": 600.0}
        config = quick(search=self.SEARCH | limits).config
        bar = SearchProgress(config, records([0.3]), disable=True)
        bar.advance(record(1, 0.3), 0.3)
        bar.began("w1", 2)
        running = bar.progress.tasks[0].fields["running"]
        assert running == "target 0.05, patience 1 of 20, max 600 s, w1: 2"
        narrow = PlainConsole(width=80, file=io.StringIO())
        narrow.print(bar.progress.get_renderable())
        text = narrow.file.getvalue()
        assert "…" not in text
        assert {"patience", "w1:", "-:--:--"} <= set(text.split())

    @pytest.mark.parametrize(
        ("settings", "error"),
        [
            ({"max_seconds": 0}, r"max_seconds: must be greater than 0\. Received: 0"),
            ({"max_seconds": -1.0}, r"max_seconds: must be greater than 0\. Received: -1"),
            ({"patience": 0}, r"patience: must be greater than or equal to 1\. Received: 0"),
            ({"target": float("nan")}, r"target: must be a finite number\. Received: nan"),
            ({"min_delta": -0.1}, r"min_delta: must be greater than or equal to 0\."),
            (
                {"patience": 3, "strategy": "hyperband"},
                r'patience is not for strategy "hyperband", .* Remove it, or use target',
            ),
        ],
    )
    def test_what_they_can_be(self, settings, error):
        space = {"learning_rate": {"low": 1e-3, "high": 0.1, "scale": "log"}}
        with pytest.raises(InputError, match=f"Search: {error}"):
            tfcourse.Search(space=space, trials=2, **settings)


class TestWorkers:
    """Real trainings: one process, two, populations, and a kill, end with the same best trial."""

    SEARCH = {"objective": "val_loss", "trials": 12, "patience": 3, "seed": 2}

    def test_two_workers_and_groups(self, quick, tmp_path):
        def run(workers=None, **search):
            model = {"builder": "mlp", "layers": 1, "units": 4}
            search = quick(search=self.SEARCH | search, model=model)
            return search.run(verbose=False, workers=workers)

        alone = run(name="alone")
        assert alone.stop.end < 12
        two = run(2, name="two")
        assert outline(two) == outline(alone)
        assert two.summary.test == alone.summary.test
        groups = run(name="groups", caviar="population")
        assert outline(groups)[3:] == outline(alone)[3:]
        assert groups.best.trial == alone.best.trial
