"""The time of a model's prediction."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfcourse.data.nested import Arrays, map_arrays
from tfcourse.types import KerasModel

__all__ = ["latency"]

# The calls of a latency: those before the clock starts, and the measured ones.
WARM_UP, REPEATS = 5, 50


def latency(
    model: KerasModel,
    example: Arrays,
    repeats: int = REPEATS,
    statistic: Callable[[Sequence[float]], float] = statistics.median,
) -> float:
    """Return the time of a prediction for one example, in milliseconds.

    Measured here and now: in this process, on its devices and with its threads, as calls of the
    compiled model (without XLA) with ``training=False``, from a NumPy array of one example to a
    NumPy array of each output. A few calls before are not counted, of which the first compiles. It
    depends on the machine and its load; on another one measure again.

    Args:
        model: A built model.
        example: One example, shape ``(1, ...)``, or a dict of those of each input.
        repeats: The number of calls.
        statistic: Makes one time of theirs. The least depends less on what else the machine does.
    """
    import tensorflow as tf

    call: Any = tf.function(lambda x: model(x, training=False), autograph=False)
    inputs = map_arrays(np.ascontiguousarray, example)
    seconds = []
    for number in range(WARM_UP + repeats):
        start = time.perf_counter()
        tf.nest.map_structure(np.asarray, call(map_arrays(tf.constant, inputs)))
        if number >= WARM_UP:
            seconds.append(time.perf_counter() - start)
    return 1000 * statistic(seconds)
