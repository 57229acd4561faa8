"""Values that layers and functions hold, described: equal descriptions mean equal values."""

import dataclasses
import enum
import functools
import hashlib
import logging
import re
import types
import warnings
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfcourse.errors import message_line
from tfcourse.internals.layers import is_tracking_attribute
from tfcourse.internals.models import function_arguments
from tfcourse.training.reuse.configs import canonical
from tfcourse.training.reuse.functions import describe_class, describe_function, is_known

__all__ = ["NotComparableError", "Values", "config_of"]

PLAIN = (type(None), type(...), bool, int, float, complex, str, bytes)
# What can be called and holds nothing, or is told elsewhere.
STATELESS = (type, keras.layers.Layer, types.BuiltinFunctionType, np.ufunc)
# What Keras makes from a config; a class of one's own has no state beside its attributes.
PARTS = (
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
    keras.losses.Loss,
    keras.metrics.Metric,
    keras.DTypePolicy,
)


class NotComparableError(Exception):
    """Something holds what can't be compared with another's; the message says what."""


def config_of(thing: Any, where: str) -> Any:
    """What a ``get_config`` gives.

    Raises:
        NotComparableError: It fails, as that of a layer that holds a ``functools.partial``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that lambdas can't be loaded again
            return thing.get_config()
    except Exception as error:
        # Addresses would make the same reason another one for every model.
        said = re.sub(r" at 0x[0-9a-f]+", "", f"{where} has no config: {message_line(error)}")
        raise NotComparableError(said) from error


class Values:
    """Describes values, of which some are one model's layers and variables.

    Args:
        layers: The model's layers by ``id``: they are described by their numbers.
        variables: Likewise its variables.
    """

    def __init__(self, layers: Mapping[int, int], variables: Mapping[int, int]) -> None:
        self.layers, self.variables = layers, variables
        # By id, with the object, so that no other one gets the id of one that is gone.
        self.seen: dict[int, tuple[int, Any]] = {}

    def describe(self, value: Any, where: str) -> Any:
        """A hashable description.

        Args:
            value: Any value.
            where: Where it was found, for the message.

        Raises:
            NotComparableError: Nothing says when two such values are the same.
        """
        if isinstance(value, PLAIN):
            return (type(value).__name__, repr(value) if isinstance(value, float) else value)
        if id(value) in self.layers:
            return ("layer", self.layers[id(value)])
        if id(value) in self.variables:
            return ("variable", self.variables[id(value)])
        if id(value) in self.seen:
            return ("again", self.seen[id(value)][0])
        self.seen[id(value)] = len(self.seen), value
        for holds, description in _KINDS:
            if holds(value):
                return description(self, value, where)
        kind = type(value)
        raise NotComparableError(
            f"{where} is a {kind.__module__}.{kind.__qualname__}, whose state can't be compared"
        )

    def attributes(self, thing: Any, where: str, without: frozenset[str] = frozenset()) -> Any:
        """All attributes of an object, described."""
        return tuple(
            (name, self.describe(value, f'{where}, "{name}"'))
            for name, value in vars(thing).items()
            if name not in without and not is_tracking_attribute(name)
        )

    def beside_config(self, thing: Any, where: str, without: frozenset[str] = frozenset()) -> Any:
        """Those attributes that a config need not tell: functions, own classes, arrays."""
        return tuple(
            (name, self.describe(value, f'{where}, "{name}"'))
            for name, value in vars(thing).items()
            if name not in without
            and any(map(_is_own, value if isinstance(value, list | tuple) else [value]))
        )

    def among(self, parts: Sequence[Any], where: str) -> Any:
        """Those of several values that a config need not tell, as in `beside_config`."""
        return tuple(
            (number, self.describe(part, where))
            for number, part in enumerate(parts)
            if _is_own(part)
        )

    def _array(self, value: Any, where: str) -> Any:
        value = np.asarray(value)
        if value.dtype.hasobject:
            return self._sequence(value.ravel().tolist(), where), value.shape
        content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return ("array", value.dtype.str, value.shape, content)

    def _tensor(self, value: Any, where: str) -> Any:
        return ("tensor", self._array(value.numpy(), where))

    def _mapping(self, value: Any, where: str) -> Any:
        keys = tuple(self.describe(key, where) for key in value)
        parts = (self.describe(part, f"{where}[{key!r}]") for key, part in value.items())
        return ("mapping", keys, tuple(parts))

    def _sequence(self, value: Any, where: str) -> Any:
        parts = (self.describe(part, f"{where}[{i}]") for i, part in enumerate(value))
        return ("sequence", tuple(parts))

    def _set(self, value: Any, where: str) -> Any:
        return ("set", frozenset(self.describe(member, where) for member in value))

    def _function(self, value: Any, where: str) -> Any:
        return describe_function(value, self.describe, where)

    def _method(self, value: Any, where: str) -> Any:
        parts = (value.__func__, value.__self__)
        return ("method", self._sequence(parts, where))

    def _partial(self, value: Any, where: str) -> Any:
        parts = (value.func, value.args, value.keywords)
        return ("partial", self._sequence(parts, where))

    def _class(self, value: Any, where: str) -> Any:
        return describe_class(value, self.describe)

    def _seeds(self, value: Any, where: str) -> Any:
        return ("seeds", self.describe(value.state, where))

    def _part(self, value: Any, where: str) -> Any:
        if is_known(type(value)):
            own = self.beside_config(value, where)
            # Of which some of Keras's configs tell nothing, such as those of Huber and its delta.
            arguments = self.describe(function_arguments(value), where)
            dtype = str(getattr(value, "dtype", ""))
            return (type(value), canonical(config_of(value, where)), own, arguments, dtype)
        return self._object(value, where)

    def _object(self, value: Any, where: str) -> Any:
        return (self.describe(type(value), where), self.attributes(value, where))

    def _text(self, value: Any, where: str) -> Any:
        return (type(value).__name__, str(value))

    def _module(self, value: Any, where: str) -> Any:
        if not is_known(value):
            raise NotComparableError(
                f"{where} is the module {value.__name__}, whose values can't be compared"
            )
        return ("module", value.__name__)

    def _name(self, value: Any, where: str) -> Any:
        return (type(value).__name__, getattr(value, "__name__", getattr(value, "name", "")))


def _is_own(value: Any) -> bool:
    if isinstance(value, types.FunctionType):
        return not is_known(value)
    if isinstance(value, PARTS):
        return not is_known(type(value))
    if callable(value):
        return not isinstance(value, STATELESS)
    return isinstance(value, np.ndarray) or _is_tensor(value)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, tf.Tensor) and not tf.is_symbolic_tensor(value)


def _is_collection(*kinds: type) -> Callable[[Any], bool]:
    """Whether it is one of these collections, a tracking one of Keras's, or a named tuple."""

    def holds(value: Any) -> bool:
        known = type(value) in kinds or is_known(type(value)) or hasattr(value, "_fields")
        return isinstance(value, kinds) and known

    return holds


