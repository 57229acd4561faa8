"""A search from config to finished run directory, and back into it after whatever happened."""

import csv
import json
import logging
import os
import re
import shutil
import signal
import sys
import threading
import tomllib
import zipfile
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest
from keras_tuner.engine.base_tuner import BaseTuner

import tfcourse
from tests import processes
from tests.search.conftest import RATE
from tests.search.journal import Journal
from tfcourse import InputError, Search, SearchFailedError
from tfcourse.bench.search_tuner import to_hyperparameters
from tfcourse.errors import WorkFailedError
from tfcourse.search.config.load import load_config
from tfcourse.search.data.loading import load_split
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.runtime import conclusion, execution
from tfcourse.search.scheduler.scheduler import Scheduler
from tfcourse.search.space.parameters import Choice, Range
from tfcourse.search.space.sampling import sample
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.journal import SearchJournal
from tfcourse.search.strategies.proposals import Proposer

TRIALS, EPOCHS = 3, 2
DIGITS = f"""
[search]
name = "small"
trials = {TRIALS}

[model]
layers = 1
units = 16

[training]
epochs = {EPOCHS}
batch_size = 256

[space.learning_rate]
low = 1e-4
high = 0.1
scale = "log"

[space.beta_1]
low = 0.9
high = 0.999
scale = "one_minus_log"

[space.batch_norm]
values = ["before_activation", "none"]
"""
NAMES = ["learning_rate", "beta_1", "batch_norm"]


