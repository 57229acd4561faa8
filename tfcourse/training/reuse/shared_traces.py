"""The traces of a model's programs, for all new models of its structure in this process."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfcourse.internals.traces import DetachedTrace, call_flat, detach
from tfcourse.training.programs.program_cache import program_cache
from tfcourse.training.programs.state import state_variables
from tfcourse.training.reuse.purity import impurity
from tfcourse.training.reuse.shareable import NotShareableError
from tfcourse.training.reuse.structure import structure
from tfcourse.training.reuse.variables import initial_variables
from tfcourse.types import ConcreteFunction, KerasModel, Nested, Tensor, Variable

__all__ = ["SharedFunction", "forget_traces", "share_traces"]

# With more, the least recently used traces are dropped. A small model's takes about a megabyte.
MAX_TRACES = 32
# A trace with larger constants is not kept.
MAX_CONSTANT_BYTES = 2**20


@dataclass(frozen=True)
class _Shared:
    """A trace, with the number of the variable, or the constant, for each of its captures."""

    trace: DetachedTrace
    captures: Sequence[int | Tensor]

    def of(self, variables: Sequence[tf.Variable]) -> DetachedTrace:
        """Return the trace on other variables."""
        return self.trace.with_captures(
            [variables[c].handle if isinstance(c, int) else c for c in self.captures]
        )


_shared: OrderedDict[Hashable, _Shared] = OrderedDict()


def forget_traces() -> None:
    """Drop all shared traces."""
    _shared.clear()


def share_traces(model: KerasModel) -> None:
    """Have the programs of a built model use the traces of another one of its structure.

    It is for programs that are made from now on. A trace is used where the models' `structure` is
    the same, and where it depends on nothing but its arguments and the model's variables: those
    of the new model then take the place of the first one's. So does what XLA compiled.
    """
    program_cache(model).share = lambda function, key, accepted: SharedFunction(
        model, function, key, accepted
    )


class SharedFunction:
    """A ``tf.function`` of a model that first looks for the trace of another model.

    Args:
        model: The model, whose structure is looked at when there would be a new trace.
        function: The function.
        key: Describes what its trace depends on beside the model and the arguments.
        accepted: Returns whether other models may use its traces.
    """

    def __init__(
        self,
        model: KerasModel,
        function: Callable[..., Any],
        key: Hashable,
        accepted: Callable[[], bool],
    ) -> None:
        self.model, self.function, self.key, self.accepted = model, function, key, accepted
        # By the signature of the arguments.
        self._own: dict[str, Hashable] = {}
        self._found: dict[str, DetachedTrace] = {}

    def __call__(self, *arguments: Nested) -> Any:
        """Return ``function(*arguments)``."""
        signature = _signature(arguments)
        trace = self._find(signature)
        if trace is not None:
            kind = trace.function_type
            return call_flat(trace, kind.unpack_inputs(kind.bind(*arguments)))
        result = self.function(*arguments)
        key = None if signature is None else self._own.get(signature)
        if signature is not None and key is not None:
            self._own[signature] = None
            self._offer(key, arguments)
        return result

    def get_concrete_function(self, *arguments: Nested) -> ConcreteFunction | DetachedTrace:
        """Return the trace for some arguments."""
        trace = self._find(_signature(arguments))
        if trace is not None:
            return trace
        function: Any = self.function
        own: ConcreteFunction = function.get_concrete_function(*arguments)
        return own

    def _find(self, signature: str | None) -> DetachedTrace | None:
        if signature is None or signature in self._own:
            return None
        if signature not in self._found:
            key = self._key(signature)
            shared = None if key is None else _shared.pop(key, None)
            if shared is None:
                self._own[signature] = key
                return None
            _shared[key] = shared  # as the one used last
            program_cache(self.model).trainable.freeze(self.model)
            self._found[signature] = shared.of(_variables(self.model))
        return self._found[signature]

    def _offer(self, key: Hashable, arguments: Sequence[Nested]) -> None:
        """Keep a trace of the model's own for other models, if they can use it."""
        function: Any = self.function
        trace = function.get_concrete_function(*arguments)
        variables = _variables(self.model)
        numbers = {id(variable.handle): number for number, variable in enumerate(variables)}
        if not self.accepted() or impurity(trace, numbers) is not None:
            return
        captures = [numbers.get(id(tensor), tensor) for tensor in trace.captured_inputs]
        constants = [tensor for tensor in captures if not isinstance(tensor, int)]
        exact = all(spec.shape.is_fully_defined() for spec in trace.function_type.flat_inputs)
        if exact and sum(_bytes(tensor) for tensor in constants) <= MAX_CONSTANT_BYTES:
            _shared[key] = _Shared(detach(trace), captures)
            if len(_shared) > MAX_TRACES:
                _shared.popitem(last=False)

    def _key(self, signature: str) -> Hashable:
        """Return what a trace depends on; None if it may depend on more."""
        if program_cache(self.model).trainable.differs(self.model):
            return None  # the trace would have the flags of an earlier one
        try:
            of_model = structure(self.model)
        except NotShareableError:
            return None
        variables = _variables(self.model)
        kinds = [(str(v.shape), v.dtype.name, v.handle.device) for v in variables]
        return of_model, tuple(kinds), tf.zeros(()).device, self.key, signature


def _variables(model: KerasModel) -> list[tf.Variable]:
    """Return all variables that a model's programs may use, in a fixed order."""
    variables: list[Variable] = [*initial_variables(model), *state_variables(model)]
    raw = [v if isinstance(v, tf.Variable) else v.value for v in variables]
    return list({id(variable): variable for variable in raw}.values())


def _signature(arguments: Sequence[Nested]) -> str | None:
    """Return the structure, shapes, types and plain values of arguments; None for other ones."""

    def describe(leaf: object) -> object:
        if isinstance(leaf, tf.Tensor):
            return tuple(leaf.shape), leaf.dtype.name
        if leaf is None or isinstance(leaf, bool | int):
            return leaf
        raise TypeError

    try:
        return repr(tf.nest.map_structure(describe, arguments))
    except TypeError:
        return None


def _bytes(tensor: Tensor) -> int:
    return int(tensor.shape.num_elements() or 0) * int(tensor.dtype.size)
