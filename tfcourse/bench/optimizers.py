"""A step of the course's optimizers beside Keras's own, over few weights and many."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfcourse.bench.frame import Comparison, Contender, compare
from tfcourse.optimizers import Adam, GradientDescent, Momentum, RMSprop
from tfcourse.types import Array, Optimizer, Tensor

__all__ = ["COUNTS", "MODES", "PAIRS", "SHAPE", "bench"]

# The hidden layers of the digits searches. A step over such a weight is mostly overhead, where
# optimizers differ; over large ones every optimizer waits for memory.
SHAPE = (64, 64)
COUNTS = (1, 10, 100)
MODES = ("eager", "tf.function", "tf.function, XLA")
OURS, KERAS = "tfcourse", "Keras"
ALPHA, BETA, EPSILON = 1e-3, 0.9, 1e-8
# Our optimizer and Keras's that takes the same steps, by their name in the table.
PAIRS: dict[str, tuple[Callable[[], Optimizer], Callable[[], Optimizer]]] = {
    "GradientDescent": (
        lambda: GradientDescent(ALPHA),
        lambda: keras.optimizers.SGD(ALPHA),
    ),
    "Momentum": (
        lambda: Momentum(ALPHA, BETA),
        lambda: keras.optimizers.SGD(ALPHA * (1 - BETA), BETA),
    ),
    "RMSprop": (
        lambda: RMSprop(ALPHA, BETA, EPSILON),
        lambda: keras.optimizers.RMSprop(ALPHA, BETA, epsilon=EPSILON),
    ),
    "Adam": (
        lambda: Adam(ALPHA, epsilon=EPSILON),
        lambda: keras.optimizers.Adam(ALPHA, epsilon=EPSILON),
    ),
}


def bench(
    repeats: int = 7,
    counts: Sequence[int] = COUNTS,
    modes: Sequence[str] = MODES,
    shape: tuple[int, ...] = SHAPE,
) -> list[Comparison]:
    """Time one step, ``optimizer.apply`` on ready gradients, for every optimizer.

    Args:
        repeats: The number of rounds.
        counts: The numbers of weights of a step.
        modes: Some of `MODES`.
        shape: The shape of each weight.

    Raises:
        RuntimeError: The two optimizers don't agree.
    """
    return [
        _compare(name, count, mode, shape, repeats)
        for name in PAIRS
        for mode in modes
        for count in counts
    ]


def _compare(name: str, count: int, mode: str, shape: tuple[int, ...], repeats: int) -> Comparison:
    pair = zip((OURS, KERAS), PAIRS[name], strict=True)
    runs = {who: _step(create(), count, mode, shape) for who, create in pair}
    title = f"{name}, {count} weight{'s' if count > 1 else ''}, {mode}"
    for _ in range(3):
        ours, theirs = (run() for run in runs.values())
    if not np.allclose(ours, theirs, rtol=1e-4, atol=1e-5):
        raise RuntimeError(
            f"The optimizers don't agree on {title}: they are up to "
            f"{np.abs(ours - theirs).max():.2g} apart after 3 steps."
        )
    return compare(title, [Contender(who, run) for who, run in runs.items()], repeats=repeats)


def _step(
    optimizer: Optimizer, count: int, mode: str, shape: tuple[int, ...]
) -> Callable[[], Array]:
    """Return a function that takes a step with the same gradients and reads the last weight."""
    weights = [keras.Variable(tf.zeros(shape)) for _ in range(count)]
    # Far enough from 0 for the places in which Keras adds its ε not to show.
    gradients = [tf.random.stateless_uniform(shape, [0, i], 0.5, 1.5) for i in range(count)]
    optimizer.build(weights)

    def apply(gradients: Sequence[Tensor]) -> None:
        optimizer.apply(gradients, weights)

    if mode != "eager":
        # Gradients as arguments, as a model's are not constants that could be folded away.
        apply = tf.function(apply, jit_compile="XLA" in mode)

    def run() -> Array:
        apply(gradients)
        bias: Array = weights[-1].numpy()
        return bias

    return run