@pytest.fixture(scope="module")
def config_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "search.toml"
    path.write_text(DIGITS, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tensorflow_logged():
    """What TensorFlow logs while the search below runs."""
    return []


@pytest.fixture(scope="module")
def undisturbed(config_file, tmp_path_factory, tensorflow_logged):
    """The search that the others are compared with; nobody changes its directory."""

    class Keep(logging.Handler):
        def emit(self, record):
            tensorflow_logged.append(record.getMessage())

    handler = Keep(logging.WARNING)
    logging.getLogger("tensorflow").addHandler(handler)
    try:
        return Search.from_toml(config_file, out=tmp_path_factory.mktemp("out")).run(verbose=False)
    finally:
        logging.getLogger("tensorflow").removeHandler(handler)


@pytest.fixture
def finished(config_file, undisturbed, tmp_path):
    """A copy of the finished search that a test may damage."""
    shutil.copytree(undisturbed.directory, tmp_path / "small")
    return Search.from_toml(config_file, out=tmp_path)


def trial_files(directory):
    return sorted(path.name for path in (directory / "trials").iterdir())


def record(directory, trial):
    """A trial's record; all of it repeats but the seconds."""
    fields = json.loads((directory / "trials" / f"{trial:04d}.json").read_text(encoding="utf-8"))
    assert fields.pop("seconds") > 0
    return fields


def table(path):
    """A table's header and rows; its ``seconds`` empty."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows, f"{path} is empty"
    return [{**row, "seconds": ""} if "seconds" in row else row for row in rows]


def undated(path):
    """The text of a summary.json without its dates, which are what can't repeat."""
    text, count = re.subn(r'"date": "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"', "", path.read_text())
    assert count == len(json.loads(path.read_text())["measurements"]) > 0
    return text


def assert_same_search(directory, expected):
    assert trial_files(directory) == trial_files(expected)
    for trial in range(len(trial_files(expected))):
        assert record(directory, trial) == record(expected, trial)
    for name in ("results.csv", "history.csv"):
        assert table(directory / name) == table(expected / name)
    for name in ("config.toml", "versions.json", "data.json", "code.json"):
        assert (directory / name).read_bytes() == (expected / name).read_bytes()
    assert undated(directory / "summary.json") == undated(expected / "summary.json")
    ours, theirs = (
        tfcourse.load_model(d / "best.keras").get_weights() for d in (directory, expected)
    )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def forbidden(*args, **kwargs):
    raise AssertionError("nothing was to be trained")


def interrupted(*args, **kwargs):
    raise KeyboardInterrupt


class TestRunDirectory:
    """The record, and that it can be read without tfcourse."""

    def test_its_files(self, undisturbed):
        names = {path.name for path in undisturbed.directory.iterdir()}
        assert names == {
            "config.toml",
            "versions.json",
            "code.json",
            "data.json",
            "trials",
            "results.csv",
            "history.csv",
            "best.keras",
            "summary.json",
        }
        assert trial_files(undisturbed.directory) == ["0000.json", "0001.json", "0002.json"]

    def test_config_toml_is_the_config_as_run(self, undisturbed, config_file):
        asked = load_config(config_file)
        kept = load_config(undisturbed.directory / "config.toml")
        assert kept.as_tables() == asked.as_tables()
        assert kept.space == asked.space

    def test_versions(self, undisturbed):
        kept = json.loads((undisturbed.directory / "versions.json").read_text())
        packages = ["tfcourse", "tensorflow", "keras", "keras-tuner", "numpy"]
        assert len(kept.pop("search")) == 64  # says whose search it is should the config be lost
        assert kept == {name: version(name) for name in packages}

    def test_every_trial_has_the_values_of_its_number(self, undisturbed, config_file):
        space = load_config(config_file).space
        for trial in range(TRIALS):
            assert record(undisturbed.directory, trial)["values"] == sample(space, 0, trial)

    def test_the_score_is_the_best_epochs(self, undisturbed):
        for trial in range(TRIALS):
            fields = record(undisturbed.directory, trial)
            scores = fields["history"]["val_accuracy"]
            assert len(scores) == EPOCHS
            assert fields["score"] == max(scores)
            assert fields["best_epoch"] == scores.index(max(scores)) + 1
            assert (fields["status"], fields["message"], fields["traceback"]) == (
                "completed",
                "",
                "",
            )

    def test_results_csv(self, undisturbed):
        lines = (undisturbed.directory / "results.csv").read_text().splitlines()
        fixed = ["trial", "status", "score", "best_epoch", "seconds", "worker", "message"]
        assert lines[0].split(",") == [*fixed, *NAMES]
        rows = table(undisturbed.directory / "results.csv")
        for trial, row in enumerate(rows):
            fields = record(undisturbed.directory, trial)
            for column in ("trial", "status", "score", "best_epoch", "worker", "message"):
                assert row[column] == str(fields[column])
            assert [row[name] for name in NAMES] == [str(v) for v in fields["values"].values()]
        assert len(rows) == TRIALS

    def test_history_csv(self, undisturbed):
        rows = table(undisturbed.directory / "history.csv")
        places = [(int(row["trial"]), int(row["epoch"])) for row in rows]
        assert places == [(t, e) for t in range(TRIALS) for e in range(1, EPOCHS + 1)]
        metrics = ["accuracy", "loss", "val_accuracy", "val_loss"]
        assert list(rows[0]) == ["trial", "epoch", *metrics]
        for row in rows:
            history = record(undisturbed.directory, int(row["trial"]))["history"]
            for metric in metrics:
                assert float(row[metric]) == history[metric][int(row["epoch"]) - 1]

    def test_best_keras_has_the_recorded_score_on_the_dev_set(self, undisturbed, config_file):
        """Neither another trial's model nor another epoch's weights."""
        dev = load_split(load_config(config_file)).dev
        model = undisturbed.best_model()
        found = model.evaluate(dev.x, dev.y, verbose=0, return_dict=True)
        assert found["accuracy"] == pytest.approx(undisturbed.best.score, abs=1e-6)
        best, epoch = undisturbed.best, undisturbed.best.best_epoch - 1
        assert found["loss"] == pytest.approx(best.history["val_loss"][epoch], rel=1e-5)

    def test_best_keras_is_plain_keras(self, undisturbed, config_file):
        """`tests.models.test_saving` loads such files where tfcourse is not installed."""
        with zipfile.ZipFile(undisturbed.directory / "best.keras") as file:
            assert "tfcourse" not in file.read("config.json").decode()
        dev = load_split(load_config(config_file)).dev
        plain = keras.models.load_model(undisturbed.directory / "best.keras")
        assert not any("tfcourse" in type(layer).__module__ for layer in plain._flatten_layers())
        ours = undisturbed.best_model()
        assert any("tfcourse" in type(layer).__module__ for layer in ours.layers)
        np.testing.assert_array_equal(plain(dev.x), ours(dev.x))
        found = plain.evaluate(dev.x, dev.y, verbose=0, return_dict=True)
        assert found["accuracy"] == pytest.approx(undisturbed.best.score, abs=1e-6)

    def test_summary(self, undisturbed, config_file):
        kept = json.loads((undisturbed.directory / "summary.json").read_text())
        scores = [record(undisturbed.directory, trial)["score"] for trial in range(TRIALS)]
        assert (kept["objective"], kept["score"]) == ("val_accuracy", max(scores))
        assert kept["trial"] == scores.index(max(scores)) == undisturbed.best.trial
        test = load_split(load_config(config_file)).test
        found = undisturbed.best_model().evaluate(test.x, test.y, verbose=0, return_dict=True)
        assert kept["test"] == pytest.approx(found, rel=1e-5)

    def test_the_result(self, undisturbed):
        assert not undisturbed.was_complete
        assert list(undisturbed.trials) == list(range(TRIALS))
        scores = [r.score for r in undisturbed.ranking]
        assert scores == sorted(scores, reverse=True)

    def test_tensorflow_has_nothing_to_complain_about(self, undisturbed, tensorflow_logged):
        """Every trial traces its own programs, which TensorFlow takes for a mistake."""
        assert tensorflow_logged == []


class TestRunAgain:
    def test_a_finished_search_is_complete_and_trains_nothing(self, finished, monkeypatch):
        before = {p: p.stat().st_mtime_ns for p in finished.directory.rglob("*")}
        monkeypatch.setattr(execution, "execute", forbidden)
        result = finished.run()
        assert result.was_complete
        assert list(result.trials) == list(range(TRIALS))
        assert {p: p.stat().st_mtime_ns for p in finished.directory.rglob("*")} == before

    def test_another_folder_gets_the_same_search(self, undisturbed, config_file, tmp_path):
        keras.utils.set_random_seed(123)
        again = Search.from_toml(config_file, out=tmp_path).run(verbose=False)
        assert_same_search(again.directory, undisturbed.directory)

    @pytest.mark.parametrize("trial", [1, 2])
    def test_a_trial_does_not_depend_on_those_before_it(self, finished, undisturbed, trial):
        (finished.directory / "trials" / f"{trial:04d}.json").unlink()
        keras.utils.set_random_seed(123)
        assert finished.completed() is None
        assert not finished.run(verbose=False).was_complete
        assert_same_search(finished.directory, undisturbed.directory)

    def test_a_truncated_trial_is_run_again(self, finished, undisturbed):
        path = finished.directory / "trials" / "0000.json"
        path.write_text(path.read_text()[:100])
        assert finished.completed() is None
        finished.run(verbose=False)
        assert_same_search(finished.directory, undisturbed.directory)

    @pytest.mark.parametrize("damage", ["truncated", "missing", "empty"])
    def test_a_lost_best_model_is_trained_again(self, finished, undisturbed, damage):
        best = finished.directory / "best.keras"
        if damage == "missing":
            best.unlink()
        else:
            best.write_bytes(best.read_bytes()[: 2000 if damage == "truncated" else 0])
        assert finished.completed() is None
        finished.run(verbose=False)
        assert_same_search(finished.directory, undisturbed.directory)

    def test_until_it_is_trained_again_no_other_is(self, finished, undisturbed, monkeypatch):
        """Whatever interrupts the search: one trial's record is replaced, and no other."""
        best = undisturbed.summary.trial
        (finished.directory / "best.keras").unlink()
        with monkeypatch.context() as patch:
            patch.setattr(execution.TrialRunner, "run", interrupted)
            for _ in range(2):
                with pytest.raises(KeyboardInterrupt):
                    finished.run(verbose=False)
                assert set(finished.finished()) == {0, 1, 2} - {best}
        finished.run(verbose=False)
        assert_same_search(finished.directory, undisturbed.directory)

    def test_the_lost_model_of_a_trial_that_the_search_no_longer_has(
        self, finished, undisturbed, config_file
    ):
        path = finished.directory / "trials" / "0002.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "score": 1.0}))
        (finished.directory / "best.keras").unlink()
        before = trial_files(finished.directory)
        fewer = Search.from_toml(config_file, trials=1, out=finished.out)
        for _ in range(2):
            with pytest.raises(InputError, match=r"best trial, 2, is lost .* Give --trials 3 \(in"):
                fewer.run(verbose=False)
        assert trial_files(finished.directory) == before
        # It gives less than it was made to have given here: another is the best, of no model.
        best = undisturbed.summary.trial
        with pytest.raises(WorkFailedError, match=rf"best trial, {best}, is lost .* The same comm"):
            finished.run(verbose=False)
        finished.run(verbose=False)
        assert_same_search(finished.directory, undisturbed.directory)

    def test_the_tables_and_the_summary_come_back(self, finished, undisturbed, monkeypatch):
        """Killed between the last trial and the tables: nothing is left to be trained."""
        for name in ("results.csv", "history.csv", "summary.json"):
            (finished.directory / name).unlink()
        monkeypatch.setattr(execution.TrialRunner, "run", forbidden)
        assert finished.completed() is None
        finished.run(verbose=False)
        assert_same_search(finished.directory, undisturbed.directory)

    def test_a_wrong_score_in_the_summary_is_corrected(self, finished, undisturbed, monkeypatch):
        """The test set is not measured again for it."""
        file = finished.directory / "summary.json"
        summary = json.loads(file.read_text())
        file.write_text(json.dumps(summary | {"score": summary["score"] + 1e-7}))
        monkeypatch.setattr(conclusion, "measure_best", forbidden)
        assert finished.completed() is None
        finished.run(verbose=False)
        assert_same_search(finished.directory, undisturbed.directory)

    def test_a_temporary_file_of_a_killed_run_is_no_record(self, finished):
        lost = finished.directory / "trials" / "0001.json"
        lost.rename(lost.with_name(".0001-0123abcd.json"))
        assert finished.completed() is None

    def test_what_a_killed_process_left_is_removed(self, finished):
        """Of its writes, and of a record that it was deleting."""
        directory = finished.directory
        (directory / "models").mkdir()
        deleted = finished.out / ".small-deleted-0123abcd"
        for folder in (deleted, finished.out / ".smaller-deleted-0123abcd"):
            folder.mkdir()
            (folder / "config.toml").touch()
        left = [
            ".results-0123abcd.csv",
            "trials/.0001-0123abcd.json",
            "models/.0001-0123abcd.keras",
        ]
        for name in left:
            (directory / name).touch()
        (directory / "trials" / "0001.json").unlink()
        finished.run(verbose=False)
        assert not [name for name in left if (directory / name).exists()]
        assert not deleted.exists()
        assert (finished.out / ".smaller-deleted-0123abcd").exists()

    @pytest.mark.usefixtures("untrained")
    def test_a_record_alone_is_not_trained_again(self, quick, monkeypatch):
        """Of a process that was killed between the first trial's record and the tables."""
        search, begun = quick(), []
        write, run = RunDirectory.write_trial, execution.TrialRunner.run
        with monkeypatch.context() as patch:
            patch.setattr(RunDirectory, "write_trial", lambda *a: (write(*a), interrupted()))
            patch.setattr(SearchJournal, "break_off", lambda journal: None)
            with pytest.raises(KeyboardInterrupt):
                search.run(verbose=False)
        assert trial_files(search.directory) == ["0000.json"]
        assert not (search.directory / "results.csv").exists()

        def spy(runner, trial, values):
            begun.append(trial)
            return run(runner, trial, values)

        monkeypatch.setattr(execution.TrialRunner, "run", spy)
        assert list(search.run(verbose=False).trials) == [0, 1, 2]
        assert begun == [1, 2]

    @pytest.mark.usefixtures("untrained")
    def test_a_directory_that_a_killed_process_was_making_is_used(self, quick):
        search = quick(search={"trials": 1})
        (search.directory / "trials").mkdir(parents=True)
        (search.directory / ".versions-0123abcd.json").touch()
        assert list(search.run(verbose=False).trials) == [0]
        assert not (search.directory / ".versions-0123abcd.json").exists()

    def test_more_trials_extend_the_search(self, config_file, finished, undisturbed):
        names = [f"{trial:04d}.json" for trial in range(TRIALS)]
        before = [(finished.directory / "trials" / name).read_bytes() for name in names]
        more = Search.from_toml(config_file, trials=TRIALS + 1, out=finished.out)
        assert more.completed() is None
        result = more.run(verbose=False)
        assert [(finished.directory / "trials" / name).read_bytes() for name in names] == before
        assert list(result.trials) == list(range(TRIALS + 1))
        assert [row["trial"] for row in table(finished.directory / "results.csv")] == list("0123")
        kept = tomllib.loads((finished.directory / "config.toml").read_text())
        assert kept["search"]["trials"] == TRIALS + 1
        assert more.completed().was_complete

    def test_every_measurement_on_the_test_set_is_kept(self, quick):
        """Of more trials another may become the best one, which is measured too."""
        space = {"learning_rate": {"values": [1e-6, 0.1, 1e-5]}}
        grid = {"strategy": "grid", "objective": "val_loss", "trials": 1}
        search = quick(space=space, search=grid)
        first = search.run(verbose=False)
        measured = []
        for trials in (1, 2, 3):
            table = search.config.search.model_copy(update={"trials": trials})
            again = Search(replace(search.config, search=table), search.out).run(verbose=False)
            measured.append(again.summary.measurements)
        assert measured[0] == first.summary.measurements
        assert [(m.trial, m.trials) for m in measured[2]] == [(0, 1), (1, 2)]
        assert measured[2] == measured[1]
        assert measured[2][0] == measured[0][0]
        assert measured[2][0].test != measured[2][1].test == again.summary.test
        dates = [datetime.fromisoformat(m.date) for m in measured[2]]
        assert all(date.utcoffset() == timedelta(0) for date in dates)
        assert dates == sorted(dates)
        assert "the test set has now been used 2 times" in str(again)
        assert "\x1b" not in str(again)

    @pytest.mark.parametrize("value", ["a\rb", "a\r\nb", "\x1b[2J", '"', "[/b]"], ids=repr)
    @pytest.mark.usefixtures("untrained")
    def test_values_with_control_characters(self, quick, value):
        """The tables that hold them are the ones that were written."""
        source = """
        def choosy(input_shape, classes, kind="a"):
            return linear(input_shape, classes)
        """
        space = {"kind": {"values": [value]}}
        search = quick(source, "choosy", space, search={"trials": 1}, training={"epochs": 1})
        result = search.run(verbose=False)
        assert result.best.values == {"kind": value}
        assert search.completed().was_complete
        assert not {"\r", "\x1b"} & {*str(result)}


class TestAnotherSearchInTheSamePlace:
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"seed": 1}, r"search\.seed is 0 there and 1 here"),
            ({"epochs": 5}, r"training\.epochs is 2 there and 5 here"),
        ],
    )
    def test_an_override(self, finished, config_file, change, said):
        other = Search.from_toml(config_file, out=finished.out, **change)
        with pytest.raises(InputError, match=rf"another config: {said}\. Start over with --fresh"):
            other.run(verbose=False)

    def test_every_difference_is_told(self, finished, config_file, tmp_path):
        text = DIGITS.replace("units = 16", "units = 32\nactivation = 'tanh'").replace(
            "0.9\n", "0.5\n"
        )
        (tmp_path / "other.toml").write_text(text)
        other = Search.from_toml(tmp_path / "other.toml", out=finished.out)
        with pytest.raises(InputError) as error:
            other.run(verbose=False)
        for said in (
            "model.activation is 'not set' there and 'tanh' here",
            "model.units is 16 there and 32 here",
            "space.beta_1.low is 0.9 there and 0.5 here",
        ):
            assert said in str(error.value)

    def test_a_folder_that_is_no_run_directory(self, config_file, tmp_path):
        (tmp_path / "small").mkdir()
        (tmp_path / "small" / "thesis.txt").write_text("mine")
        search = Search.from_toml(config_file, out=tmp_path)
        for attempt in (search.run, search.completed, lambda: search.run(fresh=True)):
            with pytest.raises(InputError, match=r"not a run directory \(it lacks config\.toml"):
                attempt()
        assert [path.name for path in (tmp_path / "small").iterdir()] == ["thesis.txt"]

    @pytest.mark.parametrize("place", ["small", "."])
    def test_a_file_in_the_place_of_a_folder(self, config_file, tmp_path, place):
        out = tmp_path / "out"
        path = (out / place).resolve()
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
        with pytest.raises(InputError, match=path.name):
            Search.from_toml(config_file, out=out).run(verbose=False)
        assert path.read_text() == "mine"

    @pytest.mark.parametrize("left", ["[search\n", "", "[search]\nname = 'small'\n"])
    def test_a_record_whose_config_was_damaged(self, finished, config_file, left):
        config = finished.directory / "config.toml"
        whole = config.read_bytes()
        config.write_text(left)
        other = Search.from_toml(config_file, out=finished.out, seed=1)
        with pytest.raises(InputError, match=r"config\.toml is not a TOML|another config"):
            other.run(verbose=False)
        finished.run(verbose=False)
        assert config.read_bytes() == whole

    @pytest.mark.usefixtures("untrained")
    def test_the_same_data_elsewhere(self, quick, tmp_path):
        """The data is told by its hash: a project that was moved goes on."""
        rng = np.random.default_rng(0)
        y = np.arange(60) % 3
        for folder in ("here", "there"):
            (tmp_path / folder).mkdir()
            np.savez(tmp_path / folder / "points.npz", x=rng.normal(size=(60, 4)), y=y)
            rng = np.random.default_rng(0)
        first = quick(data={"source": "npz", "path": "here/points.npz"})
        first.run(verbose=False)
        moved = first.config.data.model_copy(update={"path": str(tmp_path / "there/points.npz")})
        moved = Search(replace(first.config, data=moved), first.out)
        assert moved.run().was_complete
        np.savez(tmp_path / "there" / "points.npz", x=rng.normal(size=(60, 4)) + 1, y=y)
        with pytest.raises(InputError, match="data"):
            moved.run()

    @pytest.mark.usefixtures("untrained")
    def test_an_empty_folder_is_used(self, quick):
        search = quick(search={"trials": 1})
        search.directory.mkdir(parents=True)
        assert list(search.run(verbose=False).trials) == [0]

    def test_a_fresh_run_starts_over(self, finished):
        mark = finished.directory / "mark"
        mark.touch()
        result = finished.run(verbose=False, fresh=True)
        assert not result.was_complete
        assert not mark.exists()

    def test_a_fresh_run_that_is_killed_as_it_deletes_leaves_no_part(self, finished, monkeypatch):
        def killed(folder, **kwargs):
            (folder / "config.toml").unlink()
            raise KeyboardInterrupt

        for path in (finished.directory / "trials").iterdir():
            path.write_text(path.read_text().replace('"worker": "main"', '"worker": "old"'))
        assert finished.finished()[0].worker == "old"
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "rmtree", killed)
            with pytest.raises(KeyboardInterrupt):
                finished.run(verbose=False, fresh=True)
        assert not finished.directory.exists()
        result = finished.run(verbose=False)
        assert [record.worker for record in result.trials.values()] == ["main"] * TRIALS
        names = {path.name for path in finished.out.iterdir()}
        assert names == {"small", ".small.lock"}

    @pytest.mark.parametrize("fresh", [False, True])
    def test_trials_without_a_config_are_not_taken_over(self, finished, config_file, fresh):
        for path in finished.directory.iterdir():
            if path.name not in ("trials", "versions.json"):
                path.unlink()
        other = Search.from_toml(config_file, seed=1, trials=1, out=finished.out)
        if not fresh:
            with pytest.raises(
                InputError, match=r"config\.toml is lost, .* Start over with --fresh"
            ):
                other.run(verbose=False)
            assert trial_files(finished.directory) == ["0000.json", "0001.json", "0002.json"]
            return
        result = other.run(verbose=False, fresh=True)
        assert list(result.trials) == [0]
        assert result.trials[0].values == dict(sample(other.config.space, 1, 0))

    def test_a_fresh_run_that_cannot_work_deletes_nothing(self, finished, monkeypatch):
        from tfcourse.search.runtime import preparation

        def fails(config):
            raise InputError("the data is gone")

        monkeypatch.setattr(preparation, "load_split", fails)
        with pytest.raises(InputError, match="the data is gone"):
            finished.run(verbose=False, fresh=True)
        monkeypatch.undo()
        assert finished.run(verbose=False).was_complete

    @pytest.mark.parametrize("fresh", [False, True])
    def test_a_folder_that_only_has_a_config_is_not_touched(self, quick, fresh):
        search = quick(search={"trials": 1})
        search.directory.mkdir(parents=True)
        theirs = search.directory / "config.toml"
        theirs.write_text('title = "another program\'s"')
        with pytest.raises(InputError, match=r"is not a run directory .*Choose another --out"):
            search.run(verbose=False, fresh=fresh)
        assert theirs.exists()


