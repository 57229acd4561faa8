"""The state of all slots in one: members are put into it and read out of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfcourse.training.population.member import Array
from tfcourse.training.population.step import State
from tfcourse.types import Tensor

__all__ = ["Stack"]


class Stack:
    """The members' states, stacked along a first axis of as many places as there are slots.

    Args:
        slots: How many.
        metrics: The metrics of one member before an epoch.
    """

    def __init__(self, slots: int, metrics: Sequence[Array]) -> None:
        self.slots = slots
        self.metrics = [tf.constant(np.stack([value] * slots)) for value in metrics]
        self.model: list[Any] = []
        self.optimizer: list[Any] = []
        self._arrays: list[Array] | None = None

    def before_epoch(self) -> State:
        """The state with metrics that have seen nothing."""
        return State(self.model, self.optimizer, self.metrics)

    def after_epoch(self, state: State) -> None:
        """Keeps what an epoch came to."""
        self.model, self.optimizer = list(state.model), list(state.optimizer)
        self._arrays = None

    def put(self, slots: Sequence[int], states: Sequence[State]) -> None:
        """Members into some slots, the first time into all: what is left over is filled up."""
        places = list(slots)
        if not self.model:
            # Slots that have no member compute something that nobody looks at.
            states = [*states, *[states[-1]] * (self.slots - len(states))]
            places += [slot for slot in range(self.slots) if slot not in places]
        order = np.argsort(places)
        new = State(*(_stacked([states[i][part] for i in order]) for part in range(3)))
        if len(places) == self.slots:
            self.model, self.optimizer = new.model, new.optimizer
            return
        indices = tf.constant(np.sort(places)[:, None])
        self.model = _scattered(self.model, indices, new.model)
        self.optimizer = _scattered(self.optimizer, indices, new.optimizer)

    def take(self, slot: int) -> State:
        """A member's state, to go on from later."""
        model = self.weights(slot, range(len(self.model)))
        return State(model, [value[slot].numpy() for value in self.optimizer], [])

    def weights(self, slot: int, places: Sequence[int]) -> list[Array]:
        """Some of a member's variables, as arrays of their own."""
        if self._arrays is None:
            # All slots at once: to cut a tensor takes as long as to copy a megabyte.
            self._arrays = [value.numpy() for value in self.model]
        return [np.array(self._arrays[place][slot]) for place in places]


def _stacked(values: Sequence[Sequence[Any]]) -> list[Any]:
    return [tf.constant(np.stack(leaves)) for leaves in zip(*values, strict=True)]


def _scattered(stacked: Sequence[Any], indices: Tensor, values: Sequence[Any]) -> list[Any]:
    return [
        tf.tensor_scatter_nd_update(old, indices, new)
        for old, new in zip(stacked, values, strict=True)
    ]