def _is_one_of(*kinds: Any) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kinds)


def _is_plain_object(value: Any) -> bool:
    return dataclasses.is_dataclass(value) or type(value) is types.SimpleNamespace


# The first that holds counts.
_KINDS: Sequence[tuple[Callable[[Any], bool], Callable[[Values, Any, str], Any]]] = (
    (_is_one_of(type), Values._class),
    (_is_one_of(np.ndarray, np.generic), Values._array),
    (_is_tensor, Values._tensor),
    (_is_one_of(tf.DType, np.dtype, tf.TensorShape, range, slice), Values._text),
    (_is_one_of(types.ModuleType), Values._module),
    (_is_one_of(enum.Enum, types.BuiltinFunctionType), Values._name),
    (_is_one_of(np.ufunc, logging.Logger), Values._name),
    (_is_one_of(keras.random.SeedGenerator), Values._seeds),
    (_is_one_of(*PARTS), Values._part),
    (_is_collection(dict, OrderedDict, types.MappingProxyType), Values._mapping),
    (_is_collection(list, tuple, deque), Values._sequence),
    (_is_collection(set, frozenset), Values._set),
    (_is_one_of(types.FunctionType), Values._function),
    (_is_one_of(types.MethodType), Values._method),
    (_is_one_of(functools.partial), Values._partial),
    (_is_plain_object, Values._object),
)