def start(config_file, out, *options, program=("-m", "tfcourse")):
    return processes.Process([*program, "search", config_file, "--out", out, *options])


# The command, which gets a signal at a moment that does not depend on the machine's speed.
SIGNALLED_AFTER_THE_FIRST_TRIAL = """
import os, signal
from tfcourse.__main__ import main
from tfcourse.search.store.directory import RunDirectory

write = RunDirectory.write_trial

class Model:
    def __del__(self):
        os.kill(os.getpid(), signal.{0})
        self.compiled = None  # the signal is handled here

def write_and_end(directory, record):
    write(directory, record)
    {1}

RunDirectory.write_trial = write_and_end
main()
"""


def signalled(name, where="os.kill(os.getpid(), signal.{0})"):
    """The options for Python to run the command that gets a signal."""
    return ("-c", SIGNALLED_AFTER_THE_FIRST_TRIAL.format(name, where.format(name)))


def test_a_killed_search_goes_on_where_it_was(config_file, undisturbed, tmp_path):
    directory = tmp_path / "small"
    process = start(config_file, tmp_path, program=signalled("SIGKILL"))
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (directory / "summary.json").exists()
    first = (directory / "trials" / "0000.json").read_bytes()

    process = start(config_file, tmp_path)
    output, said = process.communicate()
    assert (process.returncode, "complete" in output) == (0, False), said
    assert (directory / "trials" / "0000.json").read_bytes() == first
    for path in (directory / "trials").glob(".*"):
        path.unlink()  # what a kill left of a write
    assert_same_search(directory, undisturbed.directory)


