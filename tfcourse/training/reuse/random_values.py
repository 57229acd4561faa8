"""Random weights from the seeds of their initializers."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfcourse.types import Shape, Tensor

__all__ = ["RandomValues", "RandomWeight"]

# The trace for three weights takes the time of some 30 calls without one.
CALLS_BEFORE_TRACE = 20

# An initializer, the shape and the type of its weight, and the index of its seed.
RandomWeight = tuple[Any, Shape, str, int]


class RandomValues:
    """The random weights of a model, for any seeds.

    One by one, Keras's initializers take 0.4 ms each. After some calls they are traced together,
    and three take 0.4 ms: if the trace gives the same values, to the last bit.

    Args:
        weights: What each weight comes from, by its number.
    """

    def __init__(self, weights: Mapping[int, RandomWeight]) -> None:
        self._weights, self._calls = weights, 0
        self._trace: Callable[[Tensor], Sequence[Tensor]] | None = None

    @property
    def seeds(self) -> int:
        """The number of seeds that are needed."""
        return 1 + max((index for *_, index in self._weights.values()), default=-1)

    def __call__(self, seeds: Sequence[int]) -> dict[int, Tensor]:
        """Return the weights by their numbers, for the seeds that are drawn during a build."""
        if not self._weights:
            return {}
        self._calls += 1
        if self._trace is not None:
            return dict(zip(self._weights, self._trace(self._states(seeds)), strict=True))
        values = self._draw([seeds[index] for *_, index in self._weights.values()])
        if self._calls == CALLS_BEFORE_TRACE:
            self._trace = self._traced(seeds, values)
        return dict(zip(self._weights, values, strict=True))

    def _draw(self, seeds: "Sequence[int | _GivenSeed]") -> list[Tensor]:
        values = []
        for (initializer, shape, dtype, _), seed in zip(self._weights.values(), seeds, strict=True):
            seeded = copy.copy(initializer)
            seeded.seed = seed
            values.append(seeded(shape, dtype=dtype))
        return values

    def _states(self, seeds: Sequence[int]) -> Tensor:
        states = [(seeds[index], 0) for *_, index in self._weights.values()]
        return tf.constant(states, tf.uint32)

    def _traced(
        self, seeds: Sequence[int], expected: Sequence[Tensor]
    ) -> Callable[[Tensor], Sequence[Tensor]] | None:
        """Return a trace of `_draw`; None if it does not give the expected values."""

        def draw(states: Tensor) -> list[Tensor]:
            return self._draw([_GivenSeed(state) for state in tf.unstack(states)])

        states = self._states(seeds)
        try:
            trace = tf.function(draw, autograph=False).get_concrete_function(states)
            pairs = zip(trace(states), expected, strict=True)
            same = all(np.array_equal(a.numpy(), b.numpy()) for a, b in pairs)
        except Exception:  # an initializer of the user's own that can't be traced
            return None
        return trace if same else None


class _GivenSeed(keras.random.SeedGenerator):
    """A seed that is known when a trace is called."""

    def __init__(self, state: Tensor) -> None:
        self.given = state

    def next(self, ordered: bool = True) -> Tensor:
        return self.given
