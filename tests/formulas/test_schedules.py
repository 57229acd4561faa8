"""Learning-rate schedules, against the equations in NumPy and Keras's own schedules."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import schedules as reference
from tfcourse.formulas.schedules import inverse_time_decay, scheduled_rate
from tfcourse.hyperparameters import SCHEDULES

KERAS = keras.optimizers.schedules


def rates(schedule, steps, *args, compiled=lambda function: function, **kwargs):
    """The rates of all steps and one more, from a function of a step."""
    at = compiled(
        lambda step: scheduled_rate(step, 0.3, SCHEDULES.index(schedule), steps, *args, **kwargs)
    )
    return np.array([at(tf.constant(step)) for step in range(steps + 1)])


@settings(max_examples=30)
@given(
    st.sampled_from(SCHEDULES),
    st.integers(1, 60),
    st.integers(1, 50),
    st.floats(0, 0.95),
    st.floats(0, 10),
)
def test_it_is_the_equation(schedule, epochs, of_epoch, warmup, decay_rate):
    steps = epochs * of_epoch
    for step in {0, 1, of_epoch, steps // 3, steps - 1, steps, steps + 5}:
        own = scheduled_rate(
            step, 0.3, SCHEDULES.index(schedule), steps, of_epoch, warmup, decay_rate
        )
        expected = reference.rate(step, 0.3, schedule, steps, of_epoch, warmup, decay_rate)
        assert own.dtype == tf.float64
        np.testing.assert_allclose(own, expected, rtol=1e-12, atol=1e-15)


def test_the_warm_up_and_the_cosine_are_kerass(compiled):
    of_keras = KERAS.CosineDecay(0.0, 80, warmup_target=0.3, warmup_steps=20)
    expected = [float(of_keras(step)) for step in range(101)]
    own = rates("cosine", 100, 10, warmup=0.2, compiled=compiled)
    np.testing.assert_allclose(own, expected, atol=1e-7)


def test_the_linear_decay_is_kerass(compiled):
    of_keras = KERAS.PolynomialDecay(0.3, 50, end_learning_rate=0.0)
    expected = [float(of_keras(step)) for step in range(51)]
    np.testing.assert_allclose(rates("linear", 50, 5, compiled=compiled), expected, atol=1e-7)


@pytest.mark.parametrize("of_epoch", [41, 49])
def test_the_inverse_time_decay_is_the_course_s_in_every_step_of_an_epoch(compiled, of_epoch):
    """At 41 steps an epoch Keras's ``InverseTimeDecay``, compiled, changes some epochs late.

    A compiled quotient is a product with the reciprocal: 49 · (1/49) is below 1 in double.
    """
    epochs = np.repeat(np.arange(12), of_epoch)
    own = rates("inverse_time", 12 * of_epoch, of_epoch, decay_rate=0.7, compiled=compiled)[:-1]
    np.testing.assert_allclose(own, 0.3 / (1 + 0.7 * epochs), rtol=1e-12)


def test_the_course_s_example():
    """Course 5.12: α0 = 0.2 and a rate of 1 give 0.1, 0.067, 0.05, 0.04 in epochs 1 to 4."""
    own = 0.2 * inverse_time_decay(tf.range(1, 5, dtype="float64"), tf.constant(1.0, "float64"))
    np.testing.assert_allclose(own, [0.1, 0.067, 0.05, 0.04], atol=5e-4)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_all_steps_of_a_warm_up_rise_and_none_falls_below_zero(schedule):
    own = rates(schedule, 40, 10, warmup=0.25)
    assert own[0] == 0
    assert (np.diff(own[:10]) > 0).all()
    assert (own >= 0).all()
    assert own.max() <= 0.3
