"""Course 5.12: ``α = α0/(1 + rate·epoch)`` in Keras, seen by the steps that training takes."""

import keras
import numpy as np
import pytest

import tfcourse

START, RATE, BATCH_SIZE, EPOCHS = 0.5, 1.0, 2, 4


def course(epoch):
    """With α0 in front: erratum E5."""
    return START / (1 + RATE * epoch)


class Walk(keras.callbacks.Callback):
    """The weight after every step."""

    def on_train_begin(self, logs=None):
        self.path = [float(self.model.layers[0].kernel.numpy().item())]

    def on_train_batch_end(self, batch, logs=None):
        self.path.append(float(self.model.layers[0].kernel.numpy().item()))


def rates(run, learning_rate, steps_per_epoch, *callbacks):
    """The learning rate of every step, one row an epoch: the slope of the cost is 1 everywhere."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])

    def cost(y, output):
        return output

    model.compile(tfcourse.GradientDescent(learning_rate), cost)
    ones, walk = np.ones((steps_per_epoch * BATCH_SIZE - 1, 1), "float32"), Walk()
    run(
        model,
        ones,
        ones,
        batch_size=BATCH_SIZE,  # the last mini-batch is smaller, and a step like the others
        epochs=EPOCHS,
        verbose=0,
        callbacks=[walk, *callbacks],
    )
    return -np.diff(walk.path).reshape(EPOCHS, steps_per_epoch)


def fit_exactly(*args, **kwargs):
    """Train with the graph that Keras trains with: to the last bit."""
    return tfcourse.fit(*args, jit_compile=False, **kwargs)


RUN = pytest.mark.parametrize("run", [keras.Model.fit, tfcourse.fit], ids=["Keras", "tfcourse"])
EXPECTED = course(np.arange(EPOCHS))[:, None]  # Keras counts epochs from 0


@RUN
@pytest.mark.parametrize("steps", [8, 41])
def test_a_learning_rate_scheduler_is_the_courses_decay(run, steps):
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, _: course(epoch))
    found = rates(run, START, steps, scheduler)
    np.testing.assert_allclose(found, EXPECTED.repeat(steps, 1), rtol=1e-4)


@pytest.mark.parametrize("run", [keras.Model.fit, fit_exactly], ids=["Keras", "tfcourse"])
@pytest.mark.parametrize("steps", [8, 41])
def test_inverse_time_decay_is_it_but_for_a_step_at_some_epochs_starts(run, steps):
    """TensorFlow optimizes a division by 41 into a product with 1/41, a little below it.

    41 · 1/41 is then less than 1, and the epoch's first step still has the rate of the epoch
    before.
    """
    schedule = keras.optimizers.schedules.InverseTimeDecay(START, steps, RATE, staircase=True)
    found = rates(run, schedule, steps)
    expected = EXPECTED.repeat(steps, 1)
    np.testing.assert_allclose(found[:, 1:], expected[:, 1:], rtol=1e-4)
    late = found[:, 0] > expected[:, 0] * 1.01
    assert late.tolist() == ([False] * 4 if steps == 8 else [False, True, True, False])
    np.testing.assert_allclose(found[1:, 0][late[1:]], expected[:-1, 0][late[1:]], rtol=1e-4)


def test_where_the_graph_is_not_optimized_inverse_time_decay_is_it():
    """As ``"auto"`` leaves it for so few steps: 41 divided by 41 is 1, and no step is late."""
    schedule = keras.optimizers.schedules.InverseTimeDecay(START, 41, RATE, staircase=True)
    found = rates(tfcourse.fit, schedule, 41)
    np.testing.assert_allclose(found, EXPECTED.repeat(41, 1), rtol=1e-4)


def test_without_the_staircase_it_falls_within_an_epoch():
    schedule = keras.optimizers.schedules.InverseTimeDecay(START, 8, RATE)
    expected = course(np.arange(8 * EPOCHS) / 8).reshape(EPOCHS, 8)
    np.testing.assert_allclose(rates(keras.Model.fit, schedule, 8), expected, rtol=1e-4)


def test_the_lectures_table_counts_epochs_from_1():
    """α0 = 0.2, rate 1: 0.1, 0.067, 0.05, 0.04."""
    found = []

    class Note(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            found.append(float(self.model.optimizer.learning_rate))

    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, _: 0.2 / (1 + (epoch + 1)))
    rates(keras.Model.fit, 0.2, 2, scheduler, Note())
    np.testing.assert_allclose(found, [0.1, 0.067, 0.05, 0.04], atol=5e-4)
