"""The compiled programs of a population: steps of all members, over the batches of an epoch."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tfcourse.errors import InputError, message_line
from tfcourse.internals.tensorflow import allow_retracing
from tfcourse.training.population.step import MemberStep, State
from tfcourse.training.programs.fallback import XlaFallback
from tfcourse.training.programs.step import layer_names
from tfcourse.training.programs.tree import first_leaf, gather_rows
from tfcourse.types import Nested, Tensor, TensorFunction

__all__ = ["MemberSteps", "PopulationProgram"]


class MemberSteps(NamedTuple):
    """The result of some steps of all members; every tensor has the members' axis first.

    Attributes:
        state: The state after them.
        finite_steps: The number of steps before the first whose loss is not finite.
        finite_weights: Whether all weights are finite after the last step.
        logs: The loss and the metrics so far.
    """

    state: State
    finite_steps: Tensor
    finite_weights: Tensor
    logs: dict[str, Tensor]


class PopulationProgram(XlaFallback):
    """Steps of all members in one call: `tf.vectorized_map` of a `MemberStep`, in a loop.

    Each member has its own order of the examples. Examples that fill no batch are a smaller step
    after the others (padding them would change the batch statistics). Each of the two programs is
    traced once for all epochs and all members that take part.

    Args:
        step: The step of one member.
        batch_size: The examples of a training step.
        test_batch_size: The examples of a test step.
        jit_compile: Whether to compile with XLA.
        in_range: The names of ``Embedding`` layers whose ids are known to be in range.

    Its attributes are those of `XlaFallback`.
    """

    def __init__(
        self,
        step: MemberStep,
        batch_size: int,
        test_batch_size: int,
        jit_compile: bool,
        in_range: Sequence[str] = (),
    ) -> None:
        super().__init__(layer_names(step.model), step.safe, in_range)
        self.step = step
        self.batch_size, self.test_batch_size = batch_size, test_batch_size
        self.traces = 0
        self._compile(jit_compile)

    def _compile(self, jit_compile: bool) -> None:
        self.jit_compile = jit_compile
        self._train = _compiled(self._train_steps, jit_compile)
        self._test = _compiled(self._test_steps, jit_compile)

    def train(
        self, state: State, orders: Tensor, data: Nested, start: int, stop: int
    ) -> MemberSteps:
        """Take the training steps ``start`` to ``stop`` - 1 of an epoch.

        Args:
            state: The members' state.
            orders: The members' orders of the examples, shape (members, examples).
            data: ``(x, y, sample_weight)`` as `keras.utils.pack_x_y_sample_weight` packs it.
            start: The first step.
            stop: The step after the last.

        Raises:
            InputError: A part of the model can't be vectorized.
        """
        first, last = tf.constant(start), tf.constant(stop)
        return MemberSteps(
            *self._or_without_xla(lambda: self._train(state, orders, data, first, last))
        )

    def test(
        self, model: list[Tensor], metrics: list[Tensor], data: Nested, start: int, stop: int
    ) -> Nested:
        """Take the test steps ``start`` to ``stop`` - 1, with the same batches for all members.

        Args:
            model: The members' `State.model`.
            metrics: Their `State.metrics`.
            data: As for `train`.
            start: The first step.
            stop: The step after the last.

        Returns:
            The new metrics, and the loss and the metrics by their names.
        """
        first, last = tf.constant(start), tf.constant(stop)
        return self._or_without_xla(lambda: self._test(model, metrics, data, first, last))

    def _with_checks(self, step: Callable[..., Nested]) -> Callable[[Nested], Nested]:
        """Return a member's step, whose trace ends where XLA must not compile it."""

        def run(of: Nested) -> Nested:
            graph = tf.compat.v1.get_default_graph()
            before = {operation.name for operation in graph.get_operations()}
            outputs = step(*of)
            self._check_trace(before)
            return outputs

        return run

    def _train_steps(
        self, state: State, orders: Tensor, data: Nested, start: Tensor, stop: Tensor
    ) -> Nested:
        self.traces += 1
        members, examples = orders.shape

        def run(carry: tuple[State, Tensor], begin: Tensor, count: int) -> tuple[State, Tensor]:
            rows = tf.slice(orders, [0, begin], [members, count])
            state = self._vectorized(
                self._with_checks(lambda of, own: self.step.train(of, gather_rows(data, own))),
                (carry[0], rows),
            )
            return state, carry[1] + tf.cast(self.step.finite_losses(state.metrics), tf.int32)

        carry = state, tf.zeros([members], tf.int32)
        state, finite_steps = _batches(run, carry, examples, self.batch_size, start, stop)
        finite_weights = self.step.finite_weights(state.model)
        _refuse_shared_state()
        return state, finite_steps, finite_weights, self._logs(state.metrics)

    def _test_steps(
        self, model: list[Tensor], metrics: list[Tensor], data: Nested, start: Tensor, stop: Tensor
    ) -> Nested:
        self.traces += 1

        def run(metrics: list[Tensor], begin: Tensor, count: int) -> list[Tensor]:
            batch = gather_rows(data, begin + tf.range(count))
            state: list[Tensor] = self._vectorized(
                self._with_checks(lambda state, own: self.step.test(state, own, batch)),
                (model, metrics),
            )
            return state

        examples = first_leaf(data).shape[0]
        metrics = _batches(run, metrics, examples, self.test_batch_size, start, stop)
        _refuse_shared_state()
        return metrics, self._logs(metrics)

    def _logs(self, metrics: list[Tensor]) -> dict[str, Tensor]:
        logs: dict[str, Tensor] = self._vectorized(self.step.logs, metrics)
        return logs

    def _vectorized(self, function: Callable[[Nested], Nested], elements: Nested) -> Nested:
        try:
            return tf.vectorized_map(function, elements, warn=False)
        except (TypeError, ValueError, NotImplementedError, tf.errors.OpError) as error:
            raise InputError(
                "The model, its loss or its metrics can't be vectorized: "
                f"{message_line(error)} Train it with tfcourse.fit."
            ) from error