@pytest.mark.parametrize("dropped", [False, True], ids=["", "dropped"])
def test_an_interrupted_search_says_how_it_goes_on(config_file, tmp_path, dropped):
    program = signalled("SIGINT", "Model()") if dropped else signalled("SIGINT")
    process = start(config_file, tmp_path, "--trials", "999", program=program)
    _, said = process.communicate()
    assert process.returncode == 130
    trials = trial_files(tmp_path / "small")
    assert len(trials) < 999 if dropped else trials == ["0000.json"]
    assert not (tmp_path / "small" / "summary.json").exists()
    said = " ".join(said.split())
    assert "Interrupted. The finished trials are in" in said
    assert "The same command resumes from there." in said
    assert "Traceback" not in said
    # What was done by then can be read.
    assert table(tmp_path / "small" / "results.csv")[0]["trial"] == "0"


KINDS = """
def kinds(input_shape, classes, kind="good"):
    if kind == "raises":
        raise ValueError("this kind can't be built\\nand here is why")
    return linear(input_shape, classes)
"""


def seed_with(name, wanted, values):
    """A seed that gives trials 0, 1, … the wanted ones of these values."""
    space = {name: Choice(tuple(values))}
    return next(
        seed
        for seed in range(1000)
        if [sample(space, seed, trial)[name] for trial in range(len(wanted))] == wanted
    )


