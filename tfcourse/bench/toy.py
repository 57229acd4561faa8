"""The course's toy problem, written seven ways, side by side (course sections 4.1 to 4.3).

Every contender takes the same steps in float32 and must arrive at the same w. Plain Python
floats are left out: they are doubles, and end at 4.9999999916, another computation.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfcourse.bench.frame import Comparison, Contender, compare
from tfcourse.toy import minimize_quadratic
from tfcourse.toy_program import descend
from tfcourse.types import Scalar, TensorFunction

__all__ = ["bench", "contenders"]

COEFFICIENTS = (1.0, -10.0, 25.0)
LEARNING_RATE = 0.01
# The course's figure after 1000 steps in float32 (exact arithmetic gives 4.9999999916). XLA may
# fuse a multiplication with an addition, which moves the last digit by 5e-7.
COURSE_STEPS, COURSE_ANSWER, TOLERANCE = 1000, 4.9999886, 1e-6
# The eager loop takes seconds.
EAGER_ROUNDS = 3

OURS_XLA = "tfcourse, one XLA program"
OURS_GRAPH = "tfcourse, one program without XLA"
OURS_CALL = "tfcourse.minimize_quadratic()"
TF1_SESSION = "TensorFlow 1 session, sess.run per step"
GRAPH_STEP = "tf.function of one step, called per step"
EAGER = "eager GradientTape loop, Keras SGD"
NUMPY = "NumPy float32 loop, gradient by hand"


def bench(repeats: int = 7, steps: int = COURSE_STEPS) -> list[Comparison]:
    """Time ``steps`` steps of gradient descent on w² - 10w + 25 from w = 0.

    Args:
        repeats: The number of rounds.
        steps: The steps of each contender in one unit of work.

    Raises:
        RuntimeError: A contender arrived at a different w than the course's program.
    """
    title = f"{steps} steps of gradient descent on w² - 10w + 25, w read at the end"
    return [compare(title, contenders(steps), baseline=OURS_XLA, repeats=repeats)]


def contenders(steps: int) -> list[Contender]:
    """Return all ways to take the steps, each with the check of its result."""
    expected = COURSE_ANSWER if steps == COURSE_STEPS else float(_numpy_loop(steps))

    def make(name: str, run: Callable[[], Any], **options: Any) -> Contender:
        return Contender(name, run, check=_answer_check(name, expected), **options)

    session = _SessionProgram(steps)
    return [
        make(OURS_XLA, _whole_descent(steps, True)),
        make(OURS_GRAPH, _whole_descent(steps, False)),
        make(OURS_CALL, lambda: minimize_quadratic(steps=steps).w),
        make(NUMPY, lambda: _numpy_loop(steps)),
        make(TF1_SESSION, session.run, setup=session.open, teardown=session.close),
        make(GRAPH_STEP, _step_by_step(steps)),
        make(EAGER, lambda: _eager_loop(steps), rounds=EAGER_ROUNDS),
    ]


def _answer_check(name: str, expected: float) -> Callable[[Any], None]:
    def check(w: Scalar) -> None:
        # Written so that NaN fails as well.
        if not math.isclose(float(w), expected, rel_tol=0.0, abs_tol=TOLERANCE):
            raise RuntimeError(
                f"{name!r} computed something else, so its time can't be compared: "
                f"w = {float(w):.9g}, expected {expected:.9g} to {TOLERANCE:g}."
            )

    return check


def _whole_descent(steps: int, jit_compile: bool) -> Callable[[], Any]:
    """Return our program without the checks and the costs of `minimize_quadratic`."""
    arguments = COEFFICIENTS, 0.0, "gradient_descent", LEARNING_RATE, steps
    return lambda: descend(*arguments, jit_compile)[-1]


def _numpy_loop(steps: int) -> Any:
    a, b, rate, two = map(np.float32, (*COEFFICIENTS[:2], LEARNING_RATE, 2.0))
    w = np.float32(0)
    for _ in range(steps):
        w = w - rate * (two * a * w + b)
    return w


class _SessionProgram:
    """The course's TensorFlow 1 program: a graph, its session, the coefficients fed as data."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._session: Any = None

    def open(self) -> None:
        v1 = tf.compat.v1
        with tf.Graph().as_default() as graph:
            # A resource variable would do too; this is what the course's program had.
            self._w = v1.Variable(0.0, dtype=tf.float32, use_resource=False)
            self._x = v1.placeholder(tf.float32, [3, 1])
            cost = self._x[0][0] * self._w**2 + self._x[1][0] * self._w + self._x[2][0]
            self._train = v1.train.GradientDescentOptimizer(LEARNING_RATE).minimize(cost)
            self._initialize = v1.global_variables_initializer()
        self._session = v1.Session(graph=graph)

    def run(self) -> Any:
        feed = {self._x: np.array(COEFFICIENTS, np.float32).reshape(3, 1)}
        run, train = self._session.run, self._train
        run(self._initialize)
        for _ in range(self._steps):
            run(train, feed_dict=feed)
        return run(self._w)

    def close(self) -> None:
        if self._session is not None:
            self._session.close()


def _step_by_step(steps: int) -> Callable[[], Any]:
    """Return the usual TensorFlow 2 form: the step is compiled, the loop over it is Python's."""
    w = tf.Variable(0.0)
    coefficients = tf.constant(COEFFICIENTS)

    def step() -> None:
        with tf.GradientTape() as tape:
            cost = coefficients[0] * w**2 + coefficients[1] * w + coefficients[2]
        w.assign_sub(LEARNING_RATE * tape.gradient(cost, w))

    compiled_step: TensorFunction = tf.function(step)

    def run() -> Any:
        w.assign(0.0)
        for _ in range(steps):
            compiled_step()
        return w.numpy()

    return run


def _eager_loop(steps: int) -> Any:
    """Run the course's TensorFlow 2 form as it is written in notebooks: nothing compiled."""
    w = tf.Variable(0.0)
    optimizer = keras.optimizers.SGD(LEARNING_RATE)
    a, b, c = COEFFICIENTS
    for _ in range(steps):
        with tf.GradientTape() as tape:
            cost = a * w**2 + b * w + c
        optimizer.apply_gradients([(tape.gradient(cost, w), w)])
    return w.numpy()
