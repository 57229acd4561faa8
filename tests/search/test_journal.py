"""What a worker and a search write of a trial that ends: its record, its model, the tables."""

import errno
import os
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.search.protocol import SPACE, Disk, Model, config_of, record_of
from tfcourse.search.config.load import parse_config
from tfcourse.search.scheduler.leases import Lease
from tfcourse.search.store import journal as journals
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.journal import SearchJournal, TrialWriter
from tfcourse.search.store.model_file import sign_model
from tfcourse.search.store.reading import read_json
from tfcourse.search.store.summary import Summary
from tfcourse.search.strategies.stopping import EarlierRuns, Stop


def config_with(model=None, **search):
    search = {"name": "journal", "objective": "val_loss", "trials": 9, **search}
    raw = {"search": search, "training": {"epochs": 9}, "space": SPACE}
    return parse_config(raw | ({"model": model} if model else {}), "journal", None)


def completed(trial, score, units=8, **fields):
    """A trial's record; it has failed if there is no score."""
    record = record_of(trial, {"learning_rate": 0.01, "units": units}, "w1")
    status = "failed" if score is None else "completed"
    return replace(record, score=score, status=status, **fields)


def builder(input_shape, classes, units):
    raise NotImplementedError


OWN = {"builder": "tests.search.test_journal:builder"}


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """An empty run directory; a model is one entry of a zip file, and Keras is not imported."""
    made = RunDirectory(tmp_path / "run")
    made.create(config_of("random", 9).as_toml(), {"tfcourse": "0", "keras-tuner": "0"})
    with Disk().mounted(monkeypatch):
        yield made


def models(directory):
    return sorted(int(path.stem) for path in directory.models.glob("*.keras"))


class TestWriter:
    def test_the_model_of_each_that_may_be_the_best(self, directory):
        writer = TrialWriter(config_of("random", 9), directory)
        for trial, score in enumerate([0.5, 0.6, 0.4, 0.4]):
            writer.add(completed(trial, score), Model())
        writer.add(completed(4, None), None)
        assert models(directory) == [0, 2]
        assert [directory.has_model(trial) for trial in range(4)] == [True, False, True, False]
        assert [record.trial for record in writer.good] == [0, 2]
        assert [*directory.read_trials()] == [0, 1, 2, 3, 4]

    def test_with_a_target_later_trials_rule_out_nothing(self, directory):
        writer = TrialWriter(config_of("random", 9, {"target": 0.1}), directory)
        for trial, score in [(5, 0.4), (3, 0.5), (4, 0.6), (1, 0.5)]:
            writer.add(completed(trial, score), Model())
        assert models(directory) == [1, 3, 5]

    def test_every_model_with_the_checkpoints_of_all(self, directory):
        writer = TrialWriter(config_with(checkpoints="all"), directory)
        for trial, score in enumerate([0.5, 0.6]):
            writer.add(completed(trial, score), Model())
        assert models(directory) == [0, 1]
        assert [record.trial for record in writer.good] == [0]

    def test_the_models_of_the_pareto_set(self, directory):
        writer = TrialWriter(config_with(objectives=["val_loss", "parameters"]), directory)
        for trial, (score, parameters) in enumerate([(0.5, 20), (0.6, 10), (0.7, 30), (0.4, 40)]):
            writer.add(completed(trial, score, parameters=parameters), Model())
        assert models(directory) == [0, 1, 3]

    def test_the_first_record_stays(self, directory):
        writer = TrialWriter(config_of("random", 9), directory)
        late, first = completed(3, 0.5), completed(3, None)
        directory.write_trial(first)
        for trial in (3, 4):
            (directory.checkpoints / f"{trial:04d}").mkdir(parents=True)
        writer.add(late, Model())
        assert directory.read_trial(3).status == "failed"
        assert (models(directory), writer.good) == ([], [])
        writer.add(completed(4, 0.5), Model())
        assert [*directory.checkpoints.iterdir()] == []


