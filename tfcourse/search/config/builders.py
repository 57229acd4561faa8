"""The model builder that a config names, and the arguments it takes."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tfcourse.errors import InputError, one_of
from tfcourse.imports import load_function
from tfcourse.models.build import BUILDERS
from tfcourse.quiet import quiet_start
from tfcourse.search.code.model_config import without_addresses

__all__ = [
    "Argument",
    "Builder",
    "find_builder",
    "imported_when_called",
    "object_name",
    "whole_space",
]


@dataclass(frozen=True)
class Argument:
    """An argument of a builder: its type and its default, ``inspect.Parameter.empty`` if none."""

    annotation: Any
    default: Any


@dataclass(frozen=True)
class Builder:
    """A function ``build(input_shape, classes, **arguments)`` that gives a Keras model.

    Attributes:
        name: As the config has it.
        function: The function.
        arguments: Its arguments after the first two, by name.
        takes_any: Whether it takes arguments of any name (``**kwargs``).
        compiles: Whether its models come compiled.
        space: The tables of ``[space]`` that it brings with it, by name.
        source_object: The object that the name or the argument refers to, whose code is
            recorded; None for a builder that is only on record.
    """

    name: str
    function: Callable[..., Any]
    arguments: Mapping[str, Argument]
    takes_any: bool
    compiles: bool = False
    space: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    source_object: Any = field(default=None, compare=False, repr=False)


def find_builder(given: Any) -> Builder:
    """The builder called ``given``: ours, or ``package.module:function``; or that object itself.

    A function of one argument, an object or a class with ``build`` is keras-tuner's: see
    `tfcourse.search.engine.hypermodels`.

    Raises:
        InputError: There is none, it can't be imported, or does not take a shape and classes.
    """
    name, function = (given, None) if isinstance(given, str) else (object_name(given), given)
    if function is None and ":" in name:
        function = load_function(name, "builder")
    elif function is None and name in BUILDERS:
        function = BUILDERS[name]
    elif function is None:
        raise InputError(one_of("builder", name, [*BUILDERS, "package.module:function"]))
    parameters = [] if isinstance(function, type) else list(_signature(function))
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    has_build = not inspect.isfunction(function) and callable(getattr(function, "build", None))
    if has_build or (len(positional) == len(required) == 1):
        # keras-tuner brings TensorFlow with it, which other builders are checked without.
        with quiet_start():
            from tfcourse.search.engine.hypermodels import explore_hypermodel

        model = explore_hypermodel(function, name)
        arguments = {n: Argument(annotation, None) for n, annotation in model.annotations.items()}
        return Builder(
            name, model.function, arguments, False, model.compiles, model.space, function
        )
    if len(positional) < 2:
        shown = ", ".join(p.name for p in parameters)
        raise InputError(
            f'builder: "{name}" must take (input_shape, classes, ...), or keras-tuner\'s (hp). '
            f"Received: ({shown})."
        )
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    arguments = {
        p.name: Argument(p.annotation, p.default)
        for p in parameters
        if p not in positional[:2] and p.kind not in variadic
    }
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    return Builder(name, function, arguments, takes_any, source_object=function)


def imported_when_called(name: str) -> Callable[..., Any]:
    """Return the builder ``package.module:function`` as a function that imports it when called."""

    def build(*args: Any, **arguments: Any) -> Any:
        return find_builder(name).function(*args, **arguments)

    return build


def whole_space(builder: Builder | None, raw: Any, fixed: Mapping[str, Any]) -> Any:
    """The tables of ``[space]``, with those that the builder brings for what they leave out.

    What ``[model]`` fixes is not searched, nor what another value of it would be needed for.
    """
    if builder is None or not isinstance(raw, Mapping):
        return raw
    own: dict[str, Any] = {}
    for name, table in builder.space.items():
        when = table.get("when", {})
        allowed = [v if isinstance(v, list) else [v] for v in when.values()]
        met = [fixed[p] in v for p, v in zip(when, allowed, strict=True) if p in fixed]
        if name in fixed or name in raw or not all(met):
            continue
        left = {parent: value for parent, value in when.items() if parent not in fixed}
        rest = {key: value for key, value in table.items() if key != "when"}
        own[name] = {**rest, "when": left} if left else rest
    return {**raw, **own}


def object_name(given: Any) -> str:
    """``package.module:name`` of a function or class, or of an object's class."""
    if isinstance(given, functools.partial):
        fixed = [f"{key}={value!r}" for key, value in given.keywords.items()]
        parts = [object_name(given.func), *map(repr, given.args), *fixed]
        return without_addresses(f"functools.partial({', '.join(parts)})")
    named = given if hasattr(given, "__qualname__") else type(given)
    return f"{named.__module__}:{named.__qualname__}"


def _signature(function: Callable[..., Any]) -> Iterable[inspect.Parameter]:
    """The parameters with their annotations as types, where they can be had."""
    try:
        return inspect.signature(function, eval_str=True).parameters.values()
    except Exception:  # evaluating an annotation can raise anything
        pass
    try:
        return inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # no function of Python's
        return []
