"""keras-tuner's way to describe a model, ``build(hp)`` or a ``HyperModel``, as a builder of ours.

The ranges that it registers become tables of ``[space]``; their values are drawn as all others are.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import keras_tuner
from keras.src.utils.naming import reset_uids
from keras_tuner.engine import hyperparameters as kinds

from tfcourse.errors import InputError, error_text
from tfcourse.imports import exit_as_error
from tfcourse.search.config.builders import Argument, Builder
from tfcourse.search.engine.registrations import (
    CheckedHyperParameters,
    Registration,
    single_value,
)

__all__ = ["hypermodel_builder"]

MOST_CALLS = 200


def hypermodel_builder(given: Any, name: str) -> Builder:
    """A builder from a function ``build(hp)``, a ``HyperModel``, or its class.

    It is called a few times to see what it registers: with the defaults, with each other value of
    every choice, and with both ends of every range, on which further ones may depend. A call that
    fails is passed over, as keras-tuner passes over a trial, unless all of them fail.

    Args:
        given: What the config names.
        name: Its name, for the messages.

    Raises:
        InputError: It always fails, gives no model, or registers what can't be searched.
    """
    build = _build_of(given, name)
    known: dict[str, Registration] = {}
    found, compiled = _explore(build, name, known)
    if len(compiled) > 1:
        raise InputError(f'builder: "{name}" must compile all of its models, or none of them.')
    arguments = {n: Argument(_annotation(entries[0]), None) for n, entries in found.items()}

    def function(input_shape: Any, classes: int, **values: Any) -> Any:
        hp = CheckedHyperParameters(name, {**known}, values)
        model = build(hp)
        if unknown := [n for n in hp.values if n not in arguments]:
            raise InputError(
                f'builder: "{name}" registers "{unknown[0]}" with {values} and did not when the '
                "search began. Register it in every call, or within hp.conditional_scope."
            )
        return model

    space = {n: table for n, entries in found.items() if (table := _table(entries, found, name))}
    return Builder(name, function, arguments, False, compiled == {True}, space)


def _build_of(given: Any, name: str) -> Callable[[Any], Any]:
    if inspect.isfunction(given) or not hasattr(given, "build"):
        return given
    try:
        with exit_as_error():
            model = given() if isinstance(given, type) else given
    except Exception as error:
        raise InputError(
            f'builder: "{name}" can\'t be made without arguments ({error_text(error)}).'
            ' Name an instance of it: "package.module:instance".'
        ) from error
    own_fit = getattr(type(model), "fit", None)
    if own_fit not in (None, keras_tuner.HyperModel.fit):
        raise InputError(
            f'builder: "{name}" has a fit of its own, which a search does not call: it trains with '
            "tfcourse.fit. Override the model's train_step, or use keras-tuner's own tuners."
        )
    return model.build


def _explore(
    build: Callable[[Any], Any], name: str, known: dict[str, Registration]
) -> tuple[dict[str, list[Any]], set[bool]]:
    """What is registered, by name, and whether the models come compiled.

    Args:
        build: The builder.
        name: Its name, for the messages.
        known: Gets the first registration of each name.
    """
    found: dict[str, list[Any]] = {}
    compiled: set[bool] = set()
    waiting: list[dict[str, Any]] = [{}]
    failure: InputError | None = None
    for _ in range(MOST_CALLS):
        if not waiting:
            if failure is not None and not compiled:
                raise failure
            return found, compiled
        values = waiting.pop(0)
        hp = CheckedHyperParameters(name, known, values)
        try:
            compiled.add(_compiled(build, hp, name, values))
        except _CallError as error:
            failure = failure or InputError(str(error))
            failure.__cause__ = failure.__cause__ or error.__cause__
        # Of a call that failed, what it registered before.
        for entry in hp.space:
            entries = found.setdefault(entry.name, [])
            if not entries:
                # What is not active yet: with what makes it so.
                parents = {c.name: c.values[0] for c in entry.conditions}
                waiting += [{**values, **parents, entry.name: end} for end in _ends(entry)]
            if not any(entry.conditions == other.conditions for other in entries):
                entries.append(entry)
    raise InputError(f'builder: "{name}" registers more than {MOST_CALLS} calls can find.')


class _CallError(Exception):
    """A call of the builder failed; others may not."""


def _compiled(
    build: Callable[[Any], Any], hp: CheckedHyperParameters, name: str, values: Mapping[str, Any]
) -> bool:
    """Call the builder once, and return whether its model comes compiled."""
    called = (
        f'builder: "{name}", which takes one argument, was called as build(hp) with '
        f"{values or 'the defaults'} and "
    )
    reset_uids()  # as `build_trial`, and keras-tuner, before every build
    try:
        with exit_as_error():
            model = build(hp)
    except InputError:
        raise
    except keras_tuner.errors.FatalError as error:  # not to be passed over, says keras-tuner
        raise InputError(f"{called}failed: {error_text(error)}") from error
    except Exception as error:
        raise _CallError(f"{called}failed: {error_text(error)}") from error
    if not isinstance(model, keras.Model):
        raise InputError(f"{called}gave no model. Received: {type(model).__name__}.")
    return bool(model.compiled)


def _ends(entry: Any) -> list[Any]:
    """The values besides the default on which it may depend what else is registered."""
    if isinstance(entry, kinds.Choice | kinds.Boolean):
        return [value for value in entry.values if value != entry.default]
    if isinstance(entry, kinds.Int):
        ends = {entry.prob_to_value(0.0), entry.prob_to_value(1 - 1e-9)}
        return sorted(ends - {entry.default})
    if isinstance(entry, kinds.Float):
        return sorted({entry.min_value, entry.max_value} - {entry.default})
    return []


def _table(
    entries: Iterable[Any], found: Mapping[str, list[Any]], name: str
) -> dict[str, Any] | None:
    """A table of ``[space]``; None for what has one value only."""
    first, *others = entries
    table, when = _range(first, name), {}
    for condition in first.conditions:
        parent = found[condition.name][0]
        # Of numbers, and where it has several conditions, it is drawn always; keras-tuner gives
        # the model None where it is not active.
        if not others and isinstance(parent, kinds.Choice | kinds.Boolean):
            values = list(condition.values)
            when[condition.name] = values if len(values) > 1 else values[0]
    return {**table, "when": when} if table and when else table


def _range(entry: Any, name: str) -> dict[str, Any] | None:
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


def _annotation(entry: Any) -> Any:
    numbers = {kinds.Int: int, kinds.Float: float, kinds.Boolean: bool}
    return numbers.get(type(entry), inspect.Parameter.empty)
