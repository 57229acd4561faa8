"""A trial that was interrupted goes on from its last checkpoint, and comes to the same."""

import datetime

import keras
import pytest

from tfcourse.search.data import load_split
from tfcourse.search.trials import trial
from tfcourse.search.trials.trial import TrialRunner

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
    config = quick(source, builder="network", training={"epochs": EPOCHS}).config
    monkeypatch.setattr(trial, "SAVE_EVERY", datetime.timedelta(microseconds=1))
    callbacks = trial.trial_callbacks

    def start(interrupt_after=EPOCHS, checkpoints=tmp_path / "checkpoints"):
        begun = []  # and no attribute of a callback: that would be part of the checkpoint

        def on_epoch_begin(epoch, logs):
            if len(begun) == interrupt_after:
                raise KeyboardInterrupt
            begun.append(epoch)

        epochs = keras.callbacks.LambdaCallback(on_epoch_begin=on_epoch_begin)
        monkeypatch.setattr(trial, "trial_callbacks", lambda c: [*callbacks(c), epochs])
        runner = TrialRunner(config, load_split(config), checkpoints=checkpoints)
        record, model = runner.run(1, VALUES)
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


def test_a_short_trial_is_not_saved(quick, tmp_path):
    config = quick().config
    runner = TrialRunner(config, load_split(config), checkpoints=tmp_path / "checkpoints")
    runner.run(0, VALUES)
    assert (tmp_path / "checkpoints" / "0000").exists()  # of the first it is not known
    assert runner._seconds < trial.WORTH_SAVING
    runner.run(1, VALUES)
    assert not (tmp_path / "checkpoints" / "0001").exists()


def test_nothing_is_left_of_them(quick):
    result = quick(search={"trials": 1}).run(verbose=False)
    assert not (result.directory / "checkpoints").exists()
