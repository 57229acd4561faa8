"""Keras's preprocessing layers in a model: other images in every epoch, from the trial's seed."""

import datetime

import keras
import numpy as np
import pytest

import tfcourse
from tests.search.test_own_callbacks import same
from tfcourse.search.data.loading import load_split
from tfcourse.search.trials import trial
from tfcourse.search.trials.trainings import trainings
from tfcourse.search.trials.trial import TrialRunner

# A model of a constant prediction: its training loss says what the layers made of the images.
SOURCE = """
def pictures():
    rng = np.random.default_rng(0)
    return rng.uniform(size=(60, 6, 6, 1)).astype("float32"), np.arange(60) % 3

def augmented(input_shape, classes):
    noise = keras.layers.RandomTranslation(0.3, 0.3, fill_mode="constant")
    flip = keras.layers.RandomFlip("horizontal")
    layers = [keras.Input(input_shape), flip, noise, keras.layers.Flatten()]
    return keras.Sequential([*layers, keras.layers.Dense(classes, activation="softmax")])
"""


@pytest.fixture
def search(quick):
    return quick(
        SOURCE,
        builder="augmented",
        points="pictures",
        space={"learning_rate": {"values": [1e-30, 2e-30]}},  # nothing is learned
        search={"trials": 2},
        training={"epochs": 4},
    )


def test_the_training_set_changes_and_the_others_do_not(search, tmp_path):
    result = search.run(verbose=False)
    for record in result.trials.values():
        assert len({*record.history["loss"]}) == 4
        assert len({*record.history["val_loss"]}) == 1
    dev = load_split(search.config).dev
    model = result.best_model()
    (kernel, bias) = model.get_weights()
    logits = dev.x.reshape(len(dev.x), -1) @ kernel + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict(dev.x, verbose=0), expected, rtol=1e-5)
    again = tfcourse.Search(search.config, tmp_path / "again").run(verbose=False)
    assert same(again) == same(result)


def test_it_continues_after_an_interruption(search, tmp_path, monkeypatch):
    """The third epoch draws what it would have drawn."""
    config, values = search.config, {"learning_rate": 1e-30}
    (training,) = trainings(0, config.search.seed, 1, 1)

    def train(last, checkpoints):
        def on_epoch_begin(epoch, logs):
            if epoch == last:
                raise KeyboardInterrupt

        end = keras.callbacks.LambdaCallback(on_epoch_begin=on_epoch_begin)
        monkeypatch.setattr(trial, "trial_callbacks", lambda *args: [end])
        runner = TrialRunner(config, load_split(config), checkpoints=checkpoints)
        return runner.train(0, values, training)[1]

    whole = train(None, None)
    monkeypatch.setattr(trial, "SAVE_EVERY", datetime.timedelta(microseconds=1))
    with pytest.raises(KeyboardInterrupt):
        train(2, tmp_path / "checkpoints")
    assert list((tmp_path / "checkpoints").rglob("*.npz"))
    assert train(None, tmp_path / "checkpoints") == whole
