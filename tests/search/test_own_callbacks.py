"""Callbacks of one's own in a search: made anew for each trial, with files of its own."""

import csv
import datetime
import re
from inspect import signature

import keras
import numpy as np
import pytest

import tfcourse
from tests.search.beside_keras import trained_by_keras
from tests.search.test_config import errors_of
from tfcourse.errors import InputError, WorkFailedError
from tfcourse.search.config.callbacks import KERAS_CALLBACKS
from tfcourse.search.data.loading import load_split
from tfcourse.search.trials import trial
from tfcourse.search.trials.trainings import trainings
from tfcourse.search.trials.trial import TrialRunner

# Any loss is worse by less than this: the rate falls in every epoch but the first.
PLATEAU = {"factor": 0.5, "patience": 1, "min_delta": 100.0}


def same(result):
    return {n: (r.values, r.score, r.history) for n, r in result.trials.items()}


OWN = """
import csv

def cube(y_true, y_pred):
    return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 3, axis=-1)

def offset(y_true, y_pred):
    return keras.ops.abs(keras.ops.mean(y_true - y_pred, axis=-1))

class Log(keras.callbacks.CSVLogger):
    def __init__(self, trial, values):
        super().__init__("log.csv")
        self.first = f"{trial} {values['learning_rate']}"

    def on_train_end(self, logs=None):
        super().on_train_end(logs)
        with open(self.filename, "a") as file:
            file.write(self.first)

def plateau():
    return keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=1, min_delta=100.0)
"""


def test_a_search_with_parts_of_ones_own_and_two_workers(quick, tmp_path):
    """The same trials as in one process, and each trial's file beside its record."""
    search = quick(
        OWN,
        search={"objective": "val_offset", "direction": "min", "trials": 4},
        training={
            "loss": "SOURCE:cube",
            "targets": "one_hot",
            "metrics": ["SOURCE:offset"],
            "callbacks": ["SOURCE:plateau", "SOURCE:Log"],
            "epochs": 3,
        },
    )
    result = search.run(verbose=False, workers=2)
    assert {record.status for record in result.trials.values()} == {"completed"}
    alone = tfcourse.Search(search.config, tmp_path / "alone").run(verbose=False)
    assert same(result) == same(alone)
    for number, record in result.trials.items():
        path = result.directory / "callbacks" / f"{number:04d}" / "log.csv"
        *table, last = path.read_text().splitlines()
        assert last == f"{number} {record.values['learning_rate']}"
        rows = list(csv.DictReader(table))
        for name in ("loss", "val_offset"):
            np.testing.assert_allclose([float(r[name]) for r in rows], record.history[name])
        rates = record.history["learning_rate"]
        assert rates[2] == pytest.approx(rates[0] / 2)
    assert not list(tmp_path.glob("*.csv"))


def test_keras_own_by_name_give_the_numbers_of_model_fit(regression):
    """Trials that share a compiled model begin with their own learning rates all the same."""
    tables = {
        "ReduceLROnPlateau": PLATEAU,
        "ModelCheckpoint": {"filepath": "{trial}-{epoch}.keras"},
        "TerminateOnNaN": {},
    }
    search = regression(callbacks=tables, trials=3)
    result = search.run(verbose=False)
    assert result.efforts["main"].reused == 2

    def plateau():
        return [keras.callbacks.ReduceLROnPlateau(**PLATEAU)]

    for number, _, model, _ in trained_by_keras(search, result, callbacks=plateau):
        folder = result.directory / "callbacks" / f"{number:04d}"
        names = [f"{number:04d}-{epoch}.keras" for epoch in (1, 2, 3, 4)]
        assert sorted(path.name for path in folder.iterdir()) == names
        saved = keras.models.load_model(folder / names[-1])
        np.testing.assert_allclose(saved.get_weights()[0], model.get_weights()[0], rtol=1e-5)


class Batches(keras.callbacks.Callback):
    """Counts the batches of a training in the logs and in a file."""

    def __init__(self, folder):
        super().__init__()
        self.folder, self.count = folder, 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1

    def on_epoch_end(self, epoch, logs=None):
        logs["batches"] = float(self.count)
        (self.folder / f"{epoch}.txt").write_text(str(self.count))


def test_one_that_acts_on_batches_in_every_fold(regression, caplog):
    halves = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    search = regression(callbacks=[Batches, halves], batch_size=8, folds=2, trials=1, epochs=2)
    result = search.run(verbose=False)
    assert result.best.history["batches"] == [3, 6]  # 24 examples in a fold
    files = sorted((result.directory / "callbacks" / "0000").glob("*/*.txt"))
    assert [path.read_text() for path in files] == ["3", "6"] * 2
    lines = [m for m in caplog.messages if "is built and compiled again" in m]
    assert len(lines) == 1
    assert "the callback tests.search.test_own_callbacks.Batches is your own" in lines[0]


