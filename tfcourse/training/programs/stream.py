"""Batches of a ``tf.data`` iterator, many steps in one compiled call."""

import math
from operator import itemgetter
from typing import Any

import numpy as np
import tensorflow as tf

from tfcourse.training.programs.epoch import EpochProgram, ProgramResult, compiled, program_result
from tfcourse.training.programs.replay_buffer import (
    OptionalReplayBuffer,
    RowReplayBuffer,
    empty_list,
    none_for_optionals,
    with_optional,
)
from tfcourse.training.programs.step import Step
from tfcourse.training.programs.tree import first_leaf, map_leaves, replace_leaves, tree_leaves

__all__ = ["BufferedProgram", "StreamProgram", "batches_in", "next_batch"]

# What `BufferedProgram` holds at most: enough that the loop's own cost is small.
BUFFER_BYTES = 64 * 2**20
BUFFER_STEPS = 256
UNKNOWN_LENGTH = 256  # what the length of an axis is taken for where it isn't known


class StreamProgram:
    """Runs a step over the next batches of a ``tf.data`` iterator, many in one call.

    Args:
        step: The step that is repeated.
        run_eagerly: Whether not to compile at all, for debugging.
    """

    def __init__(self, step: Step, run_eagerly: bool = False) -> None:
        self.step = step
        self.traces = 0
        self.guarded = step.loss is not None
        self._call = lambda batch: step.call(none_for_optionals(batch))
        self._loop = compiled(self._run_loop, False, run_eagerly)
        self._one = compiled(self._run_one, False, run_eagerly)

    def __call__(self, iterator: Any, limit: int, endless: bool = False) -> ProgramResult:
        """At most ``limit`` steps; fewer where the iterator ends, unless it is ``endless``."""
        try:
            taken, result = self._loop(iterator, tf.constant(limit), endless)
        except tf.errors.OutOfRangeError:
            return ProgramResult(0, True, None)
        outcome = program_result(result)
        if not self.guarded:
            return outcome
        kept = OptionalReplayBuffer(self, taken, iterator.element_spec, outcome.steps)
        return outcome._replace(replay_buffer=kept)

    def replay(self, batch: Any) -> ProgramResult:
        """One step on an Optional that holds a batch."""
        return program_result(self._one(batch))

    def _run_one(self, batch: Any) -> Any:
        self.traces += 1
        logs = self._call(batch.get_value())
        finite = self.step.finite(logs) & self.step.finite_weights()
        return 1, finite, self.step.logs_after(logs)

    def _run_loop(self, iterator: Any, limit: Any, endless: bool) -> Any:
        self.traces += 1
        index, finite, logs = tf.constant(0), tf.constant(True), ()
        taken = empty_list(limit if self.guarded else 0)

        def run(index: Any, batch: Any, taken: Any) -> Any:
            """A step: the state of the loop after it, but for the next batch."""
            kept = with_optional(taken, index, batch) if self.guarded else taken
            logs = self._call(batch.get_value())
            result = () if self.step.result is not None else logs
            return index + 1, self.step.finite(logs), result, kept

        if self.step.result is None:
            # Its logs' structure is known only after a first step. Nothing of the step before the
            # batch is known: what needs none, such as counting the iterations, would have been
            # done for one that isn't there. This raises OutOfRangeError then.
            batch = iterator.get_next()
            with tf.control_dependencies([t for t in tf.nest.flatten(batch) if tf.is_tensor(t)]):
                first = tf.experimental.Optional.from_value(batch)
                index, finite, logs, taken = run(index, first, taken)

        def following(index: Any, finite: Any) -> Any:
            """What the next step needs to begin with: nothing, if there always is a batch."""
            return () if endless else next_batch(iterator, finite & (index < limit))

        def body(index: Any, finite: Any, _: Any, taken: Any, batch: Any) -> Any:
            if endless:
                batch = tf.experimental.Optional.from_value(iterator.get_next())
            index, finite, logs, taken = run(index, batch, taken)
            return index, finite, tree_leaves(logs), taken, following(index, finite)

        def goes_on(index: Any, finite: Any, _: Any, taken: Any, batch: Any) -> Any:
            more = (index < limit) & finite
            return more if endless else more & batch.has_value()

        start = (index, finite, tree_leaves(logs), taken, following(index, finite))
        index, finite, last, taken, _ = tf.while_loop(goes_on, body, start, parallel_iterations=1)
        finite &= self.step.finite_weights()
        return taken, (index, finite, self.step.logs_after(replace_leaves(logs, last)))


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

    @property
    def refused(self) -> bool:
        """Whether XLA has refused the step."""
        return self.program.refused

    @property
    def required(self) -> bool:
        """Whether the step must be compiled with XLA."""
        return self.program.required

    @required.setter
    def required(self, required: bool) -> None:
        self.program.required = required

    def __call__(self, iterator: Any, limit: int, endless: bool = False) -> ProgramResult:
        """At most ``limit`` steps; fewer where the iterator ends."""
        capacity = min(limit, BUFFER_STEPS, batches_in(BUFFER_BYTES, iterator.element_spec))
        total, reads = ProgramResult(0, True, None), []
        while total.steps < limit and total.finite:
            wanted = min(capacity, limit - total.steps)
            data, sizes = self._read(iterator, tf.constant(wanted), tf.constant(capacity))
            sizes = sizes.numpy()
            if not len(sizes):
                break
            reads.append((data, sizes))
            done = self._train(data, sizes, capacity)
            total = ProgramResult(total.steps + done.steps, done.finite, done.logs)
            if len(sizes) < wanted:
                break
        guarded = self.program.step.loss is not None
        return total._replace(replay_buffer=RowReplayBuffer(self, reads)) if guarded else total

    def replay(self, batch: Any) -> ProgramResult:
        """One step on a batch."""
        rows = tf.range(len(first_leaf(batch)))
        return self.program.full_and_rest(batch, rows, len(rows), 0, rows)

    def _train(self, data: Any, sizes: Any, capacity: int) -> ProgramResult:
        first = int(sizes[0])
        full = len(sizes) if sizes[-1] == first else len(sizes) - 1
        if (sizes[:full] == first).all() and sizes[-1] <= first:
            data = map_leaves(lambda t: _with_rows(t, capacity * first), data)
            order = tf.range(capacity * first)
            rest = order[full * first : int(sizes.sum())] if full < len(sizes) else None
            return self.program.full_and_rest(data, order, first, full, rest)
        ends = np.cumsum(sizes)
        outcome = ProgramResult(0, True, None)
        for start, end in zip(ends - sizes, ends, strict=True):
            rows = slice(int(start), int(end))
            batch = map_leaves(itemgetter(rows), data)
            done = self.program(batch, tf.range(end - start), int(end - start), 0, 1)
            outcome = ProgramResult(outcome.steps + 1, done.finite, done.logs)
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


def _with_rows(tensor: Any, rows: int) -> Any:
    return tf.ensure_shape(tensor, [rows, *tensor.shape[1:]])


def _with_room(tensor: Any, room: Any) -> Any:
    zeros = tf.zeros(tf.concat([[room], tf.shape(tensor)[1:]], 0), tensor.dtype)
    return tf.concat([tensor, zeros], 0)


def batches_in(size: int, spec: Any) -> int:
    """How many batches of a spec ``size`` bytes hold, about; at least one."""
    used = 0
    for leaf in tf.nest.flatten(spec, expand_composites=True):
        if isinstance(leaf, tf.TensorSpec) and leaf.shape.rank is not None:
            lengths = [UNKNOWN_LENGTH if n is None else n for n in leaf.shape]
            used += math.prod(lengths) * leaf.dtype.size
    return max(1, size // max(1, used))
