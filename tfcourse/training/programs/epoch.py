"""A whole epoch as one compiled program: the step in a loop, its batches taken inside it."""

from collections.abc import Callable, Hashable, Sequence
from operator import itemgetter

import tensorflow as tf

from tfcourse.internals.tensorflow import function_graph
from tfcourse.training.programs.compiled import compiled
from tfcourse.training.programs.direct import DirectCalls
from tfcourse.training.programs.fallback import XlaFallback
from tfcourse.training.programs.program_cache import Share
from tfcourse.training.programs.result import ProgramResult, program_result
from tfcourse.training.programs.step import Step
from tfcourse.training.programs.tree import gather_rows, map_leaves, replace_leaves, tree_leaves
from tfcourse.types import Nested, Tensor, TensorArray

__all__ = ["EpochProgram"]


class EpochProgram(XlaFallback):
    """A program that runs a step over the batches ``start`` to ``stop`` of an order.

    All state (weights, optimizer, metrics, seeds) is in variables, so the program is traced once
    and serves every epoch, and every later call on data of the same shapes.

    Without XLA the batch size is a tensor, and one trace serves all of them; only where it
    divides the examples evenly is it part of the program, as it is in Keras, whose sums would
    otherwise round differently. Under XLA shapes must be known: the full batches run in the
    loop, the smaller last one is a step of its own after it. (Filling it up with masked examples
    would falsify the batch statistics.)

    Args:
        step: The step that is repeated.
        jit_compile: Whether to compile with XLA.
        run_eagerly: Whether not to compile at all, for debugging.
        share: As in `ProgramCache`.
        key: Describes what the traces depend on beside the model and the arguments.
    """

    def __init__(
        self,
        step: Step,
        jit_compile: bool,
        run_eagerly: bool = False,
        share: Share | None = None,
        key: Hashable = None,
    ) -> None:
        super().__init__(step.layers, step.safe, step.in_range)
        self.step, self.traces = step, 0
        self._share, self._key = share, key
        self._reset: Callable[[], None] = lambda: None
        self._compile(jit_compile, run_eagerly)

    def _compile(self, jit_compile: bool, run_eagerly: bool = False) -> None:
        self.jit_compile = jit_compile
        self._loop = compiled(self._run_loop, jit_compile, run_eagerly)
        self._last = compiled(self._run_last, jit_compile, run_eagerly)
        self._epochs = compiled(self._run_epochs, jit_compile, run_eagerly)
        if self._share is not None and not run_eagerly:
            # A trace that XLA can't compile, or without checks, is only this program's.
            def accepted() -> bool:
                return not (self.xla_failed or self.unchecked)

            key = self._key, self.jit_compile
            self._loop = self._share(self._loop, (key, "loop"), accepted)
            self._last = self._share(self._last, (key, "last"), accepted)
            self._epochs = self._share(self._epochs, (key, "epochs"), accepted)

    def __call__(
        self,
        data: Nested,
        order: Tensor,
        batch_size: int,
        start: int,
        stop: int,
        calls: DirectCalls | None = None,
    ) -> ProgramResult:
        """Run steps ``start`` to ``stop`` - 1.

        Args:
            data: The examples, nested tensors.
            order: Their indices, in the order in which they are used.
            batch_size: Examples a step.
            start: The first step.
            stop: The step after the last one.
            calls: The calls with these data, this batch size and an order of this length.

        Raises:
            InputError: XLA is required and can't compile the step.
        """
        calls = DirectCalls() if calls is None else calls
        return self._or_without_xla(
            lambda: self._steps(data, order, batch_size, start, stop, calls)
        )

    def _steps(
        self,
        data: Nested,
        order: Tensor,
        batch_size: int,
        start: int,
        stop: int,
        calls: DirectCalls,
    ) -> ProgramResult:
        full, size, rest = len(order) // batch_size, batch_size, False
        if not self.jit_compile and len(order) % batch_size:
            size = tf.constant(batch_size)
        elif start >= full:
            return program_result(self._last(data, order[full * batch_size :]))
        else:
            stop, rest = min(stop, full), stop > full
        first, last = tf.constant(start), tf.constant(stop)
        arguments = data, order, size, first, last, rest
        return program_result(calls(self._loop, rest, (order, first, last), *arguments))

    def run_epochs(
        self,
        data: Nested,
        orders: Tensor,
        batch_size: int,
        count: int,
        reset: Callable[[], None],
    ) -> list[Nested] | None:
        """Run whole epochs under XLA; return the logs of each.

        Return None if a loss or weight became a number that is not finite, or without XLA.

        Args:
            data: The examples, nested tensors.
            orders: The order of each epoch, a row of their indices. Their number is part of the
                program: there may be more than ``count``.
            batch_size: Examples a step; a full batch at least.
            count: The number of epochs.
            reset: Resets the metrics, before each epoch; always to the same values.
        """

        def call() -> list[Nested] | None:
            if not self.jit_compile:
                return None
            self._reset = reset
            epochs, finite, logs = self._epochs(data, orders, batch_size, tf.constant(count))
            return _logs_by_epoch(logs, int(epochs)) if bool(finite) else None

        return self._or_without_xla(call)

    def full_and_rest(
        self, data: Nested, order: Tensor, batch_size: int, full: int, rest: Tensor | None
    ) -> ProgramResult:
        """Run steps on the first ``full`` batches, then one on the rows ``rest``, if any."""
        result = ProgramResult(0, True, None)
        if full:
            first, last = tf.constant(0), tf.constant(full)
            result = self._or_without_xla(
                lambda: program_result(self._loop(data, order, batch_size, first, last, False))
            )
        if rest is not None and result.finite:
            last_one = self._or_without_xla(lambda: program_result(self._last(data, rest)))
            result = ProgramResult(result.steps + 1, last_one.finite, last_one.logs)
        return result

    def _run_loop(
        self,
        data: Nested,
        order: Tensor,
        batch_size: int | Tensor,
        start: Tensor,
        stop: Tensor,
        rest: bool = False,
    ) -> tuple[Tensor, Tensor, Nested]:
        """Run the steps, and with ``rest`` a last one on the examples that fill no batch."""
        self.traces += 1

        def fetch(index: Tensor) -> Nested:
            begin = index * batch_size
            if isinstance(batch_size, int):
                return gather_rows(data, tf.slice(order, [begin], [batch_size]))
            end = tf.minimum(begin + batch_size, tf.shape(order)[0])
            return gather_rows(data, order[begin:end])

        def run(index: Tensor) -> Nested:
            return self.step.call(fetch(index))

        index, finite, logs = start, True, ()
        if self.step.result is None:
            # The loop returns the last step's logs, whose structure is known after a first step.
            logs = run(start)
            index, finite = start + 1, self.step.finite(logs)

        def body(index: Tensor, finite: Tensor, _: Nested) -> tuple[Tensor, Tensor, Nested]:
            new = run(index)
            leaves = tree_leaves(new) if self.step.result is None else []
            return index + 1, self.step.finite(new), leaves

        index, finite, last = tf.while_loop(
            lambda index, finite, _: (index < stop) & finite,
            body,
            (index, tf.convert_to_tensor(finite), tree_leaves(logs)),
            parallel_iterations=1,
        )
        logs = replace_leaves(logs, last)
        steps = index - start
        if rest:
            # After a loss that is not finite as well: the state is not used then.
            full = order.shape[0] // batch_size * batch_size
            logs = self.step.call(gather_rows(data, order[full:]))
            steps += tf.cast(finite, steps.dtype)
            finite &= self.step.finite(logs)
        tensors = steps, finite & self.step.finite_weights(), self.step.logs_after(logs)
        self._check_trace()
        return tensors

    def _run_epochs(
        self,
        data: Nested,
        orders: Tensor,
        batch_size: int,
        count: Tensor,
    ) -> tuple[Tensor, Tensor, Nested]:
        """Run epochs, each as `_run_loop` does; the logs have a first axis for the epochs."""
        room, examples = orders.shape
        full = tf.constant(examples // batch_size)
        with function_graph("logs"):  # never run: for their structure, shapes and types
            logs = map_leaves(tf.convert_to_tensor, self.step.logs_after(()))
        every = [
            tf.TensorArray(leaf.dtype, room, element_shape=leaf.shape) for leaf in tree_leaves(logs)
        ]

        def body(
            epoch: Tensor, _: Tensor, every: Sequence[TensorArray]
        ) -> tuple[Tensor, Tensor, list[TensorArray]]:
            self._reset()
            rest = bool(examples % batch_size)
            order = tf.ensure_shape(orders[epoch], [examples])
            _, finite, new = self._run_loop(data, order, batch_size, tf.constant(0), full, rest)
            pairs = zip(every, tree_leaves(new), strict=True)
            return epoch + 1, finite, [array.write(epoch, leaf) for array, leaf in pairs]

        epochs, finite, every = tf.while_loop(
            lambda epoch, finite, _: (epoch < count) & finite,
            body,
            (tf.constant(0), tf.constant(True), every),
            parallel_iterations=1,
        )
        return epochs, finite, replace_leaves(logs, [array.stack() for array in every])

    def _run_last(self, data: Nested, rows: Tensor) -> tuple[int, Tensor, Nested]:
        self.traces += 1
        logs = self.step.call(gather_rows(data, rows))
        finite = self.step.finite(logs) & self.step.finite_weights()
        tensors = 1, finite, self.step.logs_after(logs)
        self._check_trace()
        return tensors


def _logs_by_epoch(logs: Nested, count: int) -> list[Nested]:
    """Return the logs of each of ``count`` epochs, from those with a first axis for the epochs."""
    # Numbers leave TensorFlow together; what isn't a number stays a tensor, as after one epoch.
    logs = map_leaves(lambda leaf: leaf.numpy() if leaf.shape.rank == 1 else leaf, logs)
    return [map_leaves(itemgetter(epoch), logs) for epoch in range(count)]