class TestFailures:
    @pytest.fixture
    def some_raise(self, quick):
        values = ["good", "raises"]
        seed = seed_with("kind", ["good", "raises", "good"], values)
        space = {"kind": {"values": values}, **RATE}
        return quick(KINDS, "kinds", space, search={"seed": seed})

    @pytest.mark.usefixtures("untrained")
    def test_a_trial_that_raises_is_recorded_and_the_search_goes_on(self, some_raise):
        result = some_raise.run(verbose=False)
        assert [r.status for r in result.trials.values()] == ["completed", "failed", "completed"]
        assert sorted(r.trial for r in result.ranking) == [0, 2]
        failed = record(result.directory, 1)
        assert failed["message"] == "ValueError: this kind can't be built"
        assert "and here is why" in failed["traceback"]
        assert "in kinds" in failed["traceback"]
        assert (failed["score"], failed["best_epoch"], failed["history"]) == (None, None, {})
        row = table(result.directory / "results.csv")[1]
        assert (row["status"], row["score"], row["message"]) == ("failed", "", failed["message"])
        assert {row["trial"] for row in table(result.directory / "history.csv")} == {"0", "2"}

    @pytest.mark.usefixtures("untrained")
    def test_a_failed_trial_is_finished(self, some_raise, monkeypatch):
        some_raise.run(verbose=False)
        monkeypatch.setattr(execution, "execute", forbidden)
        assert some_raise.run().was_complete

    @pytest.fixture
    def some_diverge(self, quick):
        """The second of three trials has a learning rate with which the weights overflow."""
        rates = [0.01, 1e38, 0.02, 0.03]
        seed = seed_with("learning_rate", [0.01, 1e38, 0.02, 0.03], rates)
        search = {"seed": seed, "objective": "val_loss"}
        return quick(space={"learning_rate": {"values": rates}}, search=search)

    def test_a_loss_that_is_not_finite_is_a_failure(self, some_diverge, capsys):
        result = some_diverge.run(verbose=False)
        assert capsys.readouterr() == ("", "")
        assert [r.status for r in result.trials.values()] == ["completed", "failed", "completed"]
        assert sorted(r.trial for r in result.ranking) == [0, 2]
        failed = record(result.directory, 1)
        assert failed["message"].startswith("The loss is not finite in epoch 1: ")
        # It was ended there.
        assert len(failed["history"]["loss"]) == 1
        # JSON knows neither nan nor inf.
        assert "NaN" not in (result.directory / "trials" / "0001.json").read_text()

    def test_the_table_of_a_diverged_trial_does_not_change_when_the_search_goes_on(
        self, some_diverge, tmp_path
    ):
        result = some_diverge.run(verbose=False)
        before = (result.directory / "history.csv").read_text()
        longer = Search.from_toml(tmp_path / "search.toml", trials=4, out=tmp_path / "runs")
        longer.run(verbose=False)
        after = (result.directory / "history.csv").read_text()
        assert after.startswith(before)
        assert len(after) > len(before)

    @pytest.mark.parametrize("objective", ["val_accuracy", "val_loss", "accuracy", "loss"])
    def test_a_model_that_ends_at_nan_is_never_best(self, quick, objective):
        """One step an epoch: the loss is finite, as it is taken before the step to nowhere."""
        search = quick(
            space={"learning_rate": {"values": [1e38]}},
            search={"trials": 1, "objective": objective},
            training={"epochs": 1, "batch_size": 60},
        )
        with pytest.raises(SearchFailedError, match=r"not finite in epoch 1"):
            search.run(verbose=False)

    NOT_LOADABLE = """
    class Unsaved(keras.layers.Identity):
        def get_config(self):
            raise NotImplementedError("no config")

    def kinds(input_shape, classes, kind="plain"):
        first = {
            "plain": keras.layers.Rescaling(100.0),  # it is far off
            "lambda": keras.layers.Lambda(lambda x: x / 3),
            "unsaved": Unsaved(),
        }
        layers = linear(input_shape, classes).layers
        return keras.Sequential([keras.Input(input_shape), first[kind], *layers])
    """

    @pytest.mark.parametrize("checkpoints", ["best", "all"])
    def test_a_model_that_cannot_be_loaded_is_never_best(self, quick, checkpoints):
        """Nor one that can't be saved; though the first trial's can be."""
        space = {"kind": {"values": ["lambda", "unsaved", "plain"]}}
        wanted = {"strategy": "grid", "checkpoints": checkpoints, "objective": "val_loss"}
        search = quick(self.NOT_LOADABLE, "kinds", space, search=wanted)
        result = search.run(verbose=False)
        kinds = {r.values["kind"]: r for r in result.trials.values()}
        assert search.config.search.trials == 3 == len(kinds)
        assert result.best is kinds["plain"]
        for kind, reason in (("lambda", "ValueError: "), ("unsaved", "NotImplementedError: ")):
            said = kinds[kind]
            assert said.status == "failed"
            assert re.match(
                rf"Its model can't be saved and loaded again \({reason}.* no lambda\.$",
                said.message,
            )
            assert said.score is None
            assert min(said.history["val_loss"]) < result.best.score
            assert "Traceback" in said.traceback
        assert search.completed().was_complete
        models = [path.name for path in search.directory.glob("models/*")]
        assert models == ["0000.keras"] * (checkpoints == "all")

    def test_a_best_model_that_can_no_longer_be_loaded(self, finished, monkeypatch):
        def fails(path):
            raise ValueError("not here")

        (finished.directory / "summary.json").unlink()
        monkeypatch.setattr("tfcourse.models.saving.load_model", fails)
        said = r"best\.keras: the best trial's, \d, model can't be .*\(ValueError: not here\)"
        with pytest.raises(WorkFailedError, match=said):
            finished.run(verbose=False)
        monkeypatch.undo()
        finished.run(verbose=False)

    def test_when_all_fail_there_is_a_record_and_an_error(self, quick):
        search = quick(space={"learning_rate": {"values": [1e38, 2e38, 3e38]}})
        for _ in range(2):
            with pytest.raises(SearchFailedError) as error:
                search.run(verbose=False)
            assert "All 3 trials failed; the first with: The loss is not finite in epoch 1" in str(
                error.value
            )
            assert str(search.directory / "results.csv") in str(error.value)
        rows = table(search.directory / "results.csv")
        assert [row["status"] for row in rows] == ["failed"] * 3
        assert not (search.directory / "best.keras").exists()

    @pytest.mark.parametrize("method", ["write_trial", "write_model", "write_tables"])
    @pytest.mark.usefixtures("untrained")
    def test_a_record_that_cannot_be_written_ends_the_search(self, quick, monkeypatch, method):
        """A full disk is no failure of the trial: the next ones would be lost as well."""
        trained = []
        train = execution.TrialRunner.train

        def counted(tuner, number, *more):
            trained.append(number)
            return train(tuner, number, *more)

        def full(*args):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(execution.TrialRunner, "train", counted)
        monkeypatch.setattr(RunDirectory, method, full)
        with pytest.raises(OSError, match="No space left on device"):
            quick().run(verbose=False)
        assert trained == [0]

    @pytest.mark.usefixtures("untrained")
    def test_an_error_outside_of_a_trial_is_nobody_s_record(self, quick, monkeypatch):
        """keras-tuner would count it as the trial's, which has none yet."""
        search, run = quick(), execution.TrialRunner.run

        def broken(runner, number, values):
            if number == 1:
                raise RuntimeError("a fault of the search's own")
            return run(runner, number, values)

        with monkeypatch.context() as patch:
            patch.setattr(execution.TrialRunner, "run", broken)
            with pytest.raises(RuntimeError, match="a fault of the search's own"):
                search.run(verbose=False)
        assert list(search.finished()) == [0]
        assert list(search.run(verbose=False).trials) == [0, 1, 2]


