"""Keras's callbacks do under `fit` what they do under ``model.fit``."""

import io
import json
import re
import zipfile

import h5py
import keras
import numpy as np
import pytest
import requests
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.training.parity import as_new, assert_same, both, both_again, examples, keras_fit, small
from tfcourse import Adam, fit

pytestmark = pytest.mark.usefixtures("kept_programs")

X, Y = examples()
callbacks = keras.callbacks


def trained(make_callbacks, make=small, data=(X, Y), **kwargs):
    """Both trainings, compared, and the callbacks of each."""
    made = []

    def new():
        made.append(make_callbacks(len(made)))
        return made[-1]

    arguments = {"validation_data": (X, Y), "epochs": 3, **kwargs}
    runs = both_again(make, data, callbacks=new, **arguments)
    assert_same(runs)
    return runs, made


def fast():
    """Overshoots, so that its loss goes up and down."""
    return small(optimizer=Adam(0.8))


@pytest.mark.parametrize(
    "arguments",
    [
        {"patience": 1, "restore_best_weights": True},
        {"patience": 1, "start_from_epoch": 2, "restore_best_weights": True},
        {"patience": 0, "baseline": 0.01},
        {"monitor": "val_accuracy", "min_delta": 0.05, "mode": "max"},
    ],
    ids=str,
)
def test_early_stopping(arguments):
    def stop(_):
        return [callbacks.EarlyStopping(**{"monitor": "val_loss", **arguments})]

    runs, made = trained(stop, make=fast, epochs=12)
    assert 0 < made[0][0].stopped_epoch == made[1][0].stopped_epoch < 11
    assert made[0][0].best_epoch == made[1][0].best_epoch
    assert len(runs[1].history.epoch) < 12


def saved_weights(path):
    """Everything in a file of weights, or in that of a whole model, by name."""
    found = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as whole:
            path = io.BytesIO(whole.read("model.weights.h5"))
    with h5py.File(path) as file:
        file.visititems(keep)
    return found


def assert_same_files(theirs, ours, count):
    """Two folders hold the same weights in files of the same names."""
    names = [sorted(p.name for p in folder.iterdir()) for folder in (theirs, ours)]
    assert names[0] == names[1]
    assert len(names[0]) == count
    for name in names[0]:
        expected, found = saved_weights(theirs / name), saved_weights(ours / name)
        assert found.keys() == expected.keys()
        assert len(found) > 10
        for key, values in expected.items():
            np.testing.assert_array_equal(found[key], values)


@pytest.mark.parametrize(
    ("name", "arguments", "count"),
    [
        ("{epoch}-{val_loss:.4f}.keras", {}, 3),
        ("best.keras", {"save_best_only": True}, 1),
        ("{epoch}.weights.h5", {"save_weights_only": True}, 3),
        ("{epoch}-{batch}-{loss:.5f}.weights.h5", {"save_weights_only": True, "save_freq": 4}, 3),
    ],
)
def test_model_checkpoint(name, arguments, count, tmp_path):
    folders = [tmp_path / "theirs", tmp_path / "ours"]
    trained(lambda n: [callbacks.ModelCheckpoint(folders[n] / name, **arguments)])
    assert_same_files(*folders, count)


class Interrupt(callbacks.Callback):
    """Ends the process, as it were, in the middle of the second epoch or after it."""

    def __init__(self, in_epoch):
        super().__init__()
        self.in_epoch, self.epoch = in_epoch, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        if epoch == 2 and not self.in_epoch:
            raise KeyboardInterrupt

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 1 and batch == 2 and self.in_epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("frequency", "in_epoch"), [("epoch", True), ("epoch", False), (3, True)])
def test_backup_and_restore(frequency, in_epoch, tmp_path):
    folders = [tmp_path / "theirs", tmp_path / "ours"]
    backups = [callbacks.BackupAndRestore(f, save_freq=frequency) for f in folders]
    options = {"batch_size": 16, "epochs": 4, "verbose": 0, "shuffle": False}
    for model, train, backup in zip(as_new(small), (keras_fit, fit), backups, strict=True):
        with pytest.raises(KeyboardInterrupt):
            train(model, X, Y, callbacks=[backup, Interrupt(in_epoch)], **options)
    theirs, ours = (json.loads((f / "training_metadata.json").read_text()) for f in folders)
    assert ours == theirs

    left = list(backups)
    runs = both_again(small, (X, Y), callbacks=lambda: [left.pop(0)], epochs=4)
    assert_same(runs)
    assert runs[1].history.epoch == ([1, 2, 3] if in_epoch else [2, 3])
    assert not any(folder.exists() for folder in folders), "deleted when all is done"


def test_reduce_lr_on_plateau():
    def reduce(_):
        return [callbacks.ReduceLROnPlateau("val_loss", 0.3, patience=1, cooldown=1, min_lr=0.01)]

    runs, _ = trained(reduce, make=fast, epochs=8)
    rates = runs[1].history.history["learning_rate"]
    assert rates[0] > rates[-1]


