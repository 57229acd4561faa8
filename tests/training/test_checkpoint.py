"""Checkpoints of `fit`: what is in them, what damages them, what they are refused for.

The interruptions here are exceptions right after a save; real kills are in ``test_resume.py``.
"""

import csv
import errno
import resource
import shutil
import sys
import warnings
from collections import deque
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.seeds import set_seeds
from tfcourse import Adam, BatchNorm, InputError, Momentum, SoftmaxHead, WorkFailedError, fit
from tfcourse.training.checkpoints import checkpoint
from tfcourse.training.checkpoints.checkpoint import CheckpointFolder
from tfcourse.training.checkpoints.record import NotStorableError, Record, encode
from tfcourse.training.data.arrays import Arrays
from tfcourse.training.programs.building import build_state
from tfcourse.training.programs.state import state_variables

# Programs are compared with themselves here.
pytestmark = pytest.mark.usefixtures("no_graph_optimizer", "kept_programs")

layers = keras.layers
ROWS, FEATURES, CLASSES, EPOCHS = 75, 6, 3, 6  # 75 = 4 batches of 16 and one of 11
AT_ONCE = timedelta(microseconds=1)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, FEATURES)).astype("float32")
    return x, (x[:, 0] > 0).astype("int64") + (x[:, 1] > 0.5)


def compiled(model, optimizer=None, loss="sparse_categorical_crossentropy", **kwargs):
    model.compile(
        Adam(0.01) if optimizer is None else optimizer, loss, metrics=["accuracy"], **kwargs
    )
    return model


def network(*body, optimizer=None, **kwargs):
    stack = [keras.Input((FEATURES,)), *body, SoftmaxHead(CLASSES)]
    return compiled(keras.Sequential(stack), optimizer, **kwargs)


def mlp(optimizer=None):
    return network(
        layers.Dense(8), BatchNorm(), layers.ReLU(), layers.Dropout(0.4), optimizer=optimizer
    )


def dropped(optimizer):
    return network(layers.Dropout(0.4), optimizer=optimizer)


def fast():
    return mlp(Adam(0.3))


def averaged():
    return mlp(Adam(0.01, use_ema=True))


class OwnStep(keras.Model):
    """A step that returns its own logs."""

    def __init__(self):
        super().__init__()
        self.body, self.head = layers.Dropout(0.3), SoftmaxHead(CLASSES)

    def call(self, x, training=False):
        return self.head(self.body(x, training=training))

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss}


class Trained(NamedTuple):
    """What a training left behind."""

    state: dict
    history: dict
    epochs: list
    callbacks: list
    model: keras.Model


KEPT = {}


@pytest.fixture(autouse=True)
def forget():
    """Only the models of several tests are kept from one to the next, and their programs."""
    yield
    if others := KEPT.keys() - {mlp, fast, averaged}:
        for make in others:
            del KEPT[make]
        keras.utils.set_random_seed(0)  # so that TensorFlow forgets their programs


def train(make, data, process=1, dataset=False, callbacks=(), **kwargs):
    """A training as in a process of its own, all of whose state is another than in others.

    A model is made once, to be compiled once; ``test_resume.py`` has real processes.
    """
    x, y = data
    sample_weight = kwargs.get("sample_weight")
    set_seeds(process)
    if make not in KEPT:
        model = make()
        build_state(
            model,
            Arrays.of(x[:16], y[:16], None if sample_weight is None else sample_weight[:16]).data,
        )
        KEPT[make] = model, [v.value.numpy() for v in state_variables(model)]
    model, initial = KEPT[make]
    for variable, value in zip(state_variables(model), initial, strict=True):
        variable.assign(value + np.asarray(process - 1, value.dtype))
    arguments = {"epochs": EPOCHS, "verbose": 0, "validation_data": data, **kwargs}
    arguments["callbacks"] = [create() for create in callbacks]
    if dataset:
        batches = tf.data.Dataset.from_tensor_slices(data).batch(16)
        history = fit(model, batches, **arguments)
    else:
        history = fit(model, x, y, **{"batch_size": 16, **arguments})
    assert model.history is history
    state = {f"{n} {v.path}": v.value.numpy() for n, v in enumerate(state_variables(model))}
    return Trained(state, history.history, history.epoch, arguments["callbacks"], model)


class EndedHereError(Exception):
    pass


@pytest.fixture
def interrupted(monkeypatch):
    """Ends a training right after its n-th save."""

    def end_after(count, *args, **kwargs):
        save, done = CheckpointFolder.save, []

        def save_and_end(folder, record):
            path = save(folder, record)
            done.append(path)
            if len(done) == count:
                raise EndedHereError
            return path

        with monkeypatch.context() as patch:
            patch.setattr(CheckpointFolder, "save", save_and_end)
            with pytest.raises(EndedHereError):
                train(*args, **kwargs)
        return done

    return end_after


@pytest.fixture
def short_calls(monkeypatch):
    """Programs of two steps, so that an epoch can be saved in its middle."""
    monkeypatch.setattr(
        sys.modules["tfcourse.training.fit"], "steps_per_call", lambda model, feed: 2
    )


def same(a, b):
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=np.asarray(a).dtype.kind == "f")


