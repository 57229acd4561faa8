"""Batches of a ``tf.data`` iterator, many steps in one compiled call."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfcourse.training.programs.epoch import EpochProgram, Outcome, compiled, outcome_of
from tfcourse.training.programs.step import Step

__all__ = ["BufferedProgram", "StreamProgram", "next_batch", "none_for_optionals"]

# What `BufferedProgram` holds at most: enough that the loop's own cost is small.
BUFFER_BYTES = 64 * 2**20
BUFFER_STEPS = 256


class StreamProgram:
    """Runs a step over the next batches of a ``tf.data`` iterator, many in one call.

    Args:
        step: The step that is repeated.
        run_eagerly: Whether not to compile at all, for debugging.
    """

    def __init__(self, step: Step, run_eagerly: bool = False) -> None:
        self.step = step
        self.traces = 0
        self._call = lambda batch: step.call(none_for_optionals(batch))
        self._loop = compiled(self._run_loop, False, run_eagerly)

    def __call__(self, iterator: Any, limit: int) -> Outcome:
        """At most ``limit`` steps; fewer where the iterator ends."""
        try:
            return outcome_of(self._loop(iterator, tf.constant(limit)))
        except tf.errors.OutOfRangeError:
            return Outcome(0, True, None)

    def _run_loop(self, iterator: Any, limit: Any) -> Any:
        self.traces += 1
        index, finite, logs = 0, True, ()
        if self.step.result is None:
            batch = iterator.get_next()  # OutOfRangeError if no batch is left
            # Nothing of the step before that is known: what needs no batch, such as counting
            # the iterations, would have been done for one that isn't there.
            with tf.control_dependencies([t for t in tf.nest.flatten(batch) if tf.is_tensor(t)]):
                logs = self._call(batch)
            index, finite = 1, self.step.finite(logs)

        def body(index: Any, finite: Any, batch: Any, logs: Any) -> Any:
            new = self._call(batch.get_value())
            finite = self.step.finite(new)
            kept = new if self.step.result is None else ()
            return index + 1, finite, next_batch(iterator, finite & (index + 1 < limit)), kept

        index = tf.constant(index)
        index, finite, _, logs = tf.while_loop(
            lambda index, finite, batch, _: (index < limit) & finite & batch.has_value(),
            body,
            (index, tf.convert_to_tensor(finite), next_batch(iterator, index < limit), logs),
            parallel_iterations=1,
        )
        return index, finite & self.step.finite_weights(), self.step.logs_after(logs)


class BufferedProgram:
    """The same under XLA, which can't read an iterator: batches are read into a buffer first.

    The buffer has the same shape every time, so that XLA compiles one loop for all full batches
    and one step for the smaller last one. Batches of other sizes are compiled for each size.

    Args:
        program: What trains on the buffer.
    """

    def __init__(self, program: EpochProgram) -> None:
        self.program = program
        self._read = compiled(_read_batches, jit_compile=False, run_eagerly=False)

    @property
    def traces(self) -> int:
        """How often the program was traced."""
        return self.program.traces

    def __call__(self, iterator: Any, limit: int) -> Outcome:
        """At most ``limit`` steps; fewer where the iterator ends."""
        capacity = min(limit, _capacity(iterator.element_spec))
        total = Outcome(0, True, None)
        while total.steps < limit and total.finite:
            wanted = min(capacity, limit - total.steps)
            data, sizes = self._read(iterator, tf.constant(wanted), tf.constant(capacity))
            sizes = sizes.numpy()
            if not len(sizes):
                break
            done = self._train(data, sizes, capacity)
            total = Outcome(total.steps + done.steps, done.finite, done.logs)
            if len(sizes) < wanted:
                break
        return total

    def _train(self, data: Any, sizes: Any, capacity: int) -> Outcome:
        first = int(sizes[0])
        full = len(sizes) if sizes[-1] == first else len(sizes) - 1
        if (sizes[:full] == first).all() and sizes[-1] <= first:
            data = tf.nest.map_structure(lambda t: _shaped(t, capacity * first), data)
            order = tf.range(capacity * first)
            rest = order[full * first : int(sizes.sum())] if full < len(sizes) else None
            return self.program.full_and_rest(data, order, first, full, rest)
        ends = np.cumsum(sizes)
        outcome = Outcome(0, True, None)
        for start, end in zip(ends - sizes, ends, strict=True):
            rows = slice(int(start), int(end))
            batch = tf.nest.map_structure(lambda t, r=rows: None if t is None else t[r], data)
            done = self.program(batch, tf.range(end - start), int(end - start), 0, 1)
            outcome = Outcome(outcome.steps + 1, done.finite, done.logs)
            if not done.finite:
                break
        return outcome


def next_batch(iterator: Any, wanted: Any) -> Any:
    """The next batch as an Optional, if one is wanted: one taken and not used would be lost."""
    return tf.cond(
        wanted,
        iterator.get_next_as_optional,
        lambda: tf.experimental.Optional.empty(iterator.element_spec),
    )


def none_for_optionals(batch: Any) -> Any:
    """A batch, or the specs of one, in which Keras's adapters put an Optional for None."""
    optional = (tf.experimental.Optional, tf.OptionalSpec)
    return tf.nest.map_structure(lambda leaf: None if isinstance(leaf, optional) else leaf, batch)


