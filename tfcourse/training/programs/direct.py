"""Calls of a traced function without the look at their arguments that ``tf.function`` takes."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import tensorflow as tf

from tfcourse.internals.tensorflow import call_flat

__all__ = ["DirectCalls"]


class DirectCalls:
    """Calls functions again and again with data that stay, and some tensors that don't.

    At every call ``tf.function`` compares the structure, shapes and types of all arguments with
    those that it was traced for: 0.5 ms with what the call itself takes, and 0.13 ms without. Here
    the first call is such a one; from the second of the same kind on its trace is called.
    """

    def __init__(self) -> None:
        self._called: set[Hashable] = set()
        self._ready: dict[Hashable, Callable[[Sequence[Any]], Any]] = {}

    def __call__(
        self, function: Any, kind: Hashable, changing: Sequence[Any], *arguments: Any
    ) -> Any:
        """``function(*arguments)``.

        Args:
            function: A ``tf.function``, or any function, which is just called.
            kind: What the arguments' structure, shapes and types, and all that don't change,
                depend on.
            changing: Those of the arguments that are other tensors at the next call of the kind.
            *arguments: All of them.
        """
        key = function, kind
        if key not in self._called:
            self._called.add(key)
            return function(*arguments)
        if not hasattr(function, "get_concrete_function") or tf.config.functions_run_eagerly():
            return function(*arguments)
        if key not in self._ready:
            trace = function.get_concrete_function(*arguments)
            self._ready[key] = _direct(trace, changing, arguments)
        return self._ready[key](changing)


def _direct(
    trace: Any, changing: Sequence[Any], arguments: Sequence[Any]
) -> Callable[[Sequence[Any]], Any]:
    """Calls a trace with other tensors in the place of the changing ones."""
    inputs = trace.function_type.unpack_inputs(trace.function_type.bind(*arguments))
    places = [next(i for i, t in enumerate(inputs) if t is tensor) for tensor in changing]

    def call(tensors: Sequence[Any]) -> Any:
        for place, tensor in zip(places, tensors, strict=True):
            inputs[place] = tensor
        return call_flat(trace, inputs)

    return call
