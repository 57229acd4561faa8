"""A step's outputs on many batches, collected in one compiled call."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfcourse.training.programs.epoch import ProgramResult, compiled
from tfcourse.training.programs.replay_buffer import none_for_optionals
from tfcourse.training.programs.stream import next_batch
from tfcourse.training.programs.tree import map_leaves, tree_leaves
from tfcourse.training.programs.xla import XLA_ERRORS, StringsError, not_compiled, refuse_strings

__all__ = ["CollectProgram", "batch_specs"]


class CollectProgram:
    """Runs a step over batches of arrays or of an iterator, and gives its outputs end to end.

    The step is traced by itself, once for each shape of a batch, because the loop must know what
    it gives before it begins. Under XLA only the step is compiled, not the loop.

    Args:
        call: The step, such as ``model.predict_step``.
        jit_compile: Whether to compile the step with XLA.
        layers: The names of the model's layers, for messages.
    """

    def __init__(
        self, call: Callable[[Any], Any], jit_compile: bool, layers: Sequence[str] = ()
    ) -> None:
        self.jit_compile, self.layers = jit_compile, layers
        self.traces = 0
        self._call = call
        self._step = compiled(self._run_step, jit_compile, False)
        # Data of other lengths, and other datasets, are not traced again each time.
        options = {"autograph": False, "reduce_retracing": True}
        self._on_arrays = tf.function(self._run_arrays, **options)
        self._on_stream = tf.function(self._run_stream, **options)

    def outputs(self, batch: Any) -> Any:
        """What the step gives on a batch, nested symbols; None if that can't be put end to end.

        Args:
            batch: Specs of a batch.
        """
        specs = tree_leaves(batch)
        if not all(isinstance(spec, tf.TensorSpec) for spec in specs):
            return None
        try:
            found = self._step.get_concrete_function(batch).structured_outputs
        except StringsError as error:
            raise not_compiled(error, self.layers) from error
        leaves = tf.nest.flatten(found)
        fits = all(
            isinstance(leaf, tf.Tensor) and leaf.shape.rank and leaf.shape[1:].is_fully_defined()
            for leaf in leaves
        )
        return found if leaves and fits else None

    def __call__(self, *batches: Any) -> ProgramResult:
        """The outputs on some batches, as the `ProgramResult`'s logs.

        Args:
            *batches: ``data, order, batch_size, start, stop, calls`` for batches of arrays in
                their own order, or ``iterator, limit, endless``.

        Raises:
            InputError: XLA can't compile the step.
        """
        try:
            return self._collect(*batches)
        except XLA_ERRORS as error:
            if self.jit_compile and "XLA" in str(error):
                raise not_compiled(error, self.layers) from error
            raise

    def _collect(self, *batches: Any) -> ProgramResult:
        if len(batches) == 3:
            iterator, limit, _ = batches
            steps, found = self._on_stream(iterator, tf.constant(limit))
            return ProgramResult(int(steps), True, found)
        data, order, batch_size, start, stop, _ = batches
        size = _static_size(len(order), batch_size) or tf.constant(batch_size)
        found = self._on_arrays(data, size, tf.constant(start), tf.constant(stop))
        return ProgramResult(stop - start, True, found)

    def _run_step(self, batch: Any) -> Any:
        self.traces += 1
        outputs = self._call(batch)
        if self.jit_compile:
            refuse_strings(tf.compat.v1.get_default_graph())
        return outputs

    def _run_arrays(self, data: Any, size: Any, start: Any, stop: Any) -> Any:
        self.traces += 1

        def fetch(index: Any) -> Any:
            return map_leaves(lambda t: _rows(t, index * size, size), data)

        def body(index: Any, arrays: Any) -> Any:
            return index + 1, _written(arrays, index - start, self._step(fetch(index)))

        spec = self.outputs(map_leaves(lambda t: tf.TensorSpec(t.shape, t.dtype), fetch(start)))
        _, arrays = tf.while_loop(
            lambda index, _: index < stop,
            body,
            (start, _empty(spec, size=stop - start)),
            parallel_iterations=1,
        )
        return tf.nest.pack_sequence_as(spec, [array.concat() for array in arrays])

    def _run_stream(self, iterator: Any, limit: Any) -> Any:
        self.traces += 1

        def body(index: Any, batch: Any, arrays: Any) -> Any:
            found = self._step(none_for_optionals(batch.get_value()))
            return (
                index + 1,
                next_batch(iterator, index + 1 < limit),
                _written(arrays, index, found),
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


def batch_specs(feed: Any) -> Any:
    """Specs of a feed's batches, as the program will see them."""
    if feed.stream:
        return none_for_optionals(feed.dataset.element_spec)
    size = _static_size(feed.arrays.count, feed.batch_size)
    return map_leaves(lambda t: tf.TensorSpec([size, *t.shape[1:]], t.dtype), feed.arrays.data)


def _static_size(count: int, batch_size: int) -> int | None:
    """The size of every batch; None if the last one is smaller. Keras's batches are the same."""
    return None if count % batch_size else batch_size


def _rows(tensor: Any, begin: Any, size: Any) -> Any:
    if isinstance(size, int):
        rest = tensor.shape.rank - 1
        return tf.slice(tensor, [begin, *[0] * rest], [size, *[-1] * rest])
    return tensor[begin : tf.minimum(begin + size, tf.shape(tensor)[0])]


def _empty(outputs: Any, **size: Any) -> list[Any]:
    """An array for each output, of batches of any size."""
    return [
        tf.TensorArray(t.dtype, element_shape=[None, *t.shape[1:]], infer_shape=False, **size)
        for t in tf.nest.flatten(outputs)
    ]


def _written(arrays: list[Any], index: Any, outputs: Any) -> list[Any]:
    found = tf.nest.flatten(outputs)
    return [array.write(index, output) for array, output in zip(arrays, found, strict=True)]
