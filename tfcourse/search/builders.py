"""The model builder that a config names, and the arguments it takes."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tfcourse.errors import InputError, one_of
from tfcourse.imports import load_function
from tfcourse.models.build import BUILDERS

__all__ = ["Builder", "find_builder"]


@dataclass(frozen=True)
class Builder:
    """A function ``build(input_shape, classes, **arguments)`` that gives an uncompiled model.

    Attributes:
        name: As the config has it.
        function: The function.
        arguments: Its arguments after the first two, by name.
        takes_any: Whether it takes arguments of any name (``**kwargs``).
    """

    name: str
    function: Callable[..., Any]
    arguments: Mapping[str, inspect.Parameter]
    takes_any: bool


def find_builder(name: str) -> Builder:
    """The builder called ``name``: ours, or ``package.module:function``.

    Raises:
        InputError: There is none, it can't be imported, or does not take a shape and classes.
    """
    if ":" in name:
        function = load_function(name, "builder")
    elif name in BUILDERS:
        function = BUILDERS[name]
    else:
        raise InputError(one_of("builder", name, [*BUILDERS, "package.module:function"]))
    parameters = list(_signature(function).parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) < 2:
        shown = ", ".join(p.name for p in parameters)
        raise InputError(
            f'builder: "{name}" must take (input_shape, classes, ...). Received: ({shown}).'
        )
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    arguments = {p.name: p for p in parameters[2:] if p.kind not in variadic}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    return Builder(name, function, arguments, takes_any)


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """The signature with its annotations as types, where they can be had."""
    try:
        return inspect.signature(function, eval_str=True)
    except Exception:  # evaluating an annotation can raise anything
        pass
    try:
        return inspect.signature(function)
    except ValueError:  # a function written in C
        return inspect.Signature()
