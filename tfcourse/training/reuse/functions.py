"""What a Python function does beside its arguments: its code, its defaults, what it refers to."""

import dis
import functools
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["describe_class", "describe_function", "is_known"]

Describe = Callable[[Any, str], Any]


# Whose classes do what their name and config say.
LIBRARIES = {"keras", "tensorflow", "tfcourse", "numpy", *sys.stdlib_module_names} - {"__main__"}


def is_known(thing: Any) -> bool:
    """Whether it is this library's, Keras's, TensorFlow's, NumPy's or Python's.

    Args:
        thing: A class, a function or a module.
    """
    if isinstance(thing, types.ModuleType):
        return _is_library(thing.__name__)
    if isinstance(thing, types.FunctionType):
        # ``functools.wraps`` copies names. A function inside another one may have a closure.
        where = thing.__globals__.get("__name__", "")
        if not _is_library(where) or "<locals>" in thing.__qualname__:
            return False
    return _is_library(getattr(thing, "__module__", None) or "")


def _is_library(module: str) -> bool:
    return module.split(".")[0] in LIBRARIES


def describe_function(function: types.FunctionType, describe: Describe, where: str) -> Any:
    """The function's code, with all values it has besides its arguments.

    Two functions of the same description do the same: of those that a builder defines anew at
    each call, such as a lambda, the code is the same and the values in their closures may differ.

    Args:
        function: A function written in Python.
        describe: Describes a value; called with it and where it was found.
        where: What the function is, for messages.
    """
    if is_known(function):
        return ("function", function.__module__, function.__qualname__)
    name = f"{where} ({function.__qualname__})"
    defaults = describe((function.__defaults__, function.__kwdefaults__), f"a default of {name}")
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    closure = tuple(
        (variable, describe(_content(cell), f'"{variable}" in {name}')) for variable, cell in cells
    )
    used = tuple(
        (variable, describe(function.__globals__[variable], f'the global "{variable}" of {name}'))
        for variable in global_names(function.__code__)
        if variable in function.__globals__
    )
    return ("function", function.__code__, defaults, closure, used)


def describe_class(cls: type, describe: Describe) -> Any:
    """A class: its bases, with their attributes and with what their methods refer to.

    One that a builder defines anew at each call is described as the one before.
    """
    if is_known(cls):
        return cls
    bases = tuple(b if is_known(b) else _body(b, describe) for b in cls.__mro__)
    return (describe(type(cls), f"the class of {cls.__name__}"), bases)


def _body(cls: type, describe: Describe) -> Any:
    """What stands in a class."""
    found = []
    for name, value in vars(cls).items():
        functions = list(_functions_of(value))
        if functions or not _is_machinery(name, value):
            parts = functions or [value]
            described = tuple(describe(p, f"{cls.__name__}.{name}") for p in parts)
            found.append((name, type(value).__qualname__, described))
    return (cls.__module__, cls.__qualname__, tuple(found))


@functools.lru_cache(maxsize=1024)
def global_names(code: types.CodeType) -> tuple[str, ...]:
    """The global names that code reads, also that of the functions inside it."""
    names = {
        instruction.argval
        for instruction in dis.get_instructions(code)
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names.update(global_names(constant))
    return tuple(sorted(names))


def _functions_of(value: Any) -> Iterator[types.FunctionType]:
    """The functions of what stands in a class: a method, a property, a static or class method."""
    if isinstance(value, property):
        parts = [value.fget, value.fset]
    else:
        parts = [getattr(value, "__func__", value)]
    for part in parts:
        unwrapped = getattr(part, "__wrapped__", part)
        for function in {id(part): part, id(unwrapped): unwrapped}.values():
            if isinstance(function, types.FunctionType):
                yield function


def _is_machinery(name: str, value: Any) -> bool:
    """Whether an attribute of a class is Python's own."""
    special = name.startswith("__") and name.endswith("__")
    return name == "_abc_impl" or (special and not callable(value))


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing was assigned to the variable
        return None
