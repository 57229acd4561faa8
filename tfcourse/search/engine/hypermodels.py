"""keras-tuner's ``build(hp)`` or ``HyperModel`` as a function of values.

The ranges that it registers become tables of ``[space]``; their values are drawn as all others are.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import keras
import keras_tuner
from keras_tuner.engine import hyperparameters as kinds

from tfcourse.errors import InputError, error_text
from tfcourse.imports import exit_as_error
from tfcourse.internals.layers import reset_automatic_names
from tfcourse.search.engine.hypermodel_fit import explore_fit, fit_of
from tfcourse.search.engine.registrations import (
    CheckedHyperParameters,
    Registration,
    single_value,
)
from tfcourse.time_limits import TimeLimitError, limited
from tfcourse.types import Hyperparameter, KerasModel, Shape

__all__ = ["HyperModelBuilder", "explore_hypermodel"]

MOST_CALLS = 200


@dataclass(frozen=True)
class HyperModelBuilder:
    """A function ``build(hp)`` that takes values, and the hyperparameters that it registers.

    Attributes:
        function: ``function(input_shape, classes, **values)`` returns a model; it does not use
            the first two.
        annotations: The type of each hyperparameter, ``inspect.Parameter.empty`` for a choice.
        compiles: Whether its models come compiled.
        space: The tables of ``[space]`` by name, without hyperparameters of one value.
        fit: ``fit(model, x, y, ...)`` of the ``HyperModel``'s own, with the ``hp`` that built the
            model; None if it has none.
    """

    function: Callable[..., KerasModel]
    annotations: Mapping[str, object]
    compiles: bool
    space: Mapping[str, Mapping[str, Any]]
    fit: Callable[..., object] | None = None


def explore_hypermodel(source_object: object, name: str) -> HyperModelBuilder:
    """Return the builder of a function ``build(hp)``, a ``HyperModel``, or its class.

    It is called a few times to find what it registers: with the defaults, with each other value of
    every choice, and with both ends of every range, on which further ones may depend. A call that
    fails is passed over, as keras-tuner passes over a trial, unless all of them fail.

    Args:
        source_object: The object that the config names.
        name: Its name, for the messages.

    Raises:
        InputError: It always fails, gives no model, or registers what can't be searched.
    """
    build, own_fit = _methods_of(source_object, name)
    first_registrations: dict[str, Registration] = {}
    refused = set[str]()

    def after_build(hp: CheckedHyperParameters, model: KerasModel) -> None:
        if own_fit is not None:
            refused.update(explore_fit(own_fit, hp, model))

    entries_of, compiled = _explore(build, name, first_registrations, after_build)
    if len(compiled) > 1:
        raise InputError(f'builder: "{name}" must compile all of its models, or none of them.')
    annotations = {n: _annotation(entries[0]) for n, entries in entries_of.items()}
    hps: WeakKeyDictionary[KerasModel, CheckedHyperParameters] = WeakKeyDictionary()

    def function(input_shape: Shape, classes: int, **values: Hyperparameter) -> KerasModel:
        hp = CheckedHyperParameters(name, {**first_registrations}, values)
        model: KerasModel = build(hp)
        _check_found(hp, annotations, name, values)
        if own_fit is not None:
            hps[model] = hp
        return model

    def fit(model: KerasModel, *args: object, **kwargs: object) -> object:
        assert own_fit is not None
        keywords = {n: value for n, value in kwargs.items() if n not in refused}
        result = own_fit(hps[model], model, *args, **keywords)
        _check_found(hps[model], annotations, name, {})
        return result

    tables = {n: _table(entries, entries_of, name) for n, entries in entries_of.items()}
    space = {n: table for n, table in tables.items() if table}
    own = None if own_fit is None else fit
    return HyperModelBuilder(function, annotations, compiled == {True}, space, own)


def _check_found(
    hp: CheckedHyperParameters,
    annotations: Mapping[str, object],
    name: str,
    values: Mapping[str, Any],
) -> None:
    """Refuse a hyperparameter that was not found when the search began."""
    if unknown := [n for n in hp.values if n not in annotations]:
        raise InputError(
            f'builder: "{name}" registers "{unknown[0]}" with {values or "its fit"} and did not '
            "when the search began. Register it in every call of build, or within "
            "hp.conditional_scope."
        )


def _methods_of(
    source_object: Any, name: str
) -> tuple[Callable[[Any], Any], Callable[..., object] | None]:
    """Return the ``build`` of an object, and its ``fit`` if it has one of its own."""
    if inspect.isfunction(source_object) or not hasattr(source_object, "build"):
        return source_object, None
    try:
        with limited("builder", f'"{name}", called without arguments,'), exit_as_error():
            model = source_object() if isinstance(source_object, type) else source_object
    except TimeLimitError:
        raise
    except Exception as error:
        raise InputError(
            f'builder: "{name}" can\'t be made without arguments ({error_text(error)}).'
            ' Name an instance of it: "package.module:instance".'
        ) from error
    return model.build, fit_of(model)


def _explore(
    build: Callable[[Any], Any],
    name: str,
    first_registrations: dict[str, Registration],
    after_build: Callable[[CheckedHyperParameters, KerasModel], None],
) -> tuple[dict[str, list[Any]], set[bool]]:
    """Return what the builder registers, by name, and whether its models come compiled.

    Args:
        build: The builder.
        name: Its name, for the messages.
        first_registrations: The first registration of each name is added to it.
        after_build: Called with the ``hp`` and the model of each call that gives one.
    """
    entries_of: dict[str, list[Any]] = {}
    compiled: set[bool] = set()
    waiting: list[dict[str, Any]] = [{}]
    failure: InputError | None = None
    for _ in range(MOST_CALLS):
        if not waiting:
            if failure is not None and not compiled:
                raise failure
            return entries_of, compiled
        values = waiting.pop(0)
        hp = CheckedHyperParameters(name, first_registrations, values)
        try:
            model = _built(build, hp, name, values)
            compiled.add(bool(model.compiled))
            after_build(hp, model)
        except _CallError as error:
            failure = failure or InputError(str(error))
            failure.__cause__ = failure.__cause__ or error.__cause__
        # A call that failed may have registered some before.
        for entry in hp.space:
            entries = entries_of.setdefault(entry.name, [])
            if not entries:
                # Where it is not active, its parents get values that make it active.
                parents = {c.name: c.values[0] for c in entry.conditions}
                waiting += [{**values, **parents, entry.name: end} for end in _ends(entry)]
            if not any(entry.conditions == other.conditions for other in entries):
                entries.append(entry)
    raise InputError(f'builder: "{name}" registers more than {MOST_CALLS} calls can find.')


class _CallError(Exception):
    """A call of the builder failed; others may not."""


def _built(
    build: Callable[[Any], Any], hp: CheckedHyperParameters, name: str, values: Mapping[str, Any]
) -> KerasModel:
    """Call the builder once, and return its model."""
    call = (
        f'"{name}", which takes one argument, was called as build(hp) with '
        f"{values or 'the defaults'} and"
    )
    called = f"builder: {call} "
    reset_automatic_names()  # as `build_trial`, and keras-tuner, before every build
    try:
        with limited("builder", call), exit_as_error():
            model = build(hp)
    except InputError:
        raise
    except keras_tuner.errors.FatalError as error:  # not to be passed over, says keras-tuner
        raise InputError(f"{called}failed: {error_text(error)}") from error
    except Exception as error:
        raise _CallError(f"{called}failed: {error_text(error)}") from error
    if not isinstance(model, keras.Model):
        raise InputError(f"{called}gave no model. Received: {type(model).__name__}.")
    return model


def _ends(entry: kinds.HyperParameter) -> list[Any]:
    """Return the values besides the default with which the builder may register others."""
    if isinstance(entry, kinds.Choice | kinds.Boolean):
        return [value for value in entry.values if value != entry.default]
    if isinstance(entry, kinds.Int):
        ends = {entry.prob_to_value(0.0), entry.prob_to_value(1 - 1e-9)}
        return sorted(ends - {entry.default})
    if isinstance(entry, kinds.Float):
        return sorted({entry.min_value, entry.max_value} - {entry.default})
    return []


def _table(
    entries: Iterable[Any], entries_of: Mapping[str, list[Any]], name: str
) -> dict[str, Any] | None:
    """Return a table of ``[space]``; None for a hyperparameter that has only one value."""
    first, *others = entries
    table, when = _range(first, name), {}
    for condition in first.conditions:
        parent = entries_of[condition.name][0]
        # With a numeric parent, or with several conditions, it is always drawn; keras-tuner gives
        # the model None where it is not active.
        if not others and isinstance(parent, kinds.Choice | kinds.Boolean):
            values = list(condition.values)
            when[condition.name] = values if len(values) > 1 else values[0]
    return {**table, "when": when} if table and when else table


def _range(entry: kinds.HyperParameter, name: str) -> dict[str, Any] | None:
    if single_value(entry) is not None:
        return None
    if isinstance(entry, kinds.Choice | kinds.Boolean):
        return {"values": list(entry.values)}
    if entry.sampling == "reverse_log":
        raise InputError(
            f'builder: "{name}" registers "{entry.name}" with sampling "reverse_log", which is not '
            "a log scale on 1-x: on [0.9, 0.999] it puts only 9.5 % of the samples above 0.99. "
            "Use tfcourse.one_minus_log(hp, ...)."
        )
    kind = int if isinstance(entry, kinds.Int) else float
    if entry.sampling == "log" and entry.step is not None:  # the step is a factor here
        return {"values": [kind(round(value, 9)) for value in entry.values]}
    table = {"low": kind(entry.min_value), "high": kind(entry.max_value), "scale": entry.sampling}
    # An Int's step of 1 goes without saying.
    stepped = entry.step is not None and not (kind is int and entry.step == 1)
    return {**table, "step": kind(entry.step)} if stepped else table


def _annotation(entry: kinds.HyperParameter) -> Any:
    numbers = {kinds.Int: int, kinds.Float: float, kinds.Boolean: bool}
    return numbers.get(type(entry), inspect.Parameter.empty)