def _refuse_shared_state() -> None:
    """Check that the program that is being traced uses the members' state alone.

    Raises:
        InputError: It uses a variable, which all members would share.
    """
    graph = tf.compat.v1.get_default_graph()
    variables = [outer for outer, _ in graph.captures if outer.dtype == tf.resource]
    if variables:
        raise InputError(
            f"The model, its loss or its metrics use {len(variables)} variable(s) that all "
            "members would share: tf.Variables, or keras.Variables that no layer and no metric "
            "has. Create them with add_weight or add_variable. Train it with tfcourse.fit to keep "
            "them."
        )


def _compiled(function: Callable[..., Any], jit_compile: bool) -> TensorFunction:
    """Return a ``tf.function`` that is traced for each number of slots and examples.

    Their shapes stay static: a loop over an unknown number of members is many times slower.
    """
    program = tf.function(function, jit_compile=jit_compile, autograph=False)
    allow_retracing(program)  # each of those traces is intended
    return program


def _batches(
    run: Callable[[Nested, Tensor, int], Nested],
    carry: Nested,
    examples: int,
    size: int,
    start: Tensor,
    stop: Tensor,
) -> Nested:
    """Return ``carry`` after the batches ``start`` to ``stop`` - 1.

    Args:
        run: A step: a function of ``carry``, the first example and their number to the next one.
        carry: The values that each step receives from the one before.
        examples: The number of examples.
        size: The examples of a batch; the remaining ones are one more batch.
        start: The first batch.
        stop: The batch after the last.
    """
    full, rest = divmod(examples, size)
    if full:
        _, carry = tf.while_loop(
            lambda index, _: index < tf.minimum(stop, full),
            lambda index, carry: (index + 1, run(carry, index * size, size)),
            (start, carry),
            parallel_iterations=1,
        )
    if rest:
        carry = tf.cond(stop > full, lambda: run(carry, full * size, rest), lambda: carry)
    return carry
