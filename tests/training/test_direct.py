"""A trace that is called past ``tf.function``: with the right arguments, and only where it may."""

import pytest
import tensorflow as tf

from tfcourse.training.programs.direct import DirectCalls


def weighed(data, order, start, factor):
    """Tells each of its arguments from the others."""
    weighed.traces += 1
    rows = tf.gather(data["z"] + 10.0 * data["a"][0] + 100.0 * data["a"][1], order)
    return {"sum": tf.reduce_sum(rows * tf.range(3.0)) + tf.cast(start, tf.float32) * factor}


weighed.traces = 0

# Not in the order of their names, which is TensorFlow's in some places.
DATA = {"z": tf.range(3.0), "a": (tf.range(3.0) ** 2, tf.constant([4.0, 7.0, 9.0]))}


def called(calls, function, order, start, factor):
    order, start = tf.constant(order), tf.constant(start)
    return calls(function, factor, (order, start), DATA, order, start, factor)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_changing_arguments_are_those_of_the_call(jit_compile):
    weighed.traces = 0
    calls = DirectCalls()
    function = tf.function(weighed, jit_compile=jit_compile, autograph=False)
    for order, start in ([0, 1, 2], 3), ([2, 1, 0], 5), ([1, 1, 0], 0):
        for factor in (1000.0, -1000.0):
            found = called(calls, function, order, start, factor)
            expected = weighed(DATA, tf.constant(order), tf.constant(start), factor)
            assert float(found["sum"]) == float(expected["sum"])
    assert weighed.traces == 2 + 6, "a trace a factor; the rest is this test's"


def test_a_trace_is_not_looked_up_again(monkeypatch):
    calls, function = DirectCalls(), tf.function(weighed, autograph=False)
    first = called(calls, function, [0, 1, 2], 3, 1.0)
    called(calls, function, [2, 1, 0], 3, 1.0)
    monkeypatch.setattr(type(function), "__call__", lambda *_: pytest.fail("it was"))
    again = called(calls, function, [0, 1, 2], 3, 1.0)
    assert float(first["sum"]) == float(again["sum"])


def test_a_plain_function_is_called():
    weighed.traces, calls = 0, DirectCalls()
    for _ in range(3):
        called(calls, weighed, [0, 1, 2], 3, 1.0)
    assert weighed.traces == 3


def test_functions_that_run_eagerly_for_debugging_do():
    weighed.traces, calls = 0, DirectCalls()
    tf.config.run_functions_eagerly(True)
    try:
        function = tf.function(weighed, autograph=False)
        for _ in range(3):
            called(calls, function, [0, 1, 2], 3, 1.0)
    finally:
        tf.config.run_functions_eagerly(False)
    assert weighed.traces == 3