class TestModelsOfAnOwnBuilder:
    """The first model of each architecture is loaded again, but for that of the preflight."""

    @pytest.fixture
    def loaded(self, monkeypatch):
        """The models that are loaded; with ``error`` that fails."""
        loaded = SimpleNamespace(trials=[], error=None)

        def load_model(path):
            loaded.trials.append(int(path.stem))
            if loaded.error is not None:
                raise loaded.error

        saving = SimpleNamespace(load_model=load_model, why_not_loadable=lambda e: f"model: {e}")
        monkeypatch.setitem(sys.modules, "tfcourse.models.saving", saving)
        return loaded

    def test_once_for_each_architecture(self, directory, loaded):
        writer = TrialWriter(config_with(OWN), directory)
        for trial, units in [(0, 4), (1, 4), (2, 8), (3, 8), (4, 16), (5, 16)]:
            without = trial == 4
            record = completed(trial, 0.5 - trial / 10, units)
            writer.add(record, None if without else Model())
        assert loaded.trials == [2, 5]
        assert models(directory) == [0, 1, 2, 3, 5]

    def test_none_of_the_package_s_own_builders(self, directory, loaded):
        writer = TrialWriter(config_of("random", 9), directory)
        writer.add(completed(1, 0.5), Model())
        assert (loaded.trials, models(directory)) == ([], [1])

    def test_one_that_can_t_be_loaded_has_failed(self, directory, loaded):
        writer, loaded.error = TrialWriter(config_with(OWN), directory), ValueError("unknown layer")
        record = completed(1, 0.5, parameters=7)
        writer.add(record, Model())
        found = directory.read_trial(1)
        assert (found.status, found.message) == ("failed", "Its model: unknown layer")
        assert "ValueError: unknown layer" in found.traceback
        kept = {"values": record.values, "worker": "w1", "seconds": 0.5, "history": record.history}
        assert {name: getattr(found, name) for name in kept} == kept
        assert (found.score, found.trial) == (None, 1)
        assert (models(directory), writer.good) == ([], [])
        loaded.error = None
        writer.add(completed(2, 0.5), Model())
        assert loaded.trials == [1, 2], "a failure shows nothing about the next one"

    def test_one_that_can_t_be_saved_has_failed(self, directory, loaded):
        class Unsavable:
            def save(self, path):
                raise TypeError("no config")

        TrialWriter(config_with(OWN), directory).add(completed(1, 0.5), Unsavable())
        assert directory.read_trial(1).message == "Its model: no config"
        assert loaded.trials == []

    def test_a_full_disk_is_no_failure_of_the_trial(self, directory, loaded):
        writer, loaded.error = (
            TrialWriter(config_with(OWN), directory),
            OSError(errno.ENOSPC, "full"),
        )
        with pytest.raises(OSError, match="full"):
            writer.add(completed(1, 0.5), Model())
        assert directory.read_trials() == {}