class TestBuilder:
    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (
                "return linear(input_shape, classes + 1)",
                r"must give one output a class, shape \(None, 3\)\. Received: \(None, 4\)\.",
            ),
            ("return None", r"must return a keras\.Model\. Received: NoneType\."),
            ("return classes", r"must return a keras\.Model\. Received: int\."),
            (
                "raise KeyError('units')",
                r"failed for \{'learning_rate': .*\} .*: KeyError: 'units' "
                r"\(and for those of the next 2 trials\)",
            ),
            ("raise SystemExit", r"failed for .*: RuntimeError: sys\.exit\(\) was called"),
            (
                "__import__('os')._exit(3)",
                r"failed for .*: RuntimeError: os\._exit\(3\) was called, which ends the process",
            ),
            (
                "return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(classes)])",
                r"must end in probabilities, one a class: \[output_and_loss\] dense",
            ),
            (
                "return keras.Sequential([keras.Input(input_shape), "
                "keras.layers.Lambda(lambda x: 2 * x), "
                "keras.layers.Dense(classes, 'softmax')])",
                r"its model can't be saved and loaded again .* and use no lambda\.",
            ),
        ],
        ids=["shape", "nothing", "number", "raises", "exits", "ends", "logits", "lambda"],
    )
    def test_a_builder_that_cannot_work_is_an_error_before_any_training(
        self, quick, monkeypatch, tmp_path, body, said
    ):
        monkeypatch.setattr(execution.TrialRunner, "run", forbidden)
        search = quick(f"def broken(input_shape, classes):\n    {body}\n", "broken")
        with pytest.raises(InputError) as error:
            search.run(verbose=False)
        message = str(error.value)
        assert message.startswith(f"{tmp_path / 'search.toml'}: [model] builder ")
        assert re.search(said, message), message
        assert not search.directory.exists()

    @pytest.mark.parametrize(
        ("exit", "said"),
        [
            ("sys.exit(0)", "sys.exit(0) was called"),
            ("os._exit(0)", "os._exit(0) was called, which ends the process"),
        ],
    )
    @pytest.mark.usefixtures("untrained")
    def test_one_that_fails_for_some_values_fails_their_trials(self, quick, exit, said):
        """Those of the first trial too: what it raises is their reason."""
        search = quick(
            f"""
            import os, sys

            def build(input_shape, classes, units):
                if units > 9:
                    raise ValueError("too large")
                if units < 6:
                    {exit}
                return linear(input_shape, classes)
            """,
            "build",
            {"units": {"low": 4, "high": 16}, "learning_rate": {"low": 0.01, "high": 0.1}},
            search={"trials": 4},
        )
        trials = search.run(verbose=False).trials.values()
        wanted = {10: "ValueError: too large", 5: f"RuntimeError: {said}", 9: ""}
        assert [t.values["units"] for t in trials] == [10, 5, 10, 9]
        assert [t.message for t in trials] == [wanted[t.values["units"]] for t in trials]

    def test_its_arguments(self, quick):
        """The fixed ones of [model], the searched ones, and those of the training that it names."""
        search = quick(
            """
            got = []
            def build(input_shape, classes, width, depth, epochs, *, rate=0.5, other=7):
                got.append((input_shape, classes, width, depth, epochs, rate, other))
                return linear(input_shape, classes)
            """,
            "build",
            {"depth": {"values": [3]}, "rate": {"values": [0.25]}},
            model={"width": 5},
            search={"trials": 1},
        )
        search.run(verbose=False)
        got = sys.modules[search.config.builder.function.__module__].got
        assert set(got) == {((4,), 3, 5, 3, 2, 0.25, 7)}

    def test_any_argument(self, quick):
        search = quick(
            """
            got = []
            def build(input_shape, classes, **arguments):
                got.append(arguments)
                return linear(input_shape, classes)
            """,
            "build",
            {"depth": {"values": [3]}, "learning_rate": {"values": [0.1]}},
            model={"width": 5},
            search={"trials": 1},
        )
        search.run(verbose=False)
        got = sys.modules[search.config.builder.function.__module__].got
        assert all(arguments == {"width": 5, "depth": 3} for arguments in got)

    def test_the_optimizer_and_its_hyperparameters(self, quick, monkeypatch):
        compiled = []
        train = execution.TrialRunner.train

        def spy(*arguments):
            model, history = train(*arguments)
            compiled.append(model.optimizer)
            return model, history

        monkeypatch.setattr(execution.TrialRunner, "train", spy)
        space = {"momentum": {"values": [0.75]}, "optimizer": {"values": ["momentum"]}}
        quick(space=space, search={"trials": 1}, training={"learning_rate": 0.5}).run(verbose=False)
        (optimizer,) = compiled
        assert type(optimizer) is tfcourse.Momentum
        assert (float(optimizer.learning_rate), optimizer.momentum) == (0.5, 0.75)

    def test_numbers_written_with_and_without_a_point(self, quick):
        """[0, 0.25] for a dropout: TOML has two kinds of number, keras-tuner wants one."""
        source = "def build(s, c, dropout=0.0):\n    return linear(s, c)\n"
        search = quick(source, "build", {"dropout": {"values": [0, 0.25]}}, search={"trials": 2})
        result = search.run(verbose=False)
        assert [r.values for r in result.trials.values()] == [
            sample(search.config.space, 0, trial) for trial in range(2)
        ]

    def test_epochs_and_batch_size_can_be_searched(self, quick):
        space = {"epochs": {"values": [1, 3]}, "batch_size": {"values": [12, 36]}}
        seed = seed_with("epochs", [3, 1], [1, 3])
        result = quick(space=space, search={"trials": 2, "seed": seed}).run(verbose=False)
        assert [r.values["epochs"] for r in result.trials.values()] == [3, 1]
        for r in result.trials.values():
            assert len(r.history["loss"]) == r.values["epochs"]

    def test_trials_of_equal_values_start_from_weights_of_their_own(self, quick):
        """Equal to the model; a space of one configuration has one trial."""
        space = {"learning_rate": {"low": 0.1, "high": 0.1 + 1e-12}}
        result = quick(space=space).run(verbose=False)
        losses = {round(r.history["loss"][0], 3) for r in result.trials.values()}
        assert len(losses) == 3

    def test_the_best_model_has_the_weights_of_its_best_epoch(self, quick):
        """The loss falls, and it is to be large: the first epoch is the best one."""
        search = quick(
            space={"learning_rate": {"values": [0.01]}},
            search={"trials": 1, "objective": "val_loss", "direction": "max"},
        )
        result = search.run(verbose=False)
        losses = result.best.history["val_loss"]
        assert (result.best.best_epoch, result.best.score) == (1, losses[0])
        dev = load_split(search.config).dev
        found = result.best_model().evaluate(dev.x, dev.y, verbose=0, return_dict=True)["loss"]
        assert found == pytest.approx(losses[0], rel=1e-5)
        assert found != pytest.approx(losses[1], rel=1e-3)

    @pytest.mark.parametrize("objective", ["val_loss", "accuracy"])
    def test_objectives(self, quick, objective):
        result = quick(search={"objective": objective}).run(verbose=False)
        choose = min if objective == "val_loss" else max
        assert all(r.score == choose(r.history[objective]) for r in result.trials.values())
        assert result.best.score == choose(r.score for r in result.trials.values())
        assert result.summary.score == result.best.score


