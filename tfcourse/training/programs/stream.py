"""Batches of a ``tf.data`` iterator, many steps in one compiled call."""

from typing import Any

import tensorflow as tf

from tfcourse.internals.function_options import graph_optimization
from tfcourse.training.programs.compiled import compiled
from tfcourse.training.programs.replay_buffer import (
    OptionalReplayBuffer,
    empty_list,
    none_for_optionals,
    with_optional,
)
from tfcourse.training.programs.result import ProgramResult, program_result
from tfcourse.training.programs.step import Step
from tfcourse.training.programs.tree import replace_leaves, tree_leaves
from tfcourse.types import DatasetIterator, Nested, Optional, Tensor

__all__ = ["StreamProgram", "next_batch"]


class StreamProgram:
    """A program that runs a step over the next batches of a ``tf.data`` iterator, many in a call.

    Args:
        step: The step that is repeated.
        run_eagerly: Whether not to compile at all, for debugging.

    Attributes:
        optimized: Whether TensorFlow optimizes the program's graph before it runs.
    """

    def __init__(self, step: Step, run_eagerly: bool = False) -> None:
        self.step = step
        self.traces, self.optimized = 0, True
        self.guarded = step.loss is not None
        self._call = lambda batch: step.call(none_for_optionals(batch))
        self._loop = compiled(self._run_loop, False, run_eagerly)
        self._one = compiled(self._run_one, False, run_eagerly)

    def __call__(
        self, iterator: DatasetIterator, limit: int, endless: bool = False
    ) -> ProgramResult:
        """Run at most ``limit`` steps; fewer where the iterator ends, unless it is ``endless``."""
        try:
            with graph_optimization(self.optimized):
                optionals, tensors = self._loop(iterator, tf.constant(limit), endless)
        except tf.errors.OutOfRangeError:
            return ProgramResult(0, True, None)
        result = program_result(tensors)
        if not self.guarded:
            return result
        buffer = OptionalReplayBuffer(self, optionals, iterator.element_spec, result.steps)
        return result._replace(replay_buffer=buffer)

    def replay(self, batch: Optional) -> ProgramResult:
        """Run one step on a batch in an Optional."""
        with graph_optimization(self.optimized):
            return program_result(self._one(batch))

    def _run_one(self, batch: Optional) -> tuple[int, Tensor, Nested]:
        self.traces += 1
        logs = self._call(batch.get_value())
        finite = self.step.finite(logs) & self.step.finite_weights()
        return 1, finite, self.step.logs_after(logs)

    def _run_loop(
        self, iterator: DatasetIterator, limit: Tensor, endless: bool
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Nested]]:
        self.traces += 1
        index, finite, logs = tf.constant(0), tf.constant(True), ()
        optionals = empty_list(limit if self.guarded else 0)

        def run(index: Tensor, batch: Optional, optionals: Tensor) -> Any:
            """Run a step; return the state of the loop after it without the next batch."""
            if self.guarded:
                optionals = with_optional(optionals, index, batch)
            logs = self._call(batch.get_value())
            result = () if self.step.result is not None else logs
            return index + 1, self.step.finite(logs), result, optionals

        if self.step.result is None:
            # The structure of its logs is known only after a first step. All of that step must
            # wait for the batch: operations that need none, such as counting the iterations, would
            # run though there is no batch. This raises OutOfRangeError then.
            batch = iterator.get_next()
            with tf.control_dependencies([t for t in tf.nest.flatten(batch) if tf.is_tensor(t)]):
                first = tf.experimental.Optional.from_value(batch)
                index, finite, logs, optionals = run(index, first, optionals)

        def batch_after(index: Tensor, finite: Tensor) -> Nested:
            """Return the batch of the next step; nothing if there always is one."""
            return () if endless else next_batch(iterator, finite & (index < limit))

        def body(
            index: Tensor, finite: Tensor, _: Nested, optionals: Tensor, batch: Nested
        ) -> tuple[Nested, ...]:
            if endless:
                batch = tf.experimental.Optional.from_value(iterator.get_next())
            index, finite, logs, optionals = run(index, batch, optionals)
            return index, finite, tree_leaves(logs), optionals, batch_after(index, finite)

        def condition(
            index: Tensor, finite: Tensor, _: Nested, optionals: Tensor, batch: Nested
        ) -> Tensor:
            more = (index < limit) & finite
            return more if endless else more & batch.has_value()

        start = (index, finite, tree_leaves(logs), optionals, batch_after(index, finite))
        index, finite, last, optionals, _ = tf.while_loop(
            condition, body, start, parallel_iterations=1
        )
        finite &= self.step.finite_weights()
        return optionals, (index, finite, self.step.logs_after(replace_leaves(logs, last)))


def next_batch(iterator: DatasetIterator, needed: Tensor) -> Optional:
    """Return the next batch as an Optional, empty if none is needed.

    A batch that is taken from the iterator and not used would be lost.
    """
    return tf.cond(
        needed,
        iterator.get_next_as_optional,
        lambda: tf.experimental.Optional.empty(iterator.element_spec),
    )