def assert_same(result, expected):
    assert result.epochs == expected.epochs
    for found, wanted in ((result.history, expected.history), (result.state, expected.state)):
        assert found.keys() == wanted.keys() and wanted
        for name in wanted:
            assert same(found[name], wanted[name]), name


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# Every optimizer's state, every kind of variable and of step, each interrupted everywhere.
MODELS = {
    "dropout and batch norm": mlp,
    "momentum": lambda: dropped(Momentum(0.1)),
    "ema": lambda: dropped(Adam(0.01, use_ema=True, ema_overwrite_frequency=4)),
    "accumulation": lambda: dropped(Adam(0.01, gradient_accumulation_steps=3)),
    "schedule": lambda: dropped(
        Momentum(keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.9))
    ),
    "loss scaling": lambda: dropped(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))),
    "own train_step": lambda: compiled(OwnStep()),
    "bfloat16": lambda: network(layers.Dense(4, dtype="bfloat16")),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_a_training_ends_as_if_it_had_not_been_interrupted(
    name, data, tmp_path, interrupted, short_calls
):
    make = MODELS[name]
    expected = train(make, data, epochs=3)
    # Five batches in calls of two: an epoch is saved twice in its middle and once at its end.
    for count in (2, 4, 9):
        folder = tmp_path / str(count)
        arguments = {"epochs": 3, "checkpoint_dir": folder, "save_every": AT_ONCE}
        interrupted(count, make, data, **arguments)
        assert_same(train(make, data, process=2, **arguments), expected)


@pytest.mark.parametrize(
    "kwargs",
    [
        {
            "sample_weight": np.linspace(0, 2, ROWS),
            "seed": 3,
            "jit_compile": True,
            "validation_data": None,  # one more program for XLA to compile
        },
        {"sample_weight": np.linspace(0, 2, ROWS)},
        {"shuffle": False, "validation_data": None},
        {"steps_per_epoch": 1, "initial_epoch": 1, "batch_size": 25},
        {"validation_freq": 2, "seed": 3},
    ],
    ids=["under XLA", "weights", "no shuffling", "steps_per_epoch", "a seed"],
)
def test_with_other_arguments(kwargs, data, tmp_path, interrupted, short_calls):
    kwargs = {"epochs": 4, **kwargs}
    expected = train(mlp, data, **kwargs)
    kwargs |= {"checkpoint_dir": tmp_path, "save_every": AT_ONCE}
    interrupted(3, mlp, data, **kwargs)
    assert_same(train(mlp, data, process=2, **kwargs), expected)


def test_a_dataset_goes_on_at_the_end_of_an_epoch(data, tmp_path, interrupted, short_calls):
    expected = train(mlp, data, dataset=True)
    arguments = {"checkpoint_dir": tmp_path, "save_every": AT_ONCE, "dataset": True}
    saved = interrupted(3, mlp, data, **arguments)
    assert len(saved) == 3
    record = CheckpointFolder(tmp_path, 3).newest()[1]
    assert (record.epoch, record.step, record.seed) == (2, 0, None)
    assert_same(train(mlp, data, **arguments), expected)


def test_a_rollback_before_and_after_the_interruption(data, tmp_path, interrupted, short_calls):
    """The state that is gone back to is that of the training that was not interrupted."""

    class Blow(keras.callbacks.Callback):
        """Makes a weight infinite, twice; the third time it would be an error."""

        def __init__(self):
            super().__init__()
            self.at = [1, 3]

        def on_epoch_end(self, epoch, logs=None):
            if epoch in self.at:
                self.at.remove(epoch)
                kernel = self.model.trainable_weights[0]
                kernel.assign(kernel * np.inf)

    arguments = {"on_nan": "rollback", "callbacks": [Blow], "validation_data": None}
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        expected = train(mlp, data, **arguments)
    said = [str(w.message) for w in warned if "Continuing from batch" in str(w.message)]
    assert ["of 1 copies earlier" in message for message in said] == [True, True]
    arguments |= {"save_every": AT_ONCE}
    for count in (6, 7, 8, 14):  # before, at and after the first infinite weight; the second
        folder = tmp_path / str(count)
        with warnings.catch_warnings(action="ignore"):
            interrupted(count, mlp, data, checkpoint_dir=folder, **arguments)
            assert_same(train(mlp, data, checkpoint_dir=folder, **arguments), expected)


def test_on_several_devices(data, tmp_path, interrupted):
    """As many as this process happens to have."""
    devices = tf.config.list_logical_devices("CPU")
    strategy = tf.distribute.MirroredStrategy([device.name for device in devices])

    def make():
        with strategy.scope():
            return mlp()

    expected = train(make, data, validation_data=None)
    interrupted(3, make, data, checkpoint_dir=tmp_path, validation_data=None)
    assert_same(train(make, data, checkpoint_dir=tmp_path, validation_data=None), expected)
    assert CheckpointFolder(tmp_path, 3).newest()[1].epoch == EPOCHS


