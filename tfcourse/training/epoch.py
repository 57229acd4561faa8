"""A whole epoch as one compiled program: the step in a loop, the batches gathered inside it."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

__all__ = ["EpochProgram"]


class EpochProgram:
    """Runs ``step`` over the mini-batches ``start`` to ``stop`` of an order in one call.

    All state (weights, optimizer, metrics, seeds) is in variables, so the program is traced once
    and serves every epoch, and every later call on data of the same shapes.

    Without XLA the batch size is a tensor, and one trace serves all of them; only where it
    divides the examples evenly is it part of the program, as it is in Keras, whose sums would
    otherwise round differently. Under XLA shapes must be known: the full batches run in the
    loop, the smaller last one in a program of its own. (Filling it up with masked examples
    would falsify the batch statistics.)

    Args:
        step: A training or test step on a batch, such as ``model.train_step``.
        result: What to return after the last step, such as ``model.get_metrics_result``; None
            to return what the last step returned.
        jit_compile: Whether to compile with XLA.
        run_eagerly: Whether not to compile at all, for debugging.
    """

    def __init__(
        self,
        step: Callable[[Any], Any],
        result: Callable[[], Any] | None,
        jit_compile: bool,
        run_eagerly: bool = False,
    ) -> None:
        self.step = step
        self.result = result
        self.jit_compile = jit_compile
        self.traces = 0
        if run_eagerly:
            self._loop, self._last = self._run_loop, self._run_last
        else:
            self._loop, self._last = (self._compiled(f) for f in (self._run_loop, self._run_last))

    def __call__(self, data: Any, order: Any, batch_size: int, start: int, stop: int) -> Any:
        """Steps ``start`` to ``stop`` - 1; gives the logs after the last of them."""
        if not self.jit_compile and len(order) % batch_size:
            size, first, last = (tf.constant(v) for v in (batch_size, start, stop))
            return self._loop(data, order, size, first, last)
        full = len(order) // batch_size
        logs = None
        if start < full:
            first, last = tf.constant(start), tf.constant(min(stop, full))
            logs = self._loop(data, order, batch_size, first, last)
        if stop > full:
            logs = self._last(data, order[full * batch_size :])
        return logs

    def _compiled(self, function: Callable[..., Any]) -> Any:
        compiled = tf.function(function, jit_compile=self.jit_compile, autograph=False)
        # A program a model is meant; TensorFlow takes many of them for one that keeps retracing.
        compiled._omit_frequent_tracing_warning = True
        return compiled

    def _run_loop(self, data: Any, order: Any, batch_size: Any, start: Any, stop: Any) -> Any:
        self.traces += 1

        def run_step(index: Any) -> Any:
            begin = index * batch_size
            if isinstance(batch_size, int):
                rows = tf.slice(order, [begin], [batch_size])
            else:
                rows = order[begin : tf.minimum(begin + batch_size, tf.shape(order)[0])]
            return self._step_on(data, rows)

        def body(index: Any) -> Any:
            run_step(index)
            return (index + 1,)

        if self.result is not None:
            tf.while_loop(lambda i: i < stop, body, [start], parallel_iterations=1)
            return self.result()
        # The last step's logs are wanted, and their structure is known only after a first step.
        logs = run_step(start)
        _, logs = tf.while_loop(
            lambda i, _: i < stop,
            lambda i, _: (i + 1, run_step(i)),
            [start + 1, logs],
            parallel_iterations=1,
        )
        return logs

    def _run_last(self, data: Any, rows: Any) -> Any:
        self.traces += 1
        logs = self._step_on(data, rows)
        return logs if self.result is None else self.result()

    def _step_on(self, data: Any, rows: Any) -> Any:
        batch = tf.nest.map_structure(lambda t: None if t is None else tf.gather(t, rows), data)
        return self.step(batch)