class Raises(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1 and self.model.optimizer.learning_rate > 0.05:
            raise KeyError("mine")


def test_a_trial_whose_callback_raises_has_failed(regression):
    space = {"learning_rate": {"values": [0.01, 0.1]}}
    result = regression(callbacks=[Raises], space=space).run(verbose=False)
    by_rate = {r.values["learning_rate"]: r for r in result.trials.values()}
    assert by_rate[0.01].status == "completed"
    assert (by_rate[0.1].status, by_rate[0.1].message) == ("failed", "KeyError: 'mine'")
    assert "on_epoch_end" in by_rate[0.1].traceback


class Added(keras.callbacks.Callback):
    """Adds a number to the logs of every n-th epoch: 1, 4, 9, 4, 1, in the next trial one less."""

    def __init__(self, trial, every=1):
        super().__init__()
        self.numbers, self.every = [value - trial for value in (1, 4, 9, 4, 1)], every

    def on_epoch_end(self, epoch, logs=None):
        if epoch % self.every == 0:
            logs["val_mine"] = float(self.numbers[epoch])


ADDED = "tests.search.test_own_callbacks:Added"


def test_what_a_callback_adds_to_the_logs_may_be_the_objective(regression):
    """It decides which epoch's weights the model has, and which trial is the best."""
    named = {"objective": "val_mine", "direction": "max", "epochs": 5}
    search = regression(callbacks=[Added], **named, limits={"val_mine": {"min": 8.5}})
    result = search.run(verbose=False)
    scores = {n: (r.status, r.score, r.best_epoch) for n, r in result.trials.items()}
    assert scores == {0: ("completed", 9.0, 3), 1: ("infeasible", 8.0, 3)}
    dev = load_split(search.config).dev
    loss, _ = result.best_model().evaluate(dev.x, dev.y, verbose=0)
    assert loss == pytest.approx(result.best.history["val_loss"][2], rel=1e-5)
    # Not in a search whose callbacks are all Keras's.
    with pytest.raises(InputError, match=r"objective must be one of .* Received: 'val_mine'\."):
        regression(callbacks=[keras.callbacks.TerminateOnNaN()], **named)


def test_what_it_adds_in_some_epochs_alone_is_left_out_or_no_objective(regression):
    every = {ADDED: {"every": 2}}
    result = regression(callbacks=every, epochs=3, trials=1).run(verbose=False)
    names = {"loss", "mean_absolute_error", "val_loss", "val_mean_absolute_error"}
    assert {n: len(values) for n, values in result.best.history.items()} == dict.fromkeys(names, 3)
    own = {"name": "val_mine", "direction": "max"}
    for number, (settings, what) in enumerate(
        (
            ({"objective": "val_mine", "direction": "max"}, "objective"),
            ({"objectives": ["val_loss", own]}, "objective"),
            ({"limits": {"val_mine": {"max": 9.0}}}, "metric"),
            ({"early_stopping": {"monitor": "val_mae"}}, "monitor"),
        )
    ):
        search = regression(f"runs{number}", callbacks=every, epochs=3, trials=1, **settings)
        epoch = 1 if what == "monitor" else 2
        said = rf"{what} of the logs of epoch {epoch} .*must be one of .*Received: 'val_m"
        with pytest.raises(WorkFailedError, match=said):
            search.run(verbose=False)


def halving(rate, trial):
    return keras.callbacks.LearningRateScheduler(lambda epoch, now: now * rate)


OBJECT = keras.callbacks.EarlyStopping()

WRONG = {
    "another object": (
        {"callbacks": [lambda: 3]},
        r'\[training\] callbacks: "tests.*:<lambda>" must make a keras\.callbacks\.Callback\. '
        r"Received: 3\.",
    ),
    "a shared file": (
        {"callbacks": [keras.callbacks.CSVLogger("/tmp/log.csv")]},
        r'"keras.*" writes /tmp/log\.csv, which all trials would share\. Give a relative path, ',
    ),
    "an argument": (
        {"callbacks": {"CSVLogger": {}}},
        r'\[training\] callbacks: "CSVLogger" needs the argument "filename"\. Give it in a table: '
        r'callbacks = \{ "CSVLogger" = \{ filename = … \} \}\.',
    ),
    "an argument of a function": (
        {"callbacks": {"tests.search.test_own_callbacks:halving": {"trial": 3}}},
        r'callbacks: "tests.*:halving" needs the argument "rate"\.',
    ),
    "another argument of a function": (
        {"callbacks": {"tests.search.test_own_callbacks:halving": {"rat": 0.5, "rate": 0.5}}},
        r'the argument of "tests.*:halving" must be one of "rate", "trial"\. Received: .rat.\.',
    ),
    "an argument of an object": (
        {"callbacks": {"tests.search.test_own_callbacks:OBJECT": {"patience": 3}}},
        r'callbacks: "tests.*:OBJECT" is an object, which takes no arguments\. Received: .*patien',
    ),
    "an argument that Keras would ignore": (
        {"callbacks": {"ReduceLROnPlateau": {"facto": 0.5}}},
        r'\[training\] callbacks: the argument of "ReduceLROnPlateau" must be one of "monitor", .*'
        r"Received: 'facto'\. Did you mean \"factor\"\?",
    ),
    "another resumption": (
        {"callbacks": [keras.callbacks.BackupAndRestore("backup")]},
        r"a search resumes its trials itself\. Leave it out\.",
    ),
    "a schedule": (
        {"callbacks": ["ReduceLROnPlateau"], "schedule": "cosine"},
        r"callbacks: ReduceLROnPlateau sets the learning rate, which has a schedule: leave out ",
    ),
}


@pytest.mark.parametrize(("settings", "said"), WRONG.values(), ids=WRONG)
def test_what_can_not_be_a_callback_is_refused_before_the_first_trial(settings, said, regression):
    search = regression(**settings)
    with pytest.raises(InputError, match=said):
        search.run(verbose=False)
    assert not search.directory.exists()


ERRORS = {
    "name": (
        "callbacks = ['ReduceLRonPlateau']",
        r'\[training\] callbacks must be one of "CSVLogger", .*Did you mean "ReduceLROnPlateau"\?',
    ),
    "a number": (
        "callbacks = 3",
        r"\[training\] callbacks: must be a list or a table\. Received: 3\.",
    ),
    "a number in a list": (
        "callbacks = [3]",
        r"\[training\] callbacks: must be a text\. Received: 3\.",
    ),
    "no table": (
        "callbacks = { CSVLogger = 'log.csv' }",
        r"\[training\] callbacks: must be a table\. Received: 'log\.csv'\.",
    ),
    "function": (
        "callbacks = ['math:pi']",
        r'\[training\] callbacks: the module "math" has no function "pi"\..*',
    ),
    "population": (
        "callbacks = ['TerminateOnNaN']\n[search]\ncaviar = 'population'",
        r'\[search\] caviar = "population" is not possible with \[training\] callbacks: .*',
    ),
}


@pytest.mark.parametrize(("fragment", "said"), ERRORS.values(), ids=ERRORS)
def test_an_error_of_a_name(fragment, said, tmp_path):
    text = f"[training]\n{fragment}"
    if "[search]" in text:
        training, search = text.split("[search]\n")
        text = f"[search]\nname = 'a'\ntrials = 2\n{search}\n{training}"
    (line,) = errors_of(text + "\n[space.learning_rate]\nlow = 0.1\nhigh = 0.2\n", tmp_path)
    assert re.fullmatch(said, line), line


def test_the_names_are_keras_own():
    for name in KERAS_CALLBACKS:
        assert issubclass(getattr(keras.callbacks, name), keras.callbacks.Callback)
    others = {n for n in dir(keras.callbacks) if n[0].isupper()} - {*KERAS_CALLBACKS}
    bare = {"Callback", "CallbackList", "History", "ProgbarLogger", "BackupAndRestore"}
    functions = {"LambdaCallback", "LearningRateScheduler"}
    assert others <= bare | functions | {"OrbaxCheckpoint"}
    for name in functions:
        assert signature(getattr(keras.callbacks, name)).parameters


# The interrupted CSVLogger has not closed its file, as a killed process has not.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_file_continues_where_its_trial_does(quick, tmp_path, monkeypatch):
    """After an interruption a CSVLogger has each epoch once, and the rate is what it was."""
    tables = {"CSVLogger": {"filename": "log.csv"}, "ReduceLROnPlateau": PLATEAU}
    config = quick(training={"callbacks": tables, "epochs": 5}).config
    (training,) = trainings(0, 0, 1, 1)

    def train(last, checkpoints, files):
        def on_epoch_begin(epoch, logs):
            if epoch == last:
                raise KeyboardInterrupt

        end = keras.callbacks.LambdaCallback(on_epoch_begin=on_epoch_begin)
        monkeypatch.setattr(trial, "trial_callbacks", lambda *args: [end])
        runner = TrialRunner(config, load_split(config), checkpoints=checkpoints, files=files)
        history = runner.train(0, {"learning_rate": 0.1}, training)[1]
        return history, (files / "0000" / "log.csv").read_text()

    whole = train(None, None, tmp_path / "whole")
    assert len(whole[1].splitlines()) == 6
    monkeypatch.setattr(trial, "SAVE_EVERY", datetime.timedelta(microseconds=1))
    with pytest.raises(KeyboardInterrupt):
        train(3, tmp_path / "checkpoints", tmp_path / "part")
    assert train(None, tmp_path / "checkpoints", tmp_path / "part") == whole
    # A trial that begins again has no rows of before.
    assert train(None, None, tmp_path / "part") == whole
