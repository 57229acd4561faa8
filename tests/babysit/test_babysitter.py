"""Babysitting from Python."""

import keras
import numpy as np
import pytest

from tests.babysit.trainings import X, Y, build
from tfcourse import Babysitter, InputError
from tfcourse.babysit.rule import Rule
from tfcourse.search.store.lock import lock_directory

pytestmark = pytest.mark.usefixtures("no_graph_optimizer", "kept_programs")


def sitter(directory, model=build, **options):
    return Babysitter(model, X, Y, directory, batch_size=16, verbose=False, **options)


def test_commands_between_two_trainings(tmp_path, capsys):
    panda = sitter(tmp_path / "run", validation_data=(X, Y))
    history = panda.train(3)
    assert {*history} == {"loss", "accuracy", "val_loss", "val_accuracy"}
    panda.nudge(learning_rate=0.5, dropout=0.5, because="try")
    assert panda.journal[-1].kind == "nudge"
    longer = panda.train(5)
    assert longer["loss"][:3] == history["loss"] and len(longer["loss"]) == 5
    panda.rollback(to=3, learning_rate=0.02, because="no")
    panda.note("calmer")
    assert panda.epoch == 3
    final = panda.train(4)
    assert [e.values["learning_rate"] for e in panda.journal if e.kind == "epoch"] == [
        0.01, 0.01, 0.01, 0.5, 0.5, 0.02,
    ]  # fmt: skip
    panda.plot(tmp_path / "run.png")
    assert (tmp_path / "run.png").exists()
    weights = panda.model.get_weights()
    # In another process, and by the journal alone.
    again = sitter(tmp_path / "run", validation_data=(X, Y))
    assert again.train(4) == final
    replay = sitter(tmp_path / "replay", validation_data=(X, Y))
    assert replay.train(4, replay=tmp_path / "run" / "journal.jsonl") == final
    for panda in (again, replay):
        for value, wanted in zip(panda.model.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(value, wanted)
    assert capsys.readouterr().out == ""


def test_commands_in_a_callback(tmp_path):
    class Watcher(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1 and panda.journal[-1].kind != "rollback":
                panda.rollback(to=1, beta_1=0.5)

    panda = sitter(tmp_path / "run", callbacks=[Watcher()])
    panda.train(3)
    kinds = [entry.kind for entry in panda.journal]
    assert kinds == ["start", "epoch", "epoch", "rollback", "epoch", "epoch", "end"]
    assert panda.model.optimizer.beta_1 == 0.5


def test_refusals_change_nothing(tmp_path):
    panda = sitter(tmp_path / "run", build(keras.optimizers.SGD(0.1, momentum=0.9)))
    panda.train(1)
    before = [entry.kind for entry in panda.journal]
    for call, message in [
        (lambda: panda.nudge(momentum=0.5), '"momentum" can\'t be changed during this training'),
        (lambda: panda.nudge(learning_rate=-1), "learning_rate must be a number >= 0"),
        (lambda: panda.nudge(), "A nudge needs a new value for at least one hyperparameter"),
        (lambda: panda.rollback(to=2), "A rollback returns to the end of an epoch from 0 to 1"),
        (lambda: panda.rollback(to=0.5), "must be a valid integer"),
        (lambda: panda.resume(), "The training is not paused"),
        (lambda: panda.train(0), "epochs must be a whole number >= 1. Received: 0."),
    ]:
        with pytest.raises(InputError, match=message):
            call()
    assert [entry.kind for entry in panda.journal] == before


def test_the_arguments(tmp_path):
    for options, message in [
        ({"keep": 1}, "keep must be a whole number >= 2. Received: 1."),
        ({"on_explosion": "rolback"}, "on_explosion must be one of"),
        ({"factor": 1}, "factor must be a number > 1. Received: 1."),
        ({"cut": 1.5}, r"cut must be a number in \(0, 1\). Received: 1.5."),
        ({"max_rollbacks": -1}, "max_rollbacks must be a number >= 0. Received: -1."),
    ]:
        with pytest.raises(InputError, match=message):
            sitter(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="Babysitter needs a compiled model"):
        sitter(tmp_path / "run", keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.toml").touch()
    with pytest.raises(InputError, match="is not empty, and has no journal"):
        sitter(tmp_path / "other")
    with (
        lock_directory(tmp_path / "run", "trained"),
        pytest.raises(InputError, match="is being trained by process"),
    ):
        sitter(tmp_path / "run")
    Rule().check()
