"""A step's outputs on many batches, collected in one compiled call."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import tensorflow as tf

from tfcourse.internals.tensorflow import fast_error_messages
from tfcourse.training.programs.compiled import compiled
from tfcourse.training.programs.replay_buffer import none_for_optionals
from tfcourse.training.programs.result import ProgramResult
from tfcourse.training.programs.stream import next_batch
from tfcourse.training.programs.tree import map_leaves, tree_leaves
from tfcourse.training.programs.xla import XLA_ERRORS, StringsError, not_compiled, refuse_strings
from tfcourse.types import DatasetIterator, Nested, Optional, Tensor, TensorArray, TensorFunction

__all__ = ["CollectProgram", "batch_specs"]

TensorArrays = list[TensorArray]


class CollectProgram:
    """A program that runs a step over batches and returns its outputs end to end.

    The batches come from arrays or an iterator. The step is traced by itself, once for each shape
    of a batch, because the loop must know its outputs before it begins. Under XLA only the step
    is compiled, not the loop.

    Args:
        call: The step, such as ``model.predict_step``.
        jit_compile: Whether to compile the step with XLA.
        layers: The names of the model's layers, for messages.
    """

    def __init__(
        self, call: Callable[[Nested], Nested], jit_compile: bool, layers: Sequence[str] = ()
    ) -> None:
        self.jit_compile, self.layers = jit_compile, layers
        self.traces = 0
        self._call = call
        self._step: TensorFunction = compiled(self._run_step, jit_compile, False)
        # Data of other lengths, and other datasets, are not traced again each time.
        options = {"autograph": False, "reduce_retracing": True}
        self._on_arrays = tf.function(self._run_arrays, **options)
        self._on_stream = tf.function(self._run_stream, **options)

    def outputs(self, batch: Nested) -> Nested:
        """Return symbols of the step's outputs; None if those can't be put end to end.

        Args:
            batch: Specs of a batch.
        """
        specs = tree_leaves(batch)
        if not all(isinstance(spec, tf.TensorSpec) for spec in specs):
            return None
        try:
            outputs = self._step.get_concrete_function(batch).structured_outputs
        except StringsError as error:
            raise not_compiled(error, self.layers) from error
        leaves = tf.nest.flatten(outputs)
        fits = all(
            isinstance(leaf, tf.Tensor) and leaf.shape.rank and leaf.shape[1:].is_fully_defined()
            for leaf in leaves
        )
        return outputs if leaves and fits else None

    def __call__(self, *batches: Any) -> ProgramResult:
        """Return the outputs on some batches, as the `ProgramResult`'s logs.

        Args:
            *batches: ``data, order, batch_size, start, stop, calls`` for batches of arrays in
                their own order, or ``iterator, limit, endless``.

        Raises:
            InputError: XLA can't compile the step.
        """
        try:
            with fast_error_messages() if self.jit_compile else nullcontext():
                return self._collect(*batches)
        except XLA_ERRORS as error:
            if self.jit_compile and "XLA" in str(error):
                raise not_compiled(error, self.layers) from error
            raise

    def _collect(self, *batches: Any) -> ProgramResult:
        if len(batches) == 3:
            iterator, limit, _ = batches
            steps, outputs = self._on_stream(iterator, tf.constant(limit))
            return ProgramResult(int(steps), True, outputs)
        data, order, batch_size, start, stop, _ = batches
        size = _static_size(len(order), batch_size) or tf.constant(batch_size)
        outputs = self._on_arrays(data, size, tf.constant(start), tf.constant(stop))
        return ProgramResult(stop - start, True, outputs)

    def _run_step(self, batch: Nested) -> Nested:
        self.traces += 1
        outputs = self._call(batch)
        if self.jit_compile:
            refuse_strings(tf.compat.v1.get_default_graph())
        return outputs

    def _run_arrays(self, data: Nested, size: int | Tensor, start: Tensor, stop: Tensor) -> Nested:
        self.traces += 1

        def fetch(index: Tensor) -> Nested:
            return map_leaves(lambda t: _rows(t, index * size, size), data)

        def body(index: Tensor, arrays: TensorArrays) -> tuple[Tensor, TensorArrays]:
            return index + 1, _write(arrays, index - start, self._step(fetch(index)))

        spec = self.outputs(map_leaves(lambda t: tf.TensorSpec(t.shape, t.dtype), fetch(start)))
        _, arrays = tf.while_loop(
            lambda index, _: index < stop,
            body,
            (start, _empty(spec, size=stop - start)),
            parallel_iterations=1,
        )
        return tf.nest.pack_sequence_as(spec, [array.concat() for array in arrays])

    def _run_stream(self, iterator: DatasetIterator, limit: Tensor) -> tuple[Tensor, Nested]:
        self.traces += 1

        def body(
            index: Tensor, batch: Optional, arrays: TensorArrays
        ) -> tuple[Tensor, Optional, TensorArrays]:
            outputs = self._step(none_for_optionals(batch.get_value()))
            return (
                index + 1,
                next_batch(iterator, index + 1 < limit),
                _write(arrays, index, outputs),
            )

        spec = self.outputs(none_for_optionals(iterator.element_spec))
        index = tf.constant(0)
        index, _, arrays = tf.while_loop(
            lambda index, batch, _: batch.has_value(),
            body,
            (index, next_batch(iterator, index < limit), _empty(spec, size=0, dynamic_size=True)),
            parallel_iterations=1,
        )
        return index, tf.nest.pack_sequence_as(spec, [array.concat() for array in arrays])


def batch_specs(feed: Any) -> Nested:
    """Return specs of a feed's batches, as the program will see them."""
    if feed.stream:
        return none_for_optionals(feed.dataset.element_spec)
    size = _static_size(feed.arrays.count, feed.batch_size)
    return map_leaves(lambda t: tf.TensorSpec([size, *t.shape[1:]], t.dtype), feed.arrays.data)


def _static_size(count: int, batch_size: int) -> int | None:
    """Return the size of every batch, as in Keras; None if the last one is smaller."""
    return None if count % batch_size else batch_size


def _rows(tensor: Tensor, begin: Tensor, size: int | Tensor) -> Tensor:
    if isinstance(size, int):
        rest = tensor.shape.rank - 1
        return tf.slice(tensor, [begin, *[0] * rest], [size, *[-1] * rest])
    return tensor[begin : tf.minimum(begin + size, tf.shape(tensor)[0])]


def _empty(outputs: Nested, **size: int | Tensor | bool) -> TensorArrays:
    """Return an array for each output, of batches of any size."""
    return [
        tf.TensorArray(t.dtype, element_shape=[None, *t.shape[1:]], infer_shape=False, **size)
        for t in tf.nest.flatten(outputs)
    ]


def _write(arrays: TensorArrays, index: Tensor, outputs: Nested) -> TensorArrays:
    pairs = zip(arrays, tf.nest.flatten(outputs), strict=True)
    return [array.write(index, output) for array, output in pairs]