class TestKerasTuner:
    """The engine is keras-tuner's; what it does not do right is ours."""

    @pytest.mark.usefixtures("untrained")
    def test_it_runs_the_search(self, quick, monkeypatch):
        engines = []
        run = BaseTuner.search

        def spy(tuner, *args, **kwargs):
            engines.append(tuner)
            return run(tuner, *args, **kwargs)

        monkeypatch.setattr(BaseTuner, "search", spy)
        quick().run(verbose=False)
        (tuner,) = engines
        assert isinstance(tuner, BaseTuner)
        assert isinstance(tuner.oracle, keras_tuner.Oracle)
        assert [r.status for r in tuner.oracle.source.finished.values()] == ["completed"] * 3

    def test_it_writes_nothing(self, undisturbed):
        names = {path.name for path in undisturbed.directory.rglob("*")}
        assert not {name for name in names if "oracle" in name or "tuner" in name}

    @pytest.fixture
    def scheduler(self, config_file):
        """Makes a scheduler of so many trials, of which some are finished."""

        def make(trials, finished=(), leases=None):
            records = {
                index: TrialRecord(index, "completed", {"learning_rate": 0.1}, 0.5, 1)
                for index in finished
            }
            study = replace(load_config(config_file).study, trials=trials)
            return Scheduler(study, records, Journal(), leases)

        return make

    def test_it_proposes_the_lowest_missing_trial(self, scheduler, config_file):
        proposes = scheduler(5, finished=[0, 2])
        leases = proposes.journal.leases
        space = load_config(config_file).space
        assert (proposes.next("a"), proposes.next("b")) == (1, 3)
        propose = Proposer(proposes.study, proposes.finished, proposes.journal.recorded)
        assert [propose(number) for number in (1, 3)] == [
            sample(space, 0, number) for number in (1, 3)
        ]
        # One that was given out is given out again to the same tuner, and to no other.
        assert proposes.next("a") == 1
        assert proposes.next("c") == 4
        assert {name: lease.trial for name, lease in leases.items()} == {"a": 1, "b": 3, "c": 4}
        # Should one of them get lost, another is to run its trial.
        assert proposes.next("d") is None
        assert not proposes.complete
        proposes.release("b")
        proposes.release("b")
        assert proposes.next("d") == 3
        assert {name: lease.trial for name, lease in leases.items()} == {"a": 1, "d": 3, "c": 4}

    def test_a_finished_trial_is_not_proposed_again(self, scheduler):
        proposes = scheduler(2)
        trial = proposes.next("a")
        record = proposes.journal.records[0] = TrialRecord(0, "failed", {}, message="it broke")
        proposes.end(trial)
        assert proposes.journal.told == [record]
        assert proposes.next("a") == 1
        proposes.end(trial)  # a worker that was thought lost
        assert proposes.journal.told == [record]

    def test_a_trial_without_a_record_has_not_ended(self, scheduler, monkeypatch):
        proposes = scheduler(2)
        trial = proposes.next("a")
        monkeypatch.setattr("tfcourse.search.records.visibility.SECONDS_UNTIL_SEEN", 0.0)
        with pytest.raises(WorkFailedError, match=r"Trial 0 ended, and its record can't be found"):
            proposes.end(trial)
        assert proposes.next("a") == 0

    def test_a_record_that_another_machine_wrote_may_take_a_while_to_be_seen(self, scheduler):
        proposes = scheduler(2)
        trial = proposes.next("a")
        record = TrialRecord(0, "failed", {}, message="it broke")
        late = threading.Timer(0.3, lambda: proposes.journal.records.update({0: record}))
        late.start()
        proposes.end(trial)
        late.join()
        assert proposes.journal.told == [record]

    @pytest.mark.parametrize("where", ["ended", "leases_changed"])
    def test_a_trial_whose_end_could_not_be_recorded_ends_at_the_next_try(
        self, scheduler, monkeypatch, where
    ):
        proposes = scheduler(2)
        trial = proposes.next("a")
        proposes.journal.records[0] = TrialRecord(0, "failed", {}, message="it broke")

        def full(*args):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(proposes.journal, where, full)
            with pytest.raises(OSError, match="No space left"):
                proposes.end(trial)
        proposes.end(trial)
        assert [record.trial for record in proposes.journal.told] == [0]
        assert proposes.next("a") == 1

    def test_a_proposal_that_failed_loses_no_trial(self, scheduler, monkeypatch):
        proposes = scheduler(2)
        with monkeypatch.context() as patched:
            patched.setattr(proposes.journal, "leases_changed", lambda leases: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                proposes.next("a")
        assert proposes.next("a") == 0

    @pytest.mark.usefixtures("untrained")
    def test_its_variables_for_several_processes_are_not_obeyed(self, quick, monkeypatch):
        for name, value in (("IP", "127.0.0.1"), ("PORT", "9")):
            monkeypatch.setenv(f"KERASTUNER_ORACLE_{name}", value)
        monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
        assert len(quick().run(verbose=False).trials) == 3
        assert os.environ["KERASTUNER_TUNER_ID"] == "chief"

    def test_a_worker_that_died_after_the_record_goes_on_with_the_next(self, scheduler):
        proposes = scheduler(2)
        proposes.next("a")
        proposes.journal.records[0] = TrialRecord(0, "failed", {}, message="it broke")
        assert proposes.next("a") == 1
        assert [record.trial for record in proposes.journal.told] == [0]

    def test_a_lost_worker_that_ended_its_trial_after_all(self, scheduler):
        proposes = scheduler(2)
        proposes.next("a")
        proposes.release("a")
        proposes.journal.records[0] = TrialRecord(0, "failed", {}, message="it broke")
        assert proposes.next("b") == 1
        assert [record.trial for record in proposes.journal.told] == [0]

    def test_a_scheduler_that_takes_over_knows_who_runs_what(self, scheduler, config_file):
        before = scheduler(3)
        given = {name: before.next(name) for name in ("a", "b")}
        leases = before.journal.leases
        after = scheduler(3, leases=dict(leases))
        assert after.next("c") == 2
        assert {name: after.next(name) for name in ("a", "b")} == given

    def test_nothing_is_left_when_all_are_finished(self, scheduler):
        done = scheduler(2, finished=[0, 1, 2])
        assert done.next("a") is None
        assert done.complete

    def test_the_hyperparameters_have_the_ranges_of_the_space(self):
        registered = to_hyperparameters(
            {
                "whole": Range("int", 0, 8, 2),
                "negative": Range("int", -4, 0, 1),
                "part": Range("float", 0.5, 2.0),
                "choice": Choice(("a", "b")),
            }
        )
        whole, negative, part, choice = registered.space
        assert (whole.min_value, whole.max_value, whole.step) == (0, 8, 2)
        assert (negative.min_value, negative.max_value, negative.step) == (-4, 0, 1)
        assert (part.min_value, part.max_value) == (0.5, 2.0)
        assert choice.values == ["a", "b"]


@pytest.mark.usefixtures("untrained")
def test_relative_paths_are_those_of_the_process(quick, tmp_path):
    assert Path.cwd() == tmp_path
    search = quick(search={"trials": 1})
    relative = Search(search.config, Path("elsewhere"))
    assert relative.run(verbose=False).directory == Path("elsewhere/quick")
    assert (tmp_path / "elsewhere" / "quick" / "best.keras").is_file()


@pytest.mark.parametrize("who", ["points", "linear"])
@pytest.mark.usefixtures("untrained")
def test_the_record_stays_when_data_or_builder_leave_the_folder(quick, tmp_path, who):
    (tmp_path / "below").mkdir()
    source = """
    import os

    def leaving_points():
        os.chdir("below")
        return points()

    def leaving_linear(input_shape, classes):
        os.chdir("below")
        return linear(input_shape, classes)
    """
    names = {"points": "points", "builder": "linear"}
    names = {key: f"leaving_{name}" if name == who else name for key, name in names.items()}
    search = Search(quick(source, search={"trials": 2}, **names).config, Path("runs"))
    result = search.run(verbose=False)
    assert Path.cwd() == tmp_path
    assert result.directory == Path("runs/quick")
    assert search.completed().was_complete
    assert tfcourse.retest(result.directory).holds
    assert not list((tmp_path / "below").iterdir())
