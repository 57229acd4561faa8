"""A trial that was interrupted goes on from its last checkpoint, and comes to the same."""

import datetime
import errno
import math
import re
from dataclasses import replace
from pathlib import Path

import keras
import pytest

from tfcourse.errors import InputError, WorkFailedError
from tfcourse.search.data.loading import load_split
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.journal import TrialWriter
from tfcourse.search.trials import trial
from tfcourse.search.trials.trial import TrialRunner
from tfcourse.training.checkpoints import checkpoint

EPOCHS = 5
VALUES = {"learning_rate": 0.05}


@pytest.fixture
def run(quick, monkeypatch, tmp_path):
    """Trains trial 1 in a runner of its own, as another process would; its record and epochs."""
    source = """
    def network(input_shape, classes):
        return keras.Sequential([
            keras.Input(input_shape), keras.layers.Dense(8, "relu"),
            keras.layers.Dropout(0.3), keras.layers.Dense(classes, activation="softmax"),
        ])
    """
    # The interruptions are in the middle of the schedule.
    schedule = {"schedule": "cosine", "warmup": 0.5, "label_smoothing": 0.1}
    training = {"epochs": EPOCHS, **schedule}
    config = quick(source, builder="network", training=training).config
    monkeypatch.setattr(trial, "SAVE_EVERY", datetime.timedelta(microseconds=1))
    callbacks = trial.trial_callbacks

    def start(interrupt_after=EPOCHS, checkpoints=tmp_path / "checkpoints", does=None):
        begun = []  # and no attribute of a callback: that would be part of the checkpoint

        def on_epoch_begin(epoch, logs):
            if len(begun) == interrupt_after:
                raise does or KeyboardInterrupt
            begun.append(epoch)

        epochs = keras.callbacks.LambdaCallback(on_epoch_begin=on_epoch_begin)
        monkeypatch.setattr(trial, "trial_callbacks", lambda *args: [*callbacks(*args), epochs])
        runner = TrialRunner(config, load_split(config), checkpoints=checkpoints)
        record, model = runner.run(1, VALUES)
        if does is not None:
            return record
        assert record.status == "completed", record.traceback
        weights = [weight.tobytes() for weight in model.get_weights()]
        return (record.history, record.score, record.best_epoch, weights), begun

    return start


@pytest.mark.parametrize("after", [1, 3])
def test_it_goes_on_where_it_was(run, after):
    expected, begun = run(checkpoints=None)
    assert begun == list(range(EPOCHS))
    with pytest.raises(KeyboardInterrupt):
        run(interrupt_after=after)
    found, begun = run()
    assert begun == list(range(after, EPOCHS))
    assert found == expected


def test_of_one_that_ended_but_is_not_on_record_nothing_is_trained_again(run):
    expected, _ = run()
    assert run() == (expected, [])


def cut_short(folder):
    *older, newest = sorted(folder.rglob("checkpoint-*.npz"))
    for path in older:
        path.unlink()
    newest.write_bytes(newest.read_bytes()[:100])


def of_another_training(folder):
    """As after the builder's code was changed."""
    for path in folder.rglob("checkpoint-*.npz"):
        record = checkpoint.read_record(path)
        checkpoint.write_record(path, replace(record, fingerprint={"the loss": "another"}))


@pytest.mark.parametrize("damage", [cut_short, of_another_training])
def test_one_whose_checkpoints_are_of_no_use_begins_anew(run, tmp_path, caplog, damage):
    expected, _ = run(checkpoints=None)
    with pytest.raises(KeyboardInterrupt):
        run(interrupt_after=3)
    damage(tmp_path / "checkpoints")
    assert run() == (expected, list(range(EPOCHS)))
    (warning,) = (r.getMessage() for r in caplog.records if r.name == "tfcourse")
    assert re.match(r"A trial is trained from its beginning: \S+/checkpoints\b.+", warning)
    assert run() == (expected, [])  # what was of no use is gone


def fill_the_disk(monkeypatch, saves):
    """From that save on; with -1 from when the folder is made."""
    write, mkdir, done = checkpoint.write_record, Path.mkdir, []

    def limited(*args):
        done.append(args)
        if len(done) > saves:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(*args)

    def no_folder(path, *args, **kwargs):
        if "checkpoints" in path.parts and saves < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        mkdir(path, *args, **kwargs)

    monkeypatch.setattr(checkpoint, "write_record", limited)
    monkeypatch.setattr(Path, "mkdir", no_folder)


class TestDiskFull:
    """It is no failure of the trial: the search ends, without a record of it."""

    @pytest.mark.parametrize("saves", [-1, 0, 2])
    def test_it_ends_the_search_and_the_same_search_goes_on(self, quick, monkeypatch, saves):
        search = quick(search={"trials": 2})
        with monkeypatch.context() as patch:
            patch.setattr(trial, "SAVE_EVERY", datetime.timedelta(microseconds=1))
            fill_the_disk(patch, saves)
            with pytest.raises(WorkFailedError, match=r"No space left on device.*is the disk full"):
                search.run(verbose=False)
            assert search.finished() == {}
        assert [r.status for r in search.run(verbose=False).trials.values()] == ["completed"] * 2

    @pytest.mark.parametrize("error", [OSError(28, "their file"), InputError("theirs")])
    def test_an_error_of_the_user_s_own_code_is_the_trial_s(self, run, error):
        record = run(interrupt_after=1, does=error)
        assert (record.status, record.message) == ("failed", f"{type(error).__name__}: {error}")


def test_a_short_trial_is_not_saved(quick, tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "WORTH_SAVING", math.inf)  # every trial is shorter
    config = quick().config
    runner = TrialRunner(config, load_split(config), checkpoints=tmp_path / "checkpoints")
    runner.run(0, VALUES)
    assert (tmp_path / "checkpoints" / "0000").exists()  # of the first it is not known
    runner.run(1, VALUES)
    assert not (tmp_path / "checkpoints" / "0001").exists()


def test_two_workers_on_one_trial(quick, monkeypatch, tmp_path):
    """One was taken for dead; while it saves, the other begins, ends and tidies up."""
    search = quick()
    config, split = search.config, load_split(search.config)
    directory = RunDirectory(tmp_path / "run")
    directory.create(config.as_toml(), {})

    def worker(name):
        runner = TrialRunner(config, split, name, directory.checkpoints)
        record, model = runner.run(1, VALUES)
        TrialWriter(config, directory).add(record, model)
        return record

    write, written, others = checkpoint.write_record, [], []

    def disturbed(path, record):
        write(path, record)
        written.append(path)
        if len(written) == 2:
            others.append(worker("other"))

    monkeypatch.setattr(trial, "SAVE_EVERY", datetime.timedelta(microseconds=1))
    monkeypatch.setattr(checkpoint, "write_record", disturbed)
    found, (other,) = worker("late"), others
    assert (found.status, found.history) == ("completed", other.history)
    assert directory.read_trial(1).worker == "other"
    assert list(directory.checkpoints.iterdir()) == []


def test_nothing_is_left_of_them(quick):
    result = quick(search={"trials": 1}).run(verbose=False)
    assert not (result.directory / "checkpoints").exists()
