"""The traces of a ``tf.function``, apart from the variables that they were traced with."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from tfcourse.internals.versions import uses
from tfcourse.types import ConcreteFunction, Tensor

__all__ = ["DetachedTrace", "call_flat", "detach"]

RuntimeFunction: TypeAlias = Any  # TensorFlow's AtomicFunction, which is not public


@uses("tensorflow.types.experimental.ConcreteFunction._call_flat")
def call_flat(trace: "ConcreteFunction | DetachedTrace", inputs: Sequence[Tensor]) -> Any:
    """Call a trace with its tensors in a flat list.

    It is what ``tf.function`` calls once it has chosen the trace. A public call of the trace
    compares the structure of its arguments first.
    """
    if isinstance(trace, DetachedTrace):
        return trace.function.call_preflattened([*inputs, *trace.captures])
    return trace._call_flat(inputs, trace.captured_inputs)


class DetachedTrace:
    """A trace that can be called with other variables than those it was traced with.

    It keeps the compiled function, and neither the graph nor the variables.

    Args:
        function: TensorFlow's function at runtime.
        captures: The resources of the variables, and further tensors, that it is called with.

    Attributes:
        function_type: As that of a trace.
    """

    def __init__(self, function: RuntimeFunction, captures: Sequence[Tensor]) -> None:
        self.function, self.captures = function, list(captures)
        self.function_type = function.function_type

    def with_captures(self, captures: Sequence[Tensor]) -> "DetachedTrace":
        """Return the trace with other tensors in the places of its captured ones."""
        return DetachedTrace(self.function, captures)


@uses(
    "tensorflow.types.experimental.ConcreteFunction._inference_function",
    "tensorflow.python.eager.polymorphic_function.atomic_function.AtomicFunction",
)
def detach(trace: ConcreteFunction) -> DetachedTrace:
    """Return a trace without its captured tensors. No public object outlives the variables."""
    return DetachedTrace(_without_graph(trace._inference_function), [])


def _without_graph(function: RuntimeFunction) -> RuntimeFunction:
    """Return a second reference to a function at runtime, and to all that it calls."""
    from tensorflow.python.eager.polymorphic_function import atomic_function

    return atomic_function.AtomicFunction(
        function.name,
        function._bound_context,
        function.function_type,
        [_without_graph(child) for child in function.children],
        function.call_options,
    )
