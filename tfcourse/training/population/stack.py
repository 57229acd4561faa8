"""The state of all slots in one, into which members are put and from which they are taken."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfcourse.training.population.step import State
from tfcourse.types import Array, Tensor

__all__ = ["Stack"]


class Stack:
    """The members' states, stacked along a first axis of slots.

    Args:
        slots: The number of slots.
        metrics: The metrics of one member before an epoch.
    """

    def __init__(self, slots: int, metrics: Sequence[Array]) -> None:
        self.slots = slots
        self.metrics = [tf.constant(np.stack([value] * slots)) for value in metrics]
        self.model: list[Tensor] = []
        self.optimizer: list[Tensor] = []
        self._arrays: list[Array] | None = None

    def before_epoch(self) -> State:
        """Return the state with the metrics' initial values."""
        return State(self.model, self.optimizer, self.metrics)

    def after_epoch(self, state: State) -> None:
        """Keep the state after an epoch."""
        self.model, self.optimizer = list(state.model), list(state.optimizer)
        self._arrays = None

    def put(self, slots: Sequence[int], states: Sequence[State]) -> None:
        """Put members into some slots; the first time, copies of the last one into the others."""
        places = list(slots)
        if not self.model:
            # Slots without a member compute something that is not used.
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
        """Return a member's state, to continue from later."""
        model = self.weights(slot, range(len(self.model)))
        return State(model, [value[slot].numpy() for value in self.optimizer], [])

    def weights(self, slot: int, places: Sequence[int]) -> list[Array]:
        """Return some of a member's variables, as arrays of their own."""
        if self._arrays is None:
            # All slots at once: to slice a tensor takes as long as to copy a megabyte.
            self._arrays = [value.numpy() for value in self.model]
        return [np.array(self._arrays[place][slot]) for place in places]


def _stacked(values: Sequence[Sequence[Array]]) -> list[Tensor]:
    return [tf.constant(np.stack(leaves)) for leaves in zip(*values, strict=True)]


def _scattered(
    stacked: Sequence[Tensor], indices: Tensor, values: Sequence[Tensor]
) -> list[Tensor]:
    return [
        tf.tensor_scatter_nd_update(old, indices, new)
        for old, new in zip(stacked, values, strict=True)
    ]