def _read_batches(iterator: Any, wanted: Any, capacity: Any) -> tuple[Any, Any]:
    """Up to ``wanted`` batches end to end, with room for ``capacity`` of them, and their sizes."""
    spec = iterator.element_spec
    leaves = [leaf for leaf in tf.nest.flatten(spec) if isinstance(leaf, tf.TensorSpec)]

    def body(index: Any, batch: Any, sizes: Any, buffers: Any) -> Any:
        tensors = [t for t in tf.nest.flatten(batch.get_value()) if tf.is_tensor(t)]
        sizes = sizes.write(index, tf.shape(tensors[0])[0])
        buffers = [b.write(index, t) for b, t in zip(buffers, tensors, strict=True)]
        return index + 1, next_batch(iterator, index + 1 < wanted), sizes, buffers

    growing = {"size": 0, "dynamic_size": True, "infer_shape": False}
    start = (
        tf.constant(0),
        iterator.get_next_as_optional(),
        tf.TensorArray(tf.int32, element_shape=[], **growing),
        [tf.TensorArray(leaf.dtype, element_shape=leaf.shape, **growing) for leaf in leaves],
    )
    _, _, sizes, buffers = tf.while_loop(
        lambda index, batch, *_: (index < wanted) & batch.has_value(),
        body,
        start,
        parallel_iterations=1,
    )
    sizes = sizes.stack()
    rows = tf.reduce_sum(sizes)
    # Nothing was read: then there is no first size, and no room is needed.
    room = tf.maximum(capacity * tf.reduce_max(tf.concat([sizes[:1], [0]], 0)) - rows, 0)
    filled = iter([_with_room(buffer.concat(), room) for buffer in buffers])
    data = [next(filled) if isinstance(s, tf.TensorSpec) else None for s in tf.nest.flatten(spec)]
    return tf.nest.pack_sequence_as(spec, data), sizes


def _shaped(tensor: Any, rows: int) -> Any:
    return None if tensor is None else tf.ensure_shape(tensor, [rows, *tensor.shape[1:]])


def _with_room(tensor: Any, room: Any) -> Any:
    zeros = tf.zeros(tf.concat([[room], tf.shape(tensor)[1:]], 0), tensor.dtype)
    return tf.concat([tensor, zeros], 0)


def _capacity(spec: Any) -> int:
    """How many batches a buffer holds."""
    size = 0
    for leaf in tf.nest.flatten(spec):
        if isinstance(leaf, tf.TensorSpec):
            batch = leaf.shape[0] or 256  # a size that isn't known is taken as a large one
            size += batch * math.prod(leaf.shape[1:]) * leaf.dtype.size
    return max(1, min(BUFFER_STEPS, BUFFER_BYTES // size))