@pytest.mark.parametrize("schedule", [lambda e: 0.1 / (e + 1), lambda e, rate: 0.5 * rate])
def test_learning_rate_scheduler(schedule):
    runs, _ = trained(lambda _: [callbacks.LearningRateScheduler(schedule)])
    assert len(set(runs[1].history.history["learning_rate"])) == 3


@pytest.mark.parametrize("arguments", [{"append": True}, {"separator": ";"}], ids=str)
def test_csv_logger(arguments, tmp_path):
    paths = [tmp_path / "theirs.csv", tmp_path / "ours.csv"]
    for _ in range(2):
        trained(lambda n: [callbacks.CSVLogger(paths[n], **arguments)], validation_freq=2)
    theirs, ours = (path.read_text() for path in paths)
    assert ours == theirs
    assert len(ours.splitlines()) == (7 if "append" in arguments else 4)


def events(folder):
    """What all event files below a folder hold; layers are numbered through, so without numbers."""
    found = {}
    for path in sorted(folder.rglob("events*")):
        log = EventAccumulator(str(path), size_guidance={"tensors": 0})
        log.Reload()
        for tag in log.Tags()["tensors"]:
            values = [(e.step, tf.make_ndarray(e.tensor_proto).tolist()) for e in log.Tensors(tag)]
            found[path.parent.name, re.sub(r"_\d+", "", tag)] = values
    return found


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ("train", "epoch_loss")),
        ({"update_freq": 2}, ("train", "batch_loss")),
        ({"update_freq": "batch"}, ("validation", "evaluation_accuracy_vs_iterations")),
        ({"histogram_freq": 1}, ("train", "sequential/dense/kernel/histogram")),
    ],
    ids=["epochs", "every second batch", "batches", "histograms"],
)
def test_tensor_board(arguments, expected, tmp_path):
    folders = [tmp_path / "theirs", tmp_path / "ours"]
    trained(lambda n: [callbacks.TensorBoard(folders[n], **arguments)])
    theirs, ours = map(events, folders)
    # The model as JSON, with the names of its layers.
    assert theirs.pop(("train", "keras")) and ours.pop(("train", "keras"))
    assert ours == theirs
    assert len(ours[expected]) > 2


def test_tensor_board_profiles_the_batches_asked_for(tmp_path):
    board = callbacks.TensorBoard(tmp_path, profile_batch=(2, 3))
    seen = []
    board._start_trace = lambda: seen.append(("start", board._global_train_batch))
    board._stop_trace = lambda: seen.append(("stop", board._global_train_batch))
    board._is_tracing = True
    fit(small(), X, Y, batch_size=16, verbose=0, callbacks=[board])
    assert seen[:2] == [("start", 2), ("stop", 3)]


def averaging():
    return small(optimizer=keras.optimizers.Adam(0.1, use_ema=True, ema_momentum=0.5))


@pytest.mark.parametrize("on_epoch", [False, True])
def test_swap_ema_weights(on_epoch, tmp_path):
    folders = [tmp_path / "theirs", tmp_path / "ours"]

    def make(number):
        swap = callbacks.SwapEMAWeights(swap_on_epoch=on_epoch)
        path = folders[number] / "{epoch}.weights.h5"
        return [swap, callbacks.ModelCheckpoint(path, save_weights_only=True)]

    trained(make, make=averaging)
    assert_same_files(*folders, 3)


@pytest.mark.parametrize("as_json", [True, False])
def test_remote_monitor(as_json, monkeypatch):
    sent = []
    monkeypatch.setattr(requests, "post", lambda *a, **k: sent.append((a, k)))
    trained(lambda _: [callbacks.RemoteMonitor(send_as_json=as_json)])
    assert sent[:3] == sent[3:]
    assert len(sent) == 6


def with_nan_in_batch_2():
    x = X.copy()
    x[40, 2] = np.nan
    return x, Y


def test_terminate_on_nan():
    """It comes before `fit`'s own ``on_nan``."""
    terminate = lambda: [callbacks.TerminateOnNaN()]  # noqa: E731
    own = {"check_data": False}
    runs = both(small, with_nan_in_batch_2, callbacks=terminate, own=own)
    assert_same(runs)
    assert int(runs[1].model.optimizer.iterations) == 3
    assert runs[1].history.epoch == [0]


def test_terminate_on_nan_with_an_error():
    options = {"batch_size": 16, "shuffle": False, "verbose": 0}
    for model, train, own in zip(
        as_new(small), (keras_fit, fit), ({}, {"check_data": False}), strict=True
    ):
        terminate = [callbacks.TerminateOnNaN(raise_error=True)]
        with pytest.raises(RuntimeError, match="NaN or Inf loss encountered at batch 2"):
            train(model, *with_nan_in_batch_2(), callbacks=terminate, **options, **own)
        assert int(model.optimizer.iterations) == 3
