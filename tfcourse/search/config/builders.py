"""The model builder that a config names, and its arguments."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
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
    "deferred_builder",
    "find_builder",
    "merge_space",
    "object_name",
]


@dataclass(frozen=True)
class Argument:
    """An argument of a builder.

    Attributes:
        annotation: Its type; ``inspect.Parameter.empty`` if it has none.
        default: Its default; ``inspect.Parameter.empty`` if it has none.
    """

    annotation: object
    default: object


@dataclass(frozen=True)
class Builder:
    """A function ``build(input_shape, classes, **arguments)`` that returns a Keras model.

    Attributes:
        name: The name in the config.
        function: The function.
        arguments: Its arguments after the first two, by name.
        takes_any: True if it takes arguments of any name (``**kwargs``).
        compiles: True if it returns compiled models.
        space: The tables of ``[space]`` that it registers itself, by name.
        fit: ``fit(model, x, y, ...)`` of keras-tuner's ``HyperModel`` that trains its models
            itself; None of others.
        source_object: The object that the name or the argument refers to, whose code is
            recorded; None for a builder that is only on record.
    """

    name: str
    function: Callable[..., Any]
    arguments: Mapping[str, Argument]
    takes_any: bool
    compiles: bool = False
    space: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fit: Callable[..., object] | None = field(default=None, compare=False)
    source_object: Any = field(default=None, compare=False, repr=False)


def find_builder(source: object) -> Builder:
    """Return the builder of a name or an object.

    A function of one argument, and an object or a class with ``build``, is keras-tuner's: see
    `tfcourse.search.engine.hypermodels`.

    Args:
        source: The name of a builder of tfcourse's, ``package.module:function``, or the object
            itself.

    Raises:
        InputError: There is no such builder, it can't be imported, or it does not take a shape
            and classes.
    """
    function: Any = source
    name = source if isinstance(source, str) else object_name(source)
    if isinstance(source, str) and ":" in source:
        function = load_function(source, "builder")
    elif isinstance(source, str):
        if source not in BUILDERS:
            raise InputError(one_of("builder", source, [*BUILDERS, "package.module:function"]))
        function = BUILDERS[source]
    parameters = [] if isinstance(function, type) else list(_signature(function))
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    has_build = not inspect.isfunction(function) and callable(getattr(function, "build", None))
    if has_build or (len(positional) == len(required) == 1):
        # keras-tuner imports TensorFlow, without which other builders are checked.
        with quiet_start():
            from tfcourse.search.engine.hypermodels import explore_hypermodel

        model = explore_hypermodel(function, name)
        arguments = {n: Argument(annotation, None) for n, annotation in model.annotations.items()}
        return Builder(
            name,
            model.function,
            arguments,
            False,
            model.compiles,
            model.space,
            model.fit,
            function,
        )
    if len(positional) < 2:
        names = ", ".join(p.name for p in parameters)
        raise InputError(
            f'builder: "{name}" must take (input_shape, classes, ...), or keras-tuner\'s (hp). '
            f"Received: ({names})."
        )
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    arguments = {
        p.name: Argument(p.annotation, p.default)
        for p in parameters
        if p not in positional[:2] and p.kind not in variadic
    }
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    return Builder(name, function, arguments, takes_any, source_object=function)


def deferred_builder(name: str) -> Callable[..., Any]:
    """Return the builder ``package.module:function`` as a function that imports it when called."""

    def build(*args: object, **arguments: object) -> Any:
        return find_builder(name).function(*args, **arguments)

    return build


def merge_space(builder: Builder | None, raw: object, fixed: Mapping[str, Any]) -> object:
    """Return the tables of ``[space]``, and those of the builder for names that are not in them.

    An argument that ``[model]`` fixes is not searched, nor one whose condition its value rules out.

    Args:
        builder: The builder; None if it has errors.
        raw: The value of ``[space]``.
        fixed: The arguments in ``[model]``.
    """
    if builder is None or not isinstance(raw, Mapping):
        return raw
    added: dict[str, Any] = {}
    for name, table in builder.space.items():
        when = table.get("when", {})
        allowed = [v if isinstance(v, list) else [v] for v in when.values()]
        is_met = [fixed[p] in v for p, v in zip(when, allowed, strict=True) if p in fixed]
        if name in fixed or name in raw or not all(is_met):
            continue
        open_conditions = {parent: v for parent, v in when.items() if parent not in fixed}
        rest = {key: value for key, value in table.items() if key != "when"}
        added[name] = {**rest, "when": open_conditions} if open_conditions else rest
    return {**raw, **added}


def object_name(value: object) -> str:
    """Return ``package.module:name`` of a function or class, or of an object's class."""
    if isinstance(value, functools.partial):
        keywords = [f"{key}={argument!r}" for key, argument in value.keywords.items()]
        parts = [object_name(value.func), *map(repr, value.args), *keywords]
        return without_addresses(f"functools.partial({', '.join(parts)})")
    owner: Any = value if hasattr(value, "__qualname__") else type(value)
    return f"{owner.__module__}:{owner.__qualname__}"


def _signature(function: Callable[..., Any]) -> Iterable[inspect.Parameter]:
    """Return the parameters, with their annotations as types if those can be evaluated."""
    for eval_str in (True, False):
        with suppress(Exception):  # evaluating an annotation can raise anything
            return inspect.signature(function, eval_str=eval_str).parameters.values()
    return []  # not a function in Python
