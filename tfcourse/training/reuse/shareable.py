"""Descriptions of what a model is made of, if that is all from Keras, TensorFlow and tfcourse."""

import hashlib
import re
import types
import warnings
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf

from tfcourse.errors import message_line
from tfcourse.internals.models import function_arguments
from tfcourse.training.reuse.configs import canonical
from tfcourse.types import Array, KerasConfig

__all__ = [
    "NotShareableError",
    "beside_config",
    "config_of",
    "describe",
    "full_name",
    "is_from_library",
]

# The packages whose classes do what their name and config say.
LIBRARIES = {"keras", "tensorflow", "tfcourse", "numpy"}
NUMBERS_AND_TEXTS = (type(None), bool, int, float, complex, str, bytes)
# What Keras makes from a config.
PARTS = (
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
    keras.losses.Loss,
    keras.metrics.Metric,
    keras.optimizers.schedules.LearningRateSchedule,
    keras.DTypePolicy,
)
# What can be called and has no state, or is described elsewhere.
STATELESS = (type, keras.layers.Layer, types.BuiltinFunctionType, np.ufunc)


class NotShareableError(Exception):
    """A model can't share a program with another; the message says why."""


def is_from_library(thing: Callable[..., object]) -> bool:
    """Return whether a class or function is defined by Keras, TensorFlow, NumPy or tfcourse."""
    modules = [getattr(thing, "__module__", None) or ""]
    if isinstance(thing, types.FunctionType):
        # ``functools.wraps`` copies names. A function inside another one may have a closure.
        modules.append(thing.__globals__.get("__name__", ""))
        if "<locals>" in thing.__qualname__:
            return False
    return all(module.split(".")[0] in LIBRARIES for module in modules)


class HasConfig(Protocol):
    """A layer, optimizer, loss or another part of a model."""

    def get_config(self) -> KerasConfig:
        """Return the arguments that the part was created with."""


def config_of(part: HasConfig, where: str) -> KerasConfig:
    """Return the result of a ``get_config``.

    Args:
        part: A part of a model.
        where: What it is, for the message.

    Raises:
        NotShareableError: It raises, as that of a layer that has a ``functools.partial``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that lambdas can't be loaded again
            return part.get_config()
    except Exception as error:
        # The same reason has another address in every model.
        reason = re.sub(r" at 0x[0-9a-f]+", "", message_line(error))
        raise NotShareableError(f"{where} has no config: {reason}") from error


def describe(value: object, where: str) -> Hashable:
    """Return a hashable description; equal descriptions mean equal values.

    Args:
        value: A number, text, array, tensor, a class or function of a library, what Keras makes
            from a config, or lists, tuples and dicts of them.
        where: Where it was found, for the message.

    Raises:
        NotShareableError: It is or contains anything else.
    """
    if isinstance(value, NUMBERS_AND_TEXTS):
        return (type(value).__name__, repr(value))
    if isinstance(value, dict):
        return tuple((str(key), describe(part, f"{where}[{key!r}]")) for key, part in value.items())
    if isinstance(value, list | tuple):
        return tuple(describe(part, f"{where}[{index}]") for index, part in enumerate(value))
    if isinstance(value, np.ndarray | np.generic) or _is_eager_tensor(value):
        return _array(np.asarray(value), where)
    if isinstance(value, types.FunctionType | type) and is_from_library(value):
        return (value.__module__, value.__qualname__)
    if isinstance(value, PARTS) and is_from_library(type(value)):
        # Some of Keras's configs leave arguments out, such as that of Huber its delta.
        arguments = describe(function_arguments(value), where)
        dtype = str(getattr(value, "dtype", ""))
        config = canonical(config_of(value, where))
        return (type(value), config, beside_config(vars(value), where), arguments, dtype)
    if isinstance(value, types.FunctionType | type):
        raise NotShareableError(f"{where} is {full_name(value)}, which is your own")
    raise NotShareableError(f"{where} is an object of the class {full_name(type(value))}")


def full_name(thing: type | types.FunctionType) -> str:
    """Return a class's or function's name with that of its module."""
    return f"{thing.__module__}.{thing.__qualname__}"


def beside_config(values: Mapping[str, object], where: str) -> Hashable:
    """Describe what a config need not contain: arrays, and functions and objects of the user's.

    Args:
        values: The attributes of an object of a library's class, or other values by their names.
            Lists, tuples and dicts are looked into, the lists in them are not.
        where: What they belong to, for the message.

    Raises:
        NotShareableError: One is a function or an object of the user's.
    """
    return tuple(
        (name, index, describe(part, f'{where}, "{name}"'))
        for name, value in values.items()
        for index, part in enumerate(_parts(value))
        if _is_beside_config(part)
    )


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else [value]


def _is_beside_config(value: object) -> bool:
    if isinstance(value, NUMBERS_AND_TEXTS):
        return False
    if isinstance(value, types.FunctionType):
        return not is_from_library(value)
    if isinstance(value, PARTS):
        return not is_from_library(type(value))
    if callable(value):
        return not isinstance(value, STATELESS)
    return isinstance(value, np.ndarray) or _is_eager_tensor(value)


def _is_eager_tensor(value: object) -> bool:
    return isinstance(value, tf.Tensor) and not tf.is_symbolic_tensor(value)


def _array(value: Array, where: str) -> Hashable:
    if value.dtype.hasobject:
        return describe(value.ravel().tolist(), where), value.shape
    content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
    return (value.dtype.str, value.shape, content)