class TestFolder:
    """Which checkpoints there are when."""

    def test_one_is_written_every_few_epochs_and_at_the_end_and_the_newest_are_kept(
        self, data, tmp_path
    ):
        saved = {}

        class Watch(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                saved[epoch] = CheckpointFolder(tmp_path, 9).newest()[1].epoch

        train(
            mlp, data, epochs=8, checkpoint_dir=tmp_path, save_every=3, keep_checkpoints=2,
            callbacks=[Watch],
        )  # fmt: skip
        assert saved == {0: 0, 1: 0, 2: 0, 3: 3, 4: 3, 5: 3, 6: 6, 7: 6}
        assert names(tmp_path) == ["checkpoint-000002.npz", "checkpoint-000003.npz"]
        assert CheckpointFolder(tmp_path, 9).newest()[1].epoch == 8

    @pytest.mark.parametrize("keep", [1, 4])
    def test_so_many_are_kept(self, keep, data, tmp_path):
        train(mlp, data, epochs=7, checkpoint_dir=tmp_path, keep_checkpoints=keep)
        assert names(tmp_path) == [f"checkpoint-{n:06d}.npz" for n in range(8 - keep, 8)]

    def test_by_time_an_epoch_is_saved_in_its_middle(
        self, data, tmp_path, interrupted, short_calls
    ):
        arguments = {"checkpoint_dir": tmp_path, "save_every": AT_ONCE, "keep_checkpoints": 99}
        train(mlp, data, epochs=2, **arguments)
        found = []
        for path in CheckpointFolder(tmp_path, 9).files():
            path.rename(tmp_path / "checkpoint-1000.npz")
            record = CheckpointFolder(tmp_path, 9).newest()[1]
            found.append((record.epoch, record.step))
        assert found == [(0, 0), (0, 2), (0, 4), (1, 0), (1, 2), (1, 4), (2, 0)]

    def test_where_it_went_on_is_not_saved_again(self, data, tmp_path, interrupted, short_calls):
        arguments = {"epochs": 2, "checkpoint_dir": tmp_path, "save_every": AT_ONCE}
        interrupted(3, mlp, data, **arguments)
        train(mlp, data, **arguments)
        assert names(tmp_path)[-1] == "checkpoint-000006.npz"

    def test_seldom_means_at_the_beginning_and_at_the_end(self, data, tmp_path):
        train(mlp, data, checkpoint_dir=tmp_path, save_every=timedelta(hours=1))
        assert names(tmp_path) == ["checkpoint-000000.npz", "checkpoint-000001.npz"]

    def test_a_finished_training_is_not_trained_on(self, data, tmp_path):
        expected = train(mlp, data, checkpoint_dir=tmp_path)
        before = names(tmp_path)
        again = train(mlp, data, process=2, checkpoint_dir=tmp_path)
        assert_same(again, expected)
        assert names(tmp_path) == before

    def test_with_more_epochs_it_goes_on(self, data, tmp_path):
        # The end of its training overwrites the weights.
        expected = train(averaged, data, epochs=5)
        train(averaged, data, epochs=3, checkpoint_dir=tmp_path)
        assert_same(train(averaged, data, epochs=5, checkpoint_dir=tmp_path), expected)

    def test_a_model_that_was_made_again_in_the_same_process(self, data, tmp_path):
        """As in a notebook, whose layers get new numbers with every run of a cell."""
        expected = train(mlp, data)
        train(mlp, data, epochs=2, checkpoint_dir=tmp_path)
        again = train(lambda: mlp(), data, process=2, checkpoint_dir=tmp_path)
        assert again.state.keys() != expected.state.keys()
        assert all(map(same, again.state.values(), expected.state.values()))
        assert again.history == expected.history

    def test_it_stays_where_it_was_when_the_working_directory_changes(
        self, data, tmp_path, monkeypatch
    ):
        """As under Keras's callbacks, it is not the place of the call's end that counts."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "elsewhere").mkdir()
        leave = lambda *_: monkeypatch.chdir(tmp_path / "elsewhere")  # noqa: E731
        moves = keras.callbacks.LambdaCallback(on_epoch_begin=leave)
        train(mlp, data, epochs=1, checkpoint_dir="here", callbacks=[lambda: moves])
        assert names(tmp_path) == ["elsewhere", "here"]
        assert names(tmp_path / "here") == ["checkpoint-000000.npz", "checkpoint-000001.npz"]

    def test_what_a_killed_writer_left_is_deleted_and_other_files_are_not(self, data, tmp_path):
        (tmp_path / ".checkpoint-000004-0a1b2c3d.npz").write_bytes(b"PK")
        (tmp_path / "notes.txt").write_text("mine")
        train(mlp, data, epochs=1, checkpoint_dir=str(tmp_path))
        expected = ["checkpoint-000000.npz", "checkpoint-000001.npz", "notes.txt"]
        assert names(tmp_path) == expected

    @pytest.mark.parametrize("gone", ["the file", "the folder"])
    def test_another_process_may_delete_what_is_being_written(
        self, gone, data, tmp_path, monkeypatch
    ):
        """Once: a worker that took over the same training and was done sooner."""
        write, written = checkpoint.write_record, []

        def disturbed(path, record):
            write(path, record)
            written.append(path)
            if len(written) == 3:
                path.unlink() if gone == "the file" else shutil.rmtree(path.parent)

        expected = train(mlp, data, epochs=3)
        monkeypatch.setattr(checkpoint, "write_record", disturbed)
        folder = tmp_path / "checkpoints"
        assert_same(train(mlp, data, epochs=3, checkpoint_dir=folder), expected)
        assert len(written) == 5
        found = CheckpointFolder(folder, 3).newest()
        assert found is not None and found[1].epoch == 3
        assert not [name for name in names(folder) if name.startswith(".")]

    def test_a_folder_that_is_gone_has_no_checkpoints(self, tmp_path):
        folder = CheckpointFolder(tmp_path / "gone", 3)
        assert (folder.files(), folder.newest()) == ([], None)
        folder.clear()

    def test_it_says_where_it_goes_on(self, data, tmp_path, capsys, interrupted, short_calls):
        arguments = {"checkpoint_dir": tmp_path, "epochs": 2, "save_every": AT_ONCE}
        interrupted(2, mlp, data, **arguments)
        assert capsys.readouterr().out == ""
        train(mlp, data, **{**arguments, "verbose": 2})
        first, second = capsys.readouterr().out.splitlines()[:2]
        assert first == f"Continuing with epoch 1/2, step 3, from {tmp_path}/checkpoint-000001.npz"
        assert "Epoch 1/2" in second
        train(mlp, data, **{**arguments, "verbose": 2})
        said = capsys.readouterr().out
        last = f"{tmp_path}/{names(tmp_path)[-1]}"
        assert said == f"Nothing to train: all 2 epochs are done in {last}\n"
        train(mlp, data, **arguments)
        assert capsys.readouterr().out == ""


@pytest.fixture(scope="module")
def once_trained(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    train(mlp, data, epochs=2, checkpoint_dir=folder)
    return folder, train(mlp, data, epochs=4)


@pytest.fixture
def trained(once_trained, tmp_path):
    """The folder of a training of two epochs, and what it is to be after four."""
    folder, expected = once_trained
    return shutil.copytree(folder, tmp_path, dirs_exist_ok=True), expected


class TestDamage:
    @pytest.mark.parametrize("left", [0, 1, 100, 0.5, -30, -1])
    def test_a_truncated_checkpoint_is_left_out_with_a_warning(self, left, data, trained):
        folder, expected = trained
        newest = folder / "checkpoint-000002.npz"
        content = newest.read_bytes()
        newest.write_bytes(content[: int(left * len(content)) if left == 0.5 else left])
        with pytest.warns(UserWarning) as warned:
            train(mlp, data, epochs=2, checkpoint_dir=folder)
        (message,) = {str(w.message) for w in warned}
        reason = "ValueError: it was changed" if left in (-30, -1) else "BadZipFile: "
        assert message.startswith(f"{newest} can't be read ({reason}")
        assert message.endswith(
            f"Continuing from the checkpoint before, {folder / 'checkpoint-000001.npz'}."
        )
        assert warned[0].filename == __file__
        # The damaged one is gone, and three good ones are kept.
        assert names(folder) == [f"checkpoint-00000{n}.npz" for n in (0, 1, 3)]
        assert_same(train(mlp, data, epochs=4, checkpoint_dir=folder), expected)

    def test_a_changed_byte_is_found_or_does_no_harm(self, trained):
        folder = CheckpointFolder(trained[0], 3)
        path, record = folder.newest()
        content = path.read_bytes()
        found = 0
        expected = str(encode(record.__dict__, arrays := []))
        for place in range(0, len(content), 41):
            changed = bytearray(content)
            changed[place] ^= 0x55
            path.write_bytes(changed)
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                used, other = CheckpointFolder(trained[0], 3).newest()
            if used == path:  # a byte of the archive that means nothing, such as a date
                assert str(encode(other.__dict__, others := [])) == expected
                assert len(arrays) == len(others)
                assert all(same(a, b) for a, b in zip(arrays, others, strict=True))
            else:
                assert len(warned) == 1
                found += 1
        assert found > 0.7 * len(content) / 41

    def test_all_are_damaged(self, data, trained):
        folder = trained[0]
        for path in folder.iterdir():
            path.write_bytes(b"")
        with pytest.raises(InputError) as error:
            train(mlp, data, checkpoint_dir=folder)
        message = str(error.value)
        assert message.count("can't be read (BadZipFile: File is not a zip file).") == 3
        assert message.endswith(f"No other checkpoint is left. Delete {folder} to start again.")

    def test_an_error_that_quotes_the_file_is_shortened(self, data, trained):
        """The length of a name, before it in the archive, covers all that follows it."""
        newest = trained[0] / "checkpoint-000002.npz"
        content = bytearray(newest.read_bytes())
        content[26:28] = (2000).to_bytes(2, "little")
        newest.write_bytes(content)
        with pytest.warns(UserWarning) as warned:
            train(mlp, data, epochs=2, checkpoint_dir=trained[0])
        message = str(warned[0].message)
        assert (
            "can't be read (BadZipFile: File name in directory 'header.npy' and header" in message
        )
        assert len(message) < 700

    def test_a_format_of_the_future(self, data, trained, monkeypatch):
        with monkeypatch.context() as patch:
            module = "tfcourse.training.checkpoints.record"
            patch.setattr(f"{module}.FORMAT", "tfcourse checkpoint 3")
            with warnings.catch_warnings(action="ignore"), pytest.raises(InputError):
                train(mlp, data, checkpoint_dir=trained[0])
            train(mlp, data, epochs=1, checkpoint_dir=trained[0] / "new")
        with pytest.raises(InputError, match=r'its format is "tfcourse checkpoint 3", not "tfco'):
            train(mlp, data, checkpoint_dir=trained[0] / "new")


class TestDiskFull:
    def check(self, error, folder, intact, reason):
        message = str(error.value)
        assert message.startswith(f"Training stopped: the checkpoint {folder / 'checkpoint-0000'}")
        assert reason in message
        assert message.endswith(
            f"{intact} is intact: fix that (is the disk full?), and the same call continues "
            "from it."
        )
        assert not [name for name in names(folder) if name.startswith(".")]

    def test_no_space_is_left(self, data, tmp_path, monkeypatch):
        expected = train(mlp, data)
        flush = "tfcourse.files._flush"

        class Fill(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                def full(path):
                    raise OSError(errno.ENOSPC, "No space left on device")

                if epoch == 3:
                    monkeypatch.setattr(flush, full)

        with monkeypatch.context() as patch:
            monkeypatch = patch
            with pytest.raises(WorkFailedError) as error:
                train(mlp, data, checkpoint_dir=tmp_path, callbacks=[Fill])
        self.check(error, tmp_path, "checkpoint-000003.npz", "No space left on device")
        with pytest.warns(UserWarning, match="Fill was there"):
            assert_same(train(mlp, data, checkpoint_dir=tmp_path), expected)

    def test_a_real_limit(self, data, tmp_path):
        """The system refuses to write more than a few thousand bytes to a file."""
        expected = train(mlp, data, epochs=3)
        train(mlp, data, epochs=2, checkpoint_dir=tmp_path)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
        try:
            with pytest.raises(WorkFailedError) as error:
                train(mlp, data, epochs=3, checkpoint_dir=tmp_path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        self.check(error, tmp_path, "checkpoint-000002.npz", "File too large")
        assert_same(train(mlp, data, epochs=3, checkpoint_dir=tmp_path), expected)

    def test_the_first_one_is_written_before_any_training(self, data, tmp_path, monkeypatch):
        def full(path):
            raise OSError(errno.ENOSPC, "No space left on device")

        steps = []
        monkeypatch.setattr("tfcourse.files._flush", full)
        monkeypatch.setattr("tfcourse.training.loop.Loop._train_epoch", steps.append)
        with pytest.raises(WorkFailedError, match=r"There is no earlier one: fix that .* call ag"):
            train(mlp, data, checkpoint_dir=tmp_path)
        assert steps == []


class TestRefused:
    def refused(self, folder, data, make=mlp, **kwargs):
        newest = sorted(folder.iterdir())[-1]
        before = newest.read_bytes()
        with pytest.raises(InputError) as error:
            train(make, data, checkpoint_dir=folder, **{"epochs": 4, **kwargs})
        assert newest.read_bytes() == before
        message = str(error.value)
        start = f"{newest} is a checkpoint of another training: "
        end = ". Pass another checkpoint_dir, or delete that folder to start again."
        assert message.startswith(start) and message.endswith(end), message
        return message[len(start) : -len(end)]

    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (
                lambda: network(layers.Dense(9), BatchNorm(), layers.ReLU(), layers.Dropout(0.4)),
                "units of layer 2 (dense) was 8, and now is 9",
            ),
            (
                lambda: network(layers.Dense(8), layers.ReLU(), layers.Dropout(0.4)),
                "layer 3 was BatchNorm, and now is ReLU",
            ),
            (
                lambda: network(layers.Dense(8), BatchNorm(), layers.ReLU(), layers.Dropout(0.5)),
                "rate of layer 5 (dropout) was 0.4, and now is 0.5",
            ),
            (
                lambda: network(layers.Dense(8, "tanh"), BatchNorm(), layers.ReLU()),
                'activation of layer 2 (dense) was "linear", and now is "tanh"',
            ),
            (lambda: mlp(Momentum(0.1)), "the optimizer was Adam, and now is Momentum"),
            (
                lambda: compiled(mlp(), loss=keras.losses.SparseCategoricalCrossentropy()),
                'the loss was "sparse_categorical_crossentropy", and now is '
                '"SparseCategoricalCrossentropy"',
            ),
            (lambda: compiled(OwnStep()), "the model's class was Sequential, and now is OwnStep"),
            (
                lambda: mlp(Adam(0.01, use_ema=True)),
                "variable 21 was adam/sequential_dense_kernel_square of shape (6, 8) and dtype "
                "float32, and now is adam/sequential_dense_kernel_average of shape (6, 8) and "
                "dtype float32",
            ),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_another_model(self, make, said, data, trained):
        assert self.refused(trained[0], data, make) == said

    def test_other_shapes_of_the_same_layers(self, data, tmp_path):
        """A layer without a config: only its variables tell."""

        class Custom(layers.Layer):
            def __init__(self, size):
                super().__init__()
                self.inner = layers.Dense(size)
                self.scale = self.add_weight(shape=(size,), name="scale")

            def call(self, x):
                return self.inner(x) * self.scale

        train(lambda: network(Custom(4)), data, epochs=1, checkpoint_dir=tmp_path)
        said = self.refused(tmp_path, data, lambda: network(Custom(5)))
        assert said == "units of layer 3 (dense) was 4, and now is 5"

        class Bare(layers.Layer):
            size = 2

            def build(self, shape):
                self.scale = self.add_weight(shape=(self.size, 1), name="scale")

            def call(self, x):
                return x * self.scale[0]

        folder = tmp_path / "bare"
        train(lambda: network(Bare()), data, epochs=1, checkpoint_dir=folder)
        Bare.size = 3
        said = self.refused(folder, data, lambda: network(Bare()))
        assert said == (
            "variable 1 was sequential/bare/scale of shape (2, 1) and dtype float32, and now is "
            "sequential/bare/scale of shape (3, 1) and dtype float32"
        )

    @pytest.mark.parametrize(
        ("kwargs", "said"),
        [
            ({"batch_size": 25}, "batch_size was 16, and now is 25"),
            ({"shuffle": False}, "shuffle was True, and now is False"),
            ({"steps_per_epoch": 2}, "the steps of an epoch was 5, and now is 2"),
            ({"initial_epoch": 1}, "initial_epoch was 0, and now is 1"),
            (
                {"sample_weight": np.ones(ROWS)},
                "an example's sample_weight is float32 of shape (), and there was none",
            ),
            ({"dataset": True}, "the number of examples was 75, and now there is none"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_other_arguments(self, kwargs, said, data, trained):
        assert self.refused(trained[0], data, **kwargs) == said

    def test_other_data(self, data, trained):
        x, y = data
        said = self.refused(trained[0], (x[:70], y[:70]))
        assert said == "the number of examples was 75, and now is 70"
        said = self.refused(trained[0], (x, y.astype("int32")))
        assert said == "an example's y was int64 of shape (), and now is int32 of shape ()"

    def test_the_shapes_of_several_inputs_are_named(self, data, tmp_path):
        def two(width):
            inputs = {"a": keras.Input((FEATURES,), name="a"), "b": keras.Input((None,), name="b")}
            mean = layers.GlobalAveragePooling1D()(layers.Reshape((-1, 1))(inputs["b"]))
            merged = layers.Concatenate()([inputs["a"], mean])
            model = compiled(keras.Model(inputs, SoftmaxHead(CLASSES)(merged)))
            x, y = data
            fit(model, {"a": x, "b": x[:, :width]}, y, checkpoint_dir=tmp_path, verbose=0)

        two(3)
        with pytest.raises(
            InputError, match=r"example's x\['b'\] was float32 of shape \(3,\), and"
        ):
            two(2)

    def test_another_seed(self, data, tmp_path):
        train(mlp, data, epochs=1, checkpoint_dir=tmp_path)
        stored = CheckpointFolder(tmp_path, 3).newest()[1].seed
        arguments = {"checkpoint_dir": tmp_path, "epochs": 2}
        with pytest.raises(InputError, match=f"the seed was {stored}, and now is 12345"):
            train(mlp, data, seed=12345, **arguments)
        train(mlp, data, seed=stored, **arguments)

    def test_fewer_epochs_than_are_done(self, data, trained):
        with pytest.raises(InputError, match=r"is a checkpoint of epoch 2, and epochs is 1\. Pass"):
            train(mlp, data, epochs=1, checkpoint_dir=trained[0])

    def test_two_that_restore(self, data, tmp_path):
        backup = lambda: keras.callbacks.BackupAndRestore(tmp_path / "backup")  # noqa: E731
        with pytest.raises(InputError, match=r"BackupAndRestore both restore .* Leave out the cal"):
            train(mlp, data, checkpoint_dir=tmp_path / "own", callbacks=[backup])

    @pytest.mark.parametrize(
        ("kwargs", "said"),
        [
            ({"save_every": 0}, r"save_every must be a whole number of epochs >= 1, or .*: 0\."),
            ({"save_every": 1.5}, r"or a datetime\.timedelta\. Received: 1\.5\."),
            ({"save_every": True}, r"save_every must be .* Received: True\."),
            ({"save_every": timedelta(0)}, r"save_every must be a positive time"),
            ({"keep_checkpoints": None}, r"keep_checkpoints must be a whole number >= 1\."),
            ({"keep_checkpoints": 0}, r"keep_checkpoints must be a whole number >= 1\. Rec.*: 0\."),
            ({"checkpoint_dir": 3}, r"checkpoint_dir must be a path\. Received: 3\."),
            ({"checkpoint_dir": ""}, r"checkpoint_dir must be a path\. Received: ''\."),
        ],
    )
    def test_arguments(self, kwargs, said, data, tmp_path):
        with pytest.raises(InputError, match=said):
            train(mlp, data, **{"checkpoint_dir": tmp_path, **kwargs})

    @pytest.mark.parametrize("inner", ["", "inner"])
    def test_a_file_in_the_way(self, inner, data, tmp_path):
        (tmp_path / "file").write_text("")
        said = r"checkpoint_dir must be a folder, or creatable\. Received: .*file"
        with pytest.raises(InputError, match=said):
            train(mlp, data, checkpoint_dir=tmp_path / "file" / inner)


class TestCallbacks:
    """A training with callbacks, interrupted everywhere, ends as one that was not."""

    def ends_the_same(
        self, data, tmp_path, interrupted, callbacks, make=mlp, counts=None, **kwargs
    ):
        kwargs = {"epochs": 8, "callbacks": callbacks, "save_every": AT_ONCE, **kwargs}
        expected = train(make, data, **kwargs)
        for count in counts or (2, 4, 12):
            kwargs["checkpoint_dir"] = tmp_path / f"{count}"
            interrupted(count, make, data, **kwargs)
            results = train(make, data, process=2, **kwargs)
            assert_same(results, expected)
            yield expected, results

    @pytest.mark.parametrize("mode", ["auto", "max"])
    def test_early_stopping(self, mode, data, tmp_path, interrupted, short_calls):
        def stop():
            return keras.callbacks.EarlyStopping(
                "val_loss", patience=3, min_delta=0.02, restore_best_weights=True, mode=mode
            )

        for expected, results in self.ends_the_same(
            data, tmp_path, interrupted, [stop], fast, epochs=20, counts=(4, 9, 10)
        ):
            assert 3 < len(expected.epochs) < 20
            (theirs,), (ours,) = expected.callbacks, results.callbacks
            for name in ("wait", "best", "best_epoch", "stopped_epoch"):
                assert getattr(ours, name) == getattr(theirs, name), name

    def test_a_training_that_was_stopped_stays_stopped(self, data, tmp_path, capsys):
        stop = lambda: keras.callbacks.EarlyStopping("loss", patience=1, mode="max")  # noqa: E731
        arguments = {"callbacks": [stop], "checkpoint_dir": tmp_path}
        expected = train(mlp, data, **arguments)
        assert len(expected.epochs) == 2
        for epochs in (EPOCHS, 20):
            assert_same(train(mlp, data, **arguments, epochs=epochs, verbose=1), expected)
            said = capsys.readouterr().out
            assert "Nothing to train: a callback ended it after epoch 2, says " in said
        # Without the callback that stopped it, it goes on.
        with pytest.warns(UserWarning, match=r"not those of .*\.npz: EarlyStopping was there\."):
            result = train(mlp, data, checkpoint_dir=tmp_path, epochs=4)
        assert result.epochs == [0, 1, 2, 3]

    def test_reduce_learning_rate_on_plateau(self, data, tmp_path, interrupted, short_calls):
        reduce = lambda: keras.callbacks.ReduceLROnPlateau(  # noqa: E731
            "val_loss", factor=0.5, patience=1, cooldown=1, min_delta=0.05
        )
        for expected, _ in self.ends_the_same(data, tmp_path, interrupted, [reduce]):
            assert len(set(expected.history["learning_rate"])) > 2

    def test_learning_rate_scheduler(self, data, tmp_path, interrupted, short_calls):
        """That multiplies: called twice at the beginning of an epoch, it would do so twice."""
        schedule = lambda: keras.callbacks.LearningRateScheduler(lambda _, lr: 0.9 * lr)  # noqa: E731
        for _ in self.ends_the_same(data, tmp_path, interrupted, [schedule]):
            pass

    def test_model_checkpoint_keeps_the_best(self, data, tmp_path, interrupted, short_calls):
        path = tmp_path / "best.keras"
        keep = lambda: keras.callbacks.ModelCheckpoint(path, save_best_only=True)  # noqa: E731
        best = None
        for expected, results in self.ends_the_same(data, tmp_path, interrupted, [keep], fast):
            assert (
                results.callbacks[0].best
                == expected.callbacks[0].best
                == min(expected.history["val_loss"])
            )
            weights = keras.models.load_model(path).get_weights()
            best = best or weights
            assert all(map(same, weights, best))

    # Keras closes the file at the end of the training, to which an exception doesn't let it come.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    @pytest.mark.parametrize("append", [False, True])
    def test_csv_logger_holds_each_epoch_once(
        self, append, data, tmp_path, interrupted, short_calls
    ):
        path = tmp_path / "log.csv"
        log = lambda: keras.callbacks.CSVLogger(path, append=append)  # noqa: E731
        content = None
        for count in (1, 2, 4, 8):
            path.unlink(missing_ok=True)
            arguments = {"callbacks": [log], "save_every": AT_ONCE}
            arguments |= {"checkpoint_dir": tmp_path / str(count), "validation_freq": 2}
            interrupted(count, mlp, data, **arguments)
            with path.open("a") as file:  # it was killed later, and in the middle of a row
                file.write("98,0.5,0.5,0.5,0.5\n99,0.")
            train(mlp, data, **arguments)
            rows = rows_of(path)
            assert [row["epoch"] for row in rows] == [str(n) for n in range(EPOCHS)]
            content = content or path.read_bytes()
            assert path.read_bytes() == content
        assert not log().append or append

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_a_csv_file_that_is_gone(self, data, tmp_path, interrupted):
        path = tmp_path / "log.csv"
        log = lambda: keras.callbacks.CSVLogger(path)  # noqa: E731
        arguments = {"callbacks": [log], "checkpoint_dir": tmp_path / "own"}
        interrupted(3, mlp, data, **arguments)
        length = path.stat().st_size
        path.unlink()
        said = f"log.csv has 0 bytes, and had {length} at the checkpoint: CSVLogger continues"
        with pytest.warns(UserWarning, match=said) as warned:
            train(mlp, data, **arguments)
        assert warned[0].filename == __file__
        rows = rows_of(path)
        assert [row["epoch"] for row in rows] == ["2", "3", "4", "5"]

    def test_tensorboard_counts_on(self, data, tmp_path, interrupted):
        board = lambda: keras.callbacks.TensorBoard(tmp_path / "logs", update_freq=1)  # noqa: E731
        for expected, results in self.ends_the_same(
            data, tmp_path, interrupted, [board], epochs=3, counts=(4, 8)
        ):
            (theirs,), (ours,) = expected.callbacks, results.callbacks
            assert ours._global_train_batch == theirs._global_train_batch == 15
            assert ours._global_test_batch == theirs._global_test_batch > 0

    @pytest.mark.parametrize("swap_on_epoch", [False, True])
    def test_swap_ema_weights(self, swap_on_epoch, data, tmp_path, interrupted, short_calls):
        swap = lambda: keras.callbacks.SwapEMAWeights(swap_on_epoch)  # noqa: E731
        kwargs = {} if not swap_on_epoch else {"validation_data": None}
        for _ in self.ends_the_same(data, tmp_path, interrupted, [swap], averaged, **kwargs):
            pass

    def test_a_callback_of_ones_own(self, data, tmp_path, interrupted):
        """It sees every batch, and decides by what it has seen."""

        class Own(keras.callbacks.Callback):
            def __init__(self, size=2):
                super().__init__()
                self.size, self.seen, self.function = size, 0, lambda: None
                self.losses, self.by_epoch, self.kinds = [], {}, set()
                self.last, self.sum, self.pair = deque(), np.zeros(2), (0, None)

            def on_train_batch_end(self, batch, logs=None):
                self.seen += 1
                self.losses.append(logs["loss"])
                self.last.append(batch)
                self.sum += logs["loss"]
                self.kinds.add(str(batch % 2))
                self.pair = (batch, np.float32(logs["loss"]))
                if self.seen == 17:
                    rate = self.model.optimizer.learning_rate
                    self.model.optimizer.learning_rate = float(rate) / 10

            def on_epoch_end(self, epoch, logs=None):
                self.by_epoch[epoch] = logs["val_loss"]

        for expected, results in self.ends_the_same(
            data, tmp_path, interrupted, [Own, Own], counts=(2, 6, 18, 20, 35)
        ):
            for theirs, ours in zip(expected.callbacks, results.callbacks, strict=True):
                assert ours.seen == 8 * 5 and len(ours.losses) == 40
                for name in ("losses", "by_epoch", "last", "kinds", "pair"):
                    assert getattr(ours, name) == getattr(theirs, name), name
                assert type(ours.pair[1]) is np.float32 and type(ours.last) is deque
                assert same(ours.sum, theirs.sum)

    def test_what_changes_only_once_is_not_forgotten(self, data, tmp_path, interrupted):
        """Not even where an interrupted training goes on with the same callback, as it then is."""

        class First(keras.callbacks.Callback):
            first = None

            def on_epoch_end(self, epoch, logs=None):
                self.first = self.first or logs["loss"]

        same_one = First()
        for count in (3, 2):
            interrupted(count, mlp, data, checkpoint_dir=tmp_path, callbacks=[lambda: same_one])
        result = train(mlp, data, checkpoint_dir=tmp_path, callbacks=[First])
        assert result.callbacks[0].first == same_one.first == result.history["loss"][0]

    def test_arguments_are_those_that_are_passed_now(self, data, tmp_path, interrupted):
        stop = lambda: keras.callbacks.EarlyStopping("loss", patience=3, mode="max")  # noqa: E731
        interrupted(3, mlp, data, checkpoint_dir=tmp_path, callbacks=[stop])
        longer = lambda: keras.callbacks.EarlyStopping("loss", patience=5, mode="max")  # noqa: E731
        result = train(mlp, data, checkpoint_dir=tmp_path, callbacks=[longer], epochs=9)
        assert len(result.epochs) == 6  # the first one sets the best, and then five

    def test_a_list_keeps_its_identity(self, data, tmp_path, interrupted):
        class Collect(keras.callbacks.Callback):
            def __init__(self, into):
                super().__init__()
                self.into = into

            def on_epoch_end(self, epoch, logs=None):
                self.into.append(epoch)

        found = []
        arguments = {"checkpoint_dir": tmp_path, "callbacks": [lambda: Collect(found)]}
        interrupted(3, mlp, data, **arguments)
        found = []
        train(mlp, data, **arguments)
        assert found == list(range(EPOCHS))

    def test_more_and_fewer_callbacks(self, data, tmp_path):
        stop = lambda: keras.callbacks.EarlyStopping("loss")  # noqa: E731
        train(mlp, data, epochs=2, checkpoint_dir=tmp_path, callbacks=[stop, stop])
        said = r"not those of .*: EarlyStopping 2 was there, TerminateOnNaN is new\."
        with pytest.warns(UserWarning, match=said) as warned:
            arguments = {"callbacks": [keras.callbacks.TerminateOnNaN, stop], "epochs": 3}
            train(mlp, data, checkpoint_dir=tmp_path, **arguments)
        assert warned[0].filename == __file__

    def test_a_history_that_cannot_be_stored(self, data, tmp_path):
        class Strange(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                self.model.history.history["odd"] = [object()]

        with pytest.raises(InputError, match=r"a checkpoint can't hold a object\. Leave out check"):
            train(mlp, data, checkpoint_dir=tmp_path, callbacks=[Strange])


class TestRecord:
    RECORD = Record(1, 2, False, 3, {}, None, {}, None, [])

    @pytest.mark.parametrize(
        "value",
        [
            None, True, 7, 2**70, 0.1, float("inf"), "text", [1, [2.5, "a"]], (1, (2,)), {1, 2},
            {"a": 1, 2: [None], (1, 2): {"b": ()}}, deque([1, 2]), np.float32(0.1), np.int64(-1),
            np.array(5.0), np.zeros((0, 3)), np.arange(6, dtype="uint32").reshape(2, 3),
            np.array([True, False]), np.array(["a", "bc"]), np.array([1 + 2j]),
            np.arange(6.0).reshape(2, 3).T,
            tf.constant([[1.5, 2.25]], tf.bfloat16).numpy(), tf.constant(3, tf.bfloat16).numpy(),
            tf.constant([1.5], tf.float16).numpy(),
        ],
        ids=repr,
    )  # fmt: skip
    def test_what_goes_in_comes_out(self, value, tmp_path):
        folder = CheckpointFolder(tmp_path, 3)
        folder.save(replace(self.RECORD, logs={"value": value}))
        found = folder.newest()[1].logs["value"]
        assert type(found) is type(value)
        if isinstance(value, np.ndarray | np.generic):
            assert (found.dtype, found.shape) == (value.dtype, value.shape)
            assert found.tobytes() == value.tobytes()
        else:
            assert found == value

    def test_not_a_number_stays_one(self, tmp_path):
        folder = CheckpointFolder(tmp_path, 3)
        folder.save(replace(self.RECORD, logs={"loss": float("nan")}))
        assert np.isnan(folder.newest()[1].logs["loss"])

    def test_a_tensor_becomes_an_array(self):
        arrays = []
        assert encode(tf.constant([1, 2]), arrays)["array"] == 0
        np.testing.assert_array_equal(arrays[0], [1, 2])

    @pytest.mark.parametrize("value", [object(), len, [lambda: None], {"a": {1: object}}, 1j])
    def test_what_cannot_go_in(self, value):
        with pytest.raises(NotStorableError, match="a checkpoint can't hold a "):
            encode(value, [])

    def test_it_is_a_numpy_archive_without_pickle(self, tmp_path):
        path = CheckpointFolder(tmp_path, 3).save(replace(self.RECORD, variables=[np.arange(3)]))
        with np.load(path, allow_pickle=False) as archive:
            assert b'"format": "tfcourse checkpoint 2"' in archive["header"].tobytes()
            np.testing.assert_array_equal(archive["array_0"], [0, 1, 2])

    def test_numbers_go_on_and_the_oldest_go(self, tmp_path):
        folder = CheckpointFolder(tmp_path, 2)
        for epoch in range(4):
            folder.save(replace(self.RECORD, epoch=epoch))
        assert names(tmp_path) == ["checkpoint-000002.npz", "checkpoint-000003.npz"]
        (tmp_path / "checkpoint-000003.npz").rename(tmp_path / "checkpoint-1000000.npz")
        assert folder.save(self.RECORD).name == "checkpoint-1000001.npz"
        assert folder.newest()[1] == self.RECORD
