"""Calls of a traced function without the check of all arguments that ``tf.function`` makes."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import tensorflow as tf

from tfcourse.internals.traces import DetachedTrace, call_flat
from tfcourse.types import ConcreteFunction, Nested, Tensor

__all__ = ["DirectCalls"]


class DirectCalls:
    """Many calls of functions with the same data and some tensors that change.

    At every call ``tf.function`` compares the structure, shapes and types of all arguments with
    those that it was traced for: a call takes 0.5 ms with that, and 0.13 ms without. Here only the
    first call of a kind compares them; the others call its trace.
    """

    def __init__(self) -> None:
        self._first_calls: set[Hashable] = set()
        self._direct_calls: dict[Hashable, Callable[[Sequence[Tensor]], Any]] = {}

    def __call__(
        self,
        function: Callable[..., Any],
        kind: Hashable,
        changing: Sequence[Tensor],
        *arguments: Nested,
    ) -> Any:
        """Return ``function(*arguments)``.

        Args:
            function: A ``tf.function``, or any function, which is just called.
            kind: A key: calls of the same kind differ in the changing arguments alone, and these
                in their values alone.
            changing: Those of the arguments that are other tensors at the next call of the kind.
            *arguments: All arguments.
        """
        key = function, kind
        if key not in self._first_calls:
            self._first_calls.add(key)
            return function(*arguments)
        if not hasattr(function, "get_concrete_function") or tf.config.functions_run_eagerly():
            return function(*arguments)
        if key not in self._direct_calls:
            trace = function.get_concrete_function(*arguments)
            self._direct_calls[key] = _direct(trace, changing, arguments)
        return self._direct_calls[key](changing)


def _direct(
    trace: ConcreteFunction | DetachedTrace, changing: Sequence[Tensor], arguments: Sequence[Nested]
) -> Callable[[Sequence[Tensor]], Any]:
    """Return a function that calls a trace with other tensors for the changing ones."""
    inputs = trace.function_type.unpack_inputs(trace.function_type.bind(*arguments))
    places = [next(i for i, t in enumerate(inputs) if t is tensor) for tensor in changing]

    def call(tensors: Sequence[Tensor]) -> Any:
        for place, tensor in zip(places, tensors, strict=True):
            inputs[place] = tensor
        return call_flat(trace, inputs)

    return call
