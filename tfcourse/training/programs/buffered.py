"""Batches of a ``tf.data`` iterator under XLA, which can't read one: from a buffer."""

import math
from operator import itemgetter

import numpy as np
import tensorflow as tf

from tfcourse.training.programs.compiled import compiled
from tfcourse.training.programs.epoch import EpochProgram
from tfcourse.training.programs.replay_buffer import RowReplayBuffer
from tfcourse.training.programs.result import ProgramResult
from tfcourse.training.programs.stream import next_batch
from tfcourse.training.programs.tree import first_leaf, map_leaves
from tfcourse.types import Array, DatasetIterator, Nested, Optional, Tensor, TensorArray

__all__ = ["BufferedProgram", "batches_in"]

# The size of a `BufferedProgram`'s buffer, large enough that the loop's own cost is small.
BUFFER_BYTES = 64 * 2**20
BUFFER_STEPS = 256
UNKNOWN_LENGTH = 256  # the assumed length of an axis whose length isn't known


class BufferedProgram:
    """A program that runs a step over the next batches of a ``tf.data`` iterator under XLA.

    XLA can't read an iterator, so the batches are read into a buffer first.

    The buffer has the same shape every time, so that XLA compiles one loop for all full batches
    and one step for the smaller last one. Batches of other sizes are compiled for each size.

    Args:
        program: Runs the steps on the buffer.
    """

    def __init__(self, program: EpochProgram) -> None:
        self.program = program
        self._read = compiled(_read_batches, jit_compile=False, run_eagerly=False)

    @property
    def traces(self) -> int:
        """The number of times that the program was traced."""
        return self.program.traces

    @property
    def xla_failed(self) -> bool:
        """True if XLA could not compile the step."""
        return self.program.xla_failed

    @property
    def required(self) -> bool:
        """True if it is an error that XLA can't compile the step."""
        return self.program.required

    @required.setter
    def required(self, required: bool) -> None:
        self.program.required = required

    def __call__(
        self, iterator: DatasetIterator, limit: int, endless: bool = False
    ) -> ProgramResult:
        """Run at most ``limit`` steps; fewer where the iterator ends."""
        capacity = min(limit, BUFFER_STEPS, batches_in(BUFFER_BYTES, iterator.element_spec))
        total, reads = ProgramResult(0, True, None), []
        guarded = self.program.step.loss is not None  # only then may steps be repeated
        while total.steps < limit and total.finite:
            count = min(capacity, limit - total.steps)
            data, sizes = self._read(iterator, tf.constant(count), tf.constant(capacity))
            sizes = sizes.numpy()
            if not len(sizes):
                break
            if guarded:
                reads.append((data, sizes))
            result = self._train(data, sizes, capacity)
            total = ProgramResult(total.steps + result.steps, result.finite, result.logs)
            if len(sizes) < count:
                break
        return total._replace(replay_buffer=RowReplayBuffer(self, reads)) if guarded else total

    def replay(self, batch: Nested) -> ProgramResult:
        """Run one step on a batch."""
        rows = tf.range(len(first_leaf(batch)))
        return self.program.full_and_rest(batch, rows, len(rows), 0, rows)

    def _train(self, data: Nested, sizes: Array, capacity: int) -> ProgramResult:
        first = int(sizes[0])
        full = len(sizes) if sizes[-1] == first else len(sizes) - 1
        if (sizes[:full] == first).all() and sizes[-1] <= first:
            data = map_leaves(lambda t: _with_rows(t, capacity * first), data)
            order = tf.range(capacity * first)
            rest = order[full * first : int(sizes.sum())] if full < len(sizes) else None
            return self.program.full_and_rest(data, order, first, full, rest)
        ends = np.cumsum(sizes)
        total = ProgramResult(0, True, None)
        for start, end in zip(ends - sizes, ends, strict=True):
            rows = slice(int(start), int(end))
            batch = map_leaves(itemgetter(rows), data)
            result = self.program(batch, tf.range(end - start), int(end - start), 0, 1)
            total = ProgramResult(total.steps + 1, result.finite, result.logs)
            if not result.finite:
                break
        return total


def _read_batches(
    iterator: DatasetIterator, limit: Tensor, capacity: Tensor
) -> tuple[Nested, Tensor]:
    """Return up to ``limit`` batches end to end, with room for ``capacity``, and their sizes."""
    spec = iterator.element_spec
    leaves = [leaf for leaf in tf.nest.flatten(spec) if isinstance(leaf, tf.TensorSpec)]

    def body(
        index: Tensor, batch: Optional, sizes: TensorArray, buffers: list[TensorArray]
    ) -> tuple[Tensor, Optional, TensorArray, list[TensorArray]]:
        tensors = [t for t in tf.nest.flatten(batch.get_value()) if tf.is_tensor(t)]
        sizes = sizes.write(index, tf.shape(tensors[0])[0])
        buffers = [b.write(index, t) for b, t in zip(buffers, tensors, strict=True)]
        return index + 1, next_batch(iterator, index + 1 < limit), sizes, buffers

    growing = {"size": 0, "dynamic_size": True, "infer_shape": False}
    start = (
        tf.constant(0),
        iterator.get_next_as_optional(),
        tf.TensorArray(tf.int32, element_shape=[], **growing),
        [tf.TensorArray(leaf.dtype, element_shape=leaf.shape, **growing) for leaf in leaves],
    )
    _, _, sizes, buffers = tf.while_loop(
        lambda index, batch, *_: (index < limit) & batch.has_value(),
        body,
        start,
        parallel_iterations=1,
    )
    sizes = sizes.stack()
    rows = tf.reduce_sum(sizes)
    # If nothing was read, there is no first size, and no room is needed.
    room = tf.maximum(capacity * tf.reduce_max(tf.concat([sizes[:1], [0]], 0)) - rows, 0)
    filled = iter([_with_room(buffer.concat(), room) for buffer in buffers])
    data = [next(filled) if isinstance(s, tf.TensorSpec) else None for s in tf.nest.flatten(spec)]
    return tf.nest.pack_sequence_as(spec, data), sizes


def _with_rows(tensor: Tensor, rows: int) -> Tensor:
    return tf.ensure_shape(tensor, [rows, *tensor.shape[1:]])


def _with_room(tensor: Tensor, room: Tensor) -> Tensor:
    zeros = tf.zeros(tf.concat([[room], tf.shape(tensor)[1:]], 0), tensor.dtype)
    return tf.concat([tensor, zeros], 0)


def batches_in(size: int, spec: Nested) -> int:
    """Return about how many batches of a spec fit in ``size`` bytes, at least one."""
    bytes_of_batch = 0
    for leaf in tf.nest.flatten(spec, expand_composites=True):
        if isinstance(leaf, tf.TensorSpec) and leaf.shape.rank is not None:
            lengths = [UNKNOWN_LENGTH if n is None else n for n in leaf.shape]
            bytes_of_batch += math.prod(lengths) * leaf.dtype.size
    return max(1, size // max(1, bytes_of_batch))