class TestJournal:
    @pytest.fixture
    def clock(self, monkeypatch):
        clock = SimpleNamespace(now=100.0)
        monkeypatch.setattr(journals, "time", SimpleNamespace(monotonic=lambda: clock.now))
        return clock

    @pytest.fixture
    def make(self, directory):
        def make(config, finished=(), **options):
            self.told = []
            return SearchJournal(
                config, directory, dict(finished), lambda *ended: self.told.append(ended), **options
            )

        return make

    def play(self, directory, journal, scores, **fields):
        """The trials with these scores end, each with its model; the records."""
        records = []
        for trial, score in scores:
            TrialWriter(journal.config, directory).add(completed(trial, score, **fields), Model())
            records.append(journal.recorded(trial))
            journal.ended(records[-1])
        return records

    def test_the_best_model_and_the_best_score(self, directory, make):
        journal = make(config_of("random", 9))
        assert (journal.best, journal.by_number, journal.trials_that_count) == (None, {}, {})
        records = self.play(directory, journal, [(0, None), (2, 0.5), (1, 0.6), (3, 0.4)])
        assert self.told == [*zip(records, [None, 0.5, 0.5, 0.4], strict=True)]
        assert journal.best is records[-1]
        assert (directory.best_trial(), models(directory)) == (3, [])
        assert journal.trials_that_count == {record.trial: record for record in records}

    def test_with_a_target_a_trial_counts_after_all_before_it(self, directory, make):
        journal = make(config_of("random", 9, {"target": 0.3}))
        self.play(directory, journal, [(1, 0.5), (2, 0.6), (4, 0.1)])
        assert (journal.best, directory.best_trial(), models(directory)) == (None, None, [1, 2, 4])
        self.play(directory, journal, [(0, 0.7)])
        assert (directory.best_trial(), models(directory)) == (1, [4])
        self.play(directory, journal, [(3, 0.2), (5, 0.0)])
        assert (directory.best_trial(), journal.best.trial) == (3, 3)
        journal.tidy(Stop("target", "target 0.3 reached", 4))
        assert (directory.best_trial(), models(directory)) == (3, [])
        assert [*journal.trials_that_count] == [1, 2, 0, 3]
        rows = directory.results.read_text().splitlines()[1:]
        assert [row.partition(",")[0] for row in rows] == ["0", "1", "2", "3", "4", "5"]
        assert ["Does not count" in row for row in rows] == [False] * 4 + [True] * 2

    def test_with_a_target_each_model_is_looked_at_once(self, make, monkeypatch):
        looked = []
        monkeypatch.setattr(RunDirectory, "keep_model", lambda _, trial, *how: looked.append(trial))
        journal = make(config_of("random", 9, {"target": 0.1}))
        for trial in (1, 0, 2, 4, 3, 5):
            journal.ended(completed(trial, 0.5 + trial / 10))
        assert looked == [0, 1, 2, 3, 4, 5]

    def test_with_a_target_of_an_objective_to_maximize(self, directory, make):
        journal = make(config_with(objective="val_accuracy", target=0.9))
        self.play(directory, journal, [(2, 0.99), (0, 0.5), (1, 0.95)])
        assert [score for _, score in self.told] == [None, 0.5, 0.95]
        assert directory.best_trial() == 1

    def test_of_an_earlier_run_the_trials_that_count_go_on(self, directory, make):
        config = config_of("random", 9, {"patience": 2})
        finished = {trial: completed(trial, 0.5 - trial / 10) for trial in range(2)}
        journal = make(config, finished)
        assert journal.best is finished[1]
        self.play(directory, journal, [(3, 0.2)])
        assert journal.best is finished[1]
        self.play(directory, journal, [(2, 0.3)])
        assert journal.best.trial == 3

    def test_what_counted_once_counts_under_a_tighter_target(self, directory, make):
        finished = {trial: completed(trial, 0.5 - trial / 10) for trial in range(3)}
        directory.write_summary(Summary(2, "val_loss", 0.3, {}, counted_trials=3))
        assert make(config_of("random", 9, {"target": 0.45}), finished).best is finished[2]

    def test_what_an_earlier_run_left_is_finished(self, directory, make):
        """Killed before the best model was in its place."""
        finished = {trial: completed(trial, 0.5 - trial / 10) for trial in range(2)}
        directory.models.mkdir()
        for trial in range(2):
            Model().save(directory.model_of(trial))
            sign_model(directory.model_of(trial), trial)
        journal = make(config_of("random", 9), finished)
        assert journal.earlier == EarlierRuns(1.0, 0)
        journal.tidy(None)
        assert (directory.best_trial(), models(directory)) == (1, [])

    def test_the_models_beside_the_best_one(self, directory, make):
        self.play(directory, make(config_with(checkpoints="all")), [(0, 0.5), (1, 0.4), (2, 0.6)])
        assert (directory.best_trial(), models(directory)) == (1, [0, 1, 2])

    def test_those_of_the_pareto_set(self, directory, make):
        journal = make(config_with(objectives=["val_loss", "parameters"]))
        self.play(directory, journal, [(0, 0.5), (1, 0.6)], parameters=20)
        assert (directory.best_trial(), models(directory)) == (0, [0])
        self.play(directory, journal, [(2, 0.6)], parameters=10)
        assert (directory.best_trial(), models(directory)) == (0, [0, 2])
        self.play(directory, journal, [(3, 0.4)], parameters=15)
        assert (directory.best_trial(), models(directory)) == (3, [2, 3])
        journal.tidy(None)
        assert (directory.best_trial(), models(directory)) == (3, [2, 3])

    def test_the_tables_are_due_after_two_seconds_or_twenty_times_their_own(
        self, directory, make, clock, monkeypatch
    ):
        journal, written, took = make(config_of("random", 9)), [], 0.01

        def write_tables(directory, records, names):
            written.append((clock.now, [record.trial for record in records]))
            clock.now += took
            assert [*names] == [*journal.config.columns]

        monkeypatch.setattr(RunDirectory, "write_tables", write_tables)
        for trial, now in enumerate([0.5, 2.5, 2.75, 4.5, 5.5]):
            clock.now = now
            journal.ended(completed(trial, 0.5))
        assert written == [(0.5, [0]), (2.75, [0, 1, 2]), (5.5, [0, 1, 2, 3, 4])]
        clock.now, took = 200.0, 1.0
        journal.ended(completed(5, 0.5))
        assert journal.tables_due == 221.0
        clock.now = 221.0
        journal.ended(completed(6, 0.5))
        assert len(written) == 4

    def test_an_interruption_writes_all_that_is_on_record(self, directory, make, clock):
        journal = make(config_of("random", 9))
        journal.ended(completed(0, 0.5))
        directory.write_trial(completed(1, 0.4))  # not told
        journal.break_off()
        assert directory.has_tables([completed(0, 0.5), completed(1, 0.4)], journal.config.columns)

    def test_a_full_disk_does_not_hide_the_error_that_ended_the_search(self, make, monkeypatch):
        journal, tried = make(config_of("random", 9)), []

        def full(*arguments):
            tried.append(arguments)
            raise OSError(errno.ENOSPC, "full")

        monkeypatch.setattr(RunDirectory, "write_tables", full)
        journal.break_off()
        assert len(tried) == 1

    def test_the_rounds_of_a_search_from_coarse_to_fine(self, directory, make):
        config = config_of("coarse_to_fine", 9, trials_per_round=3, rule="halving")
        journal = make(config)
        for trial in range(4):
            journal.ended(completed(trial, 0.5 - trial / 10))
        journal.write_tables()
        rounds = directory.read_rounds()
        assert [(r["first_trial"], r["last_trial"]) for r in rounds] == [(0, 2), (3, 5)]

    def test_the_leases_of_a_chief(self, directory, make, monkeypatch):
        flushed, leases = [], {"w1/0": Lease(3, 1.5), "w2": Lease(4, 2.5)}
        make(config_of("random", 9)).leases_changed(leases)
        assert not directory.leases.exists()
        monkeypatch.setattr(os, "fsync", flushed.append)
        make(config_of("random", 9), writes_leases=True).leases_changed(leases)
        assert read_json(directory.leases) == {
            "w1/0": {"trial": 3, "since": 1.5},
            "w2": {"trial": 4, "since": 2.5},
        }
        assert flushed == []
