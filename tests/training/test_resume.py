"""A training that is killed again and again ends as one that never was."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import keras
import numpy as np
import pytest

from tests import processes
from tests.seeds import set_seeds
from tfcourse import Adam, SoftmaxHead, fit
from tfcourse.training.checkpoints.checkpoint import CheckpointFolder
from tfcourse.training.programs.state import state_variables

# Programs are compared with themselves here.
pytestmark = pytest.mark.usefixtures("no_graph_optimizer", "kept_programs")

ROOT = Path(__file__).parents[2]
KILLS = 10


# pandas imports pyarrow where it is installed, whose allocator has a thread of its own.
WITHOUT_THREADS = {
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}


@contextmanager
def trainer(forked):
    """What starts a process that trains in a folder, and gives its id; and what waits for it.

    They are forked from a process that is forked as well, or from one that Python has started.
    """
    module = ["-m", "tests.training.resumable"]
    reader, writer = os.pipe()
    with os.fdopen(reader) as lines, os.fdopen(writer, "w", buffering=1) as folders:
        if forked:
            process = processes.Process(module, ROOT, stdin=lines)
        else:
            process = subprocess.Popen(
                [sys.executable, *module], stdin=lines, stdout=subprocess.PIPE, text=True, cwd=ROOT,
                env={**os.environ, **WITHOUT_THREADS},
            )  # fmt: skip

        def begin(folder):
            print(folder, file=folders)
            return int(process.stdout.readline())

        def ended():
            return int(process.stdout.readline())

        yield begin, ended
    process.communicate()


def saved(folder):
    return {path.name for path in folder.glob("checkpoints/checkpoint-*")}


def in_writing(folder):
    return list(folder.glob("checkpoints/.checkpoint-*"))


def kill(number, rng, trained, folder):
    """Kills a process at a random moment: of its start, of its work, or while it writes."""
    begin, ended = trained
    before = saved(folder)
    process = begin(folder)
    while number % 5 and saved(folder) == before:
        time.sleep(0.01)
    time.sleep(rng.uniform(0, 0.5))
    while number == KILLS - 1 and not in_writing(folder):
        pass
    os.kill(process, signal.SIGKILL)
    assert ended() == -signal.SIGKILL, "it was finished: let it train longer"


@pytest.mark.parametrize("seed", [0])
def test_ten_kills_change_nothing(seed, tmp_path):
    """Of processes that save all the time; in the end all is as in one that was left alone."""
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    rng, places = np.random.default_rng(seed), []
    # Python's hashes are others in the second half.
    for half in (range(KILLS // 2), range(KILLS // 2, KILLS)):
        with trainer(forked=half.start == 0) as trained:
            begin, ended = trained
            if half.start == 0:
                begin(alone)
                assert ended() == 0
            for number in half:
                kill(number, rng, trained, killed)
                if saved(killed):
                    record = CheckpointFolder(killed / "checkpoints", 3).newest()[1]
                    places.append((record.epoch, record.step))
            if half.stop == KILLS:
                begin(killed)
                assert ended() == 0

    # They were kills at different places, also inside epochs, and each time it went on.
    assert places == sorted(places) and len(set(places)) >= 4, places
    assert any(step for _, step in places)
    same_files(killed, alone)
    end = json.loads((alone / "end.json").read_text())
    assert places[-1][0] < end["stopped"] and 0 < end["best_epoch"] < end["stopped"] < 999
    assert len(set(end["history"]["learning_rate"])) > 2
    assert not in_writing(killed)


def same_files(killed, alone):
    assert (killed / "end.json").read_text() == (alone / "end.json").read_text()
    assert (killed / "log.csv").read_bytes() == (alone / "log.csv").read_bytes()
    with np.load(killed / "end.npz") as found, np.load(alone / "end.npz") as wanted:
        assert set(found) == set(wanted)
        for name in wanted:
            np.testing.assert_array_equal(found[name], wanted[name])


def without(what):
    """A record with other values of some variables: a function of the variable's path."""

    def forget(record, paths):
        values = [v + what(path) for v, path in zip(record.variables, paths, strict=True)]
        types = [v.dtype for v in record.variables]
        return replace(record, variables=[v.astype(t) for v, t in zip(values, types, strict=True)])

    return forget


def without_state_of(callback):
    return lambda record, _: replace(record, callbacks={**record.callbacks, callback: {}})


PARTS = {
    "nothing": lambda record, _: record,
    "the seed of the shuffling": lambda record, _: replace(record, seed=record.seed + 1),
    "the steps done": lambda record, _: replace(record, step=0),
    "the epochs done": lambda record, _: replace(record, epoch=record.epoch - 1),
    "the weights": without(lambda path: 0.1 * path.endswith("/kernel")),
    "the seed of the dropout": without(lambda path: path.endswith("seed_generator_state")),
    "the optimizer's averages": without(lambda path: 0.1 * path.endswith("kernel_square")),
    "the learning rate": without(lambda path: 0.1 * path.endswith("learning_rate")),
    "the metrics": without(lambda path: path.endswith(("total", "count"))),
    "a callback": without_state_of("ReduceLROnPlateau"),
    "the history": without_state_of("History"),
}


@pytest.fixture(scope="module")
def trainable():
    """A small training; the model is made once, and starts from the same state each time."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(75, 6)).astype("float32"), rng.integers(0, 3, size=75)
    body = [keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.4), SoftmaxHead(3)]
    model = keras.Sequential([keras.Input((6,)), *body])
    model.compile(Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    fit(model, x, y, verbose=0)
    initial = [variable.value.numpy() for variable in state_variables(model)]

    def train(epochs=4, **kwargs):
        for variable, value in zip(state_variables(model), initial, strict=True):
            variable.assign(value)
        plateau = keras.callbacks.ReduceLROnPlateau("loss", patience=2, min_delta=9.0)
        history = fit(model, x, y, 16, epochs, 0, [plateau], **kwargs)
        train.paths = [v.path for v in state_variables(model)]
        return history.history, [v.value.numpy() for v in state_variables(model)]

    return train


def equal(results, expected):
    (history, values), (their_history, their_values) = results, expected
    return history == their_history and all(map(np.array_equal, values, their_values))


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_a_checkpoint_is_needed(part, trainable, tmp_path, monkeypatch):
    """The positive control: where one part is forgotten, the comparison above would tell."""
    monkeypatch.setattr(
        sys.modules["tfcourse.training.fit"], "steps_per_call", lambda model, feed: 2
    )
    set_seeds(3)
    expected = trainable()
    set_seeds(3)
    arguments = {"checkpoint_dir": tmp_path, "save_every": timedelta(microseconds=1)}
    trainable(**arguments, keep_checkpoints=99)
    for path in CheckpointFolder(tmp_path, 9).files()[9:]:  # in the third epoch, after four steps
        path.unlink()
    path, record = CheckpointFolder(tmp_path, 9).newest()
    assert (record.epoch, record.step) == (2, 4)
    changed = PARTS[part](record, trainable.paths)
    monkeypatch.setattr(CheckpointFolder, "newest", lambda folder: (path, changed))
    with warnings.catch_warnings(action="ignore"):
        found = trainable(**arguments)
    assert equal(found, expected) == (part == "nothing")
