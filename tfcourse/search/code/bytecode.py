"""The names that compiled functions read and store, and the text of a function without source."""

import dis
import functools
from collections.abc import Iterator
from inspect import unwrap
from types import CodeType, FunctionType
from typing import NamedTuple

__all__ = ["Uses", "as_function", "bytecode_text", "changed_by_methods", "uses"]

_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR", "IMPORT_FROM")


class Uses(NamedTuple):
    """The names that code reads and stores.

    Attributes:
        names: The globals that it reads.
        attributes: The attributes that it reads, of any object.
        stored: The attributes and variables of closures that it assigns to; none for ``__init__``.
        stored_globals: The globals that it assigns to.
    """

    names: set[str]
    attributes: set[str]
    stored: set[str]
    stored_globals: set[str]


@functools.cache
def uses(code: CodeType) -> Uses:
    """Return the names that a function reads and stores, and the functions and classes in it."""
    names = Uses(set(), set(), set(), set())
    for each in _nested(code):
        for instruction in dis.get_instructions(each):
            if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                names.names.add(instruction.argval)
            elif instruction.opname.startswith(_ATTRIBUTES):
                names.attributes.add(instruction.argval)
            elif instruction.opname == "STORE_GLOBAL":
                names.stored_globals.add(instruction.argval)
            elif instruction.opname in ("STORE_DEREF", "STORE_ATTR") and code.co_name != "__init__":
                names.stored.add(instruction.argval)
    return names


def as_function(value: object) -> FunctionType | None:
    """Return the function of a method, a property or a static or class method."""
    for name in ("__func__", "fget", "python_function"):
        value = getattr(value, name, value)
    return value if isinstance(value, FunctionType) else None


def changed_by_methods(cls: type) -> set[str]:
    """Return the attributes that methods of a class and its bases set, except ``__init__``."""
    values = [value for base in cls.__mro__ for value in vars(base).values()]
    methods = [unwrap(method) for value in values if (method := as_function(value)) is not None]
    return set().union(*(uses(m.__code__).stored for m in methods if isinstance(m, FunctionType)))


def bytecode_text(code: CodeType) -> str:
    """Return the code and its constants as text, without lines and addresses.

    Other versions of Python compile the same source to other code.
    """
    parts = [code.co_code.hex(), code.co_names, code.co_varnames, code.co_freevars]
    return f"{parts} {[_constant(each) for each in code.co_consts]}"


def _constant(value: object) -> str:
    if isinstance(value, CodeType):
        return bytecode_text(value)
    if isinstance(value, frozenset):  # its order differs between processes
        return f"frozenset({sorted(map(repr, value))})"
    return repr(value)


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)
