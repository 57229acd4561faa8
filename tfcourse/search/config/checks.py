"""Checks of ``[space]`` and of the fixed arguments, against the builder and the optimizer."""

import inspect
import math
from collections.abc import Mapping
from typing import Any

from tfcourse.errors import InputError, either, nearest, one_of, shown
from tfcourse.formulas.scales import SCALES
from tfcourse.hyperparameters import OPTIMIZER_ARGUMENTS
from tfcourse.search.config.builders import Builder
from tfcourse.search.config.hyperparameters import LEVELS
from tfcourse.search.config.optimizers import ALL_ARGUMENTS, ARGUMENTS
from tfcourse.search.config.parsing import parse
from tfcourse.search.config.schedules import TRAINING_ARGUMENTS, validate_schedules
from tfcourse.search.config.tables import ModelTable, SpaceTable, TrainingTable
from tfcourse.search.config.validators import is_whole, validate_argument
from tfcourse.search.space.conditions import validate_conditions
from tfcourse.search.space.parameters import Choice, Parameter, Range, any_of

__all__ = ["check_fixed", "parse_space"]

OPTIMIZER = "the optimizer"
TRAINING_NAMES = ("batch_size", "epochs", "optimizer", *TRAINING_ARGUMENTS)


def parse_space(
    raw: object, builder: Builder | None, training: TrainingTable | None, needed: bool = True
) -> tuple[dict[str, Parameter], list[str]]:
    """Return the parameters of ``[space]`` by name, and a line for each error.

    Args:
        raw: The value of ``[space]``.
        builder: The builder; None if it has errors of its own, and can't be checked against.
        training: ``[training]``; None if it has errors of its own.
        needed: Whether it must hold a parameter.
    """
    if not isinstance(raw, Mapping) or (not raw and builder is not None and needed):
        return {}, ["[space] must hold at least one table, such as [space.learning_rate]."]
    space: dict[str, Parameter] = {}
    errors: list[str] = []
    for name, entry in raw.items():
        table, lines = parse(SpaceTable, entry, f"space.{name}")
        if table is not None:
            try:
                space[name] = _parameter(name, table, builder)
            except InputError as error:
                lines = [f"[space.{name}] {line}" for line in str(error).split("\n")]
        errors += lines
    optimizers = _optimizers(space, training, builder)
    errors += [line for name in raw if (line := _unknown_name(name, builder, optimizers))]
    errors += [line for n, p in space.items() if (line := _contradiction(n, p, builder))]
    return space, errors + validate_conditions(space, raw)


def check_fixed(
    builder: Builder | None,
    model: ModelTable | None,
    training: TrainingTable | None,
    space: Mapping[str, Parameter],
) -> list[str]:
    """Return a line for each fixed argument that is unknown, has a wrong value, or is missing."""
    errors: list[str] = []
    if training is not None:
        optimizers = _optimizers(space, training, builder)
        for name in ALL_ARGUMENTS:
            value = getattr(training, name)
            if value is None:
                continue
            if not optimizers:
                errors.append(f"[training] {name} has no effect: the builder compiles its models.")
            elif not any(name in ARGUMENTS[o] for o in optimizers):
                errors.append(
                    f"[training] {name} is not an argument of {either(optimizers, OPTIMIZER)}."
                )
            elif problem := validate_argument(name, value, None):
                errors.append(f"[training] {name} {problem}")
        errors += [
            f"[training] {name} {problem}"
            for name in TRAINING_ARGUMENTS
            if (value := getattr(training, name)) is not None
            and (problem := validate_argument(name, value, None))
        ]
        errors += validate_schedules(training, space, builder)
    if builder is None or model is None:
        return errors
    for name, value in model.arguments.items():
        if name not in builder.arguments and not builder.takes_any:
            errors.append(
                f'[model] {name} is not an argument of the builder "{builder.name}".'
                f"{nearest(name, builder.arguments)} Known: {', '.join(builder.arguments)}."
            )
        elif problem := validate_argument(name, value, builder):
            errors.append(f"[model] {name} {problem}")
    present = {
        *(name for name, parameter in space.items() if not parameter.when),
        *model.arguments,
        *(training.model_dump(exclude_none=True) if training else ()),
    }
    for name, argument in builder.arguments.items():
        if argument.default is inspect.Parameter.empty and name not in (*present, LEVELS):
            errors.append(f'[model] {name} is required by the builder "{builder.name}".')
    return errors


def _optimizers(
    space: Mapping[str, Parameter], training: TrainingTable | None, builder: Builder | None
) -> list[str]:
    """Return the optimizers that a trial can have; none if the builder compiles its models."""
    if builder is not None and builder.compiles:
        return []
    fixed: list[str] = [*ARGUMENTS] if training is None else [training.optimizer]
    searched = space.get("optimizer")
    if not isinstance(searched, Choice):
        return fixed
    choices = [value for value in searched.values if value in ARGUMENTS]
    # The fixed optimizer is used if the condition does not hold.
    return list(dict.fromkeys([*choices, *fixed])) if searched.when else choices


def _contradiction(name: str, parameter: Parameter, builder: Builder | None) -> str | None:
    """Return an error for an optimizer's argument that is searched only with other optimizers."""
    takers = [optimizer for optimizer, names in ARGUMENTS.items() if name in names]
    parents = [o for o in ARGUMENTS if o in any_of(dict(parameter.when).get("optimizer", ()))]
    builders_own = (
        builder is None or builder.takes_any or {name, "optimizer"} & {*builder.arguments}
    )
    if builders_own or not takers or not parents or {*takers} & {*parents}:
        return None
    return f"[space.{name}] when: {name} is not an argument of {either(parents, OPTIMIZER)}."


def _unknown_name(name: str, builder: Builder | None, optimizers: list[str]) -> str | None:
    """Return an error for a name in ``[space]`` that is no argument of anything."""
    compiled = ("optimizer", *TRAINING_ARGUMENTS)
    of_training = [n for n in TRAINING_NAMES if optimizers or n not in compiled]
    if builder is None or builder.takes_any or name in {*builder.arguments, *of_training}:
        return None
    takers = [o for o, names in ARGUMENTS.items() if name in names]
    if takers and optimizers and not {*takers} & {*optimizers}:
        course = [taker for taker in takers if taker in OPTIMIZER_ARGUMENTS]
        return (
            f"[space.{name}] is an argument of {either(course or takers, OPTIMIZER)}. "
            f"Received: {either(optimizers, OPTIMIZER)} in [training]."
        )
    if takers and optimizers:
        return None
    of_optimizers = [n for o in optimizers for n in ARGUMENTS[o]]
    known_names = list(dict.fromkeys([*builder.arguments, *of_optimizers, *of_training]))
    compiles = ", which compiles its models itself" if builder.compiles else ", the optimizer"
    return (
        f'[space.{name}] is not an argument of the builder "{builder.name}"{compiles} or '
        f"the training.{nearest(name, known_names)} Known: {', '.join(known_names)}."
    )


def _parameter(name: str, table: SpaceTable, builder: Builder | None) -> Parameter:
    """Return the parameter of a table; raise InputError, a line for each error, if it is none."""
    keys = sorted(table.model_dump(exclude_none=True, exclude={"when"}))
    when = tuple(
        (parent, tuple(value) if isinstance(value, list) else value)
        for parent, value in (table.when or {}).items()
    )
    if table.values is not None:
        if others := [key for key in keys if key != "values"]:
            raise InputError(f"has values, which exclude {', '.join(others)}.")
        _check_values(name, table.values, builder)
        return Choice(tuple(table.values), when)
    low, high, step, scale = table.low, table.high, table.step, table.scale or "linear"
    if low is None or high is None:
        raise InputError(
            f"needs low and high, or values. Received: {', '.join(keys) or 'nothing'}."
        )
    problems = [
        f"{key} {problem}"
        for key, value in (("low", low), ("high", high))
        if (problem := validate_argument(name, value, builder))
    ]
    if not low < high:
        problems.append(f"low must be < high. Received: {low} and {high}.")
    if problems:
        raise InputError("\n".join(problems))
    whole = is_whole(name, table, builder)
    step = 1 if whole and step is None else step
    parameter = Range("int" if whole else "float", low, high, step, scale, when, table.points)
    _check_step(parameter)
    _check_scale(parameter)
    return parameter


def _check_values(name: str, values: list[Any], builder: Builder | None) -> None:
    if not values:
        raise InputError("values must be a list of at least one value. Received: [].")
    others = [value for value in values if not _is_plain(value)]
    if others:
        raise InputError(
            f"values must be finite numbers, texts, true or false. Received: {shown(others[0])}."
        )
    if len({(type(value), value) for value in values}) < len(values):
        raise InputError(f"values must differ from each other. Received: {shown(values)}.")
    if len({float if type(value) is int else type(value) for value in values}) > 1:
        raise InputError(f"values must be of one type. Received: {shown(values)}.")
    problems = [p for value in values if (p := validate_argument(name, value, builder))]
    if problems:
        raise InputError("\n".join(f"values {problem}" for problem in problems))


def _is_plain(value: object) -> bool:
    """Return True if a record can hold the value and compare it, unlike a NaN."""
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _check_step(parameter: Range) -> None:
    step = parameter.step
    if step is None:
        return
    if parameter.kind == "int" and not isinstance(step, int):
        raise InputError(f"step must be a whole number. Received: {step}.")
    least = math.ulp(max(abs(parameter.low), abs(parameter.high)))
    if parameter.kind == "float" and step < least:
        raise InputError(
            f"step must be >= {least:.2g}, the distance of floats there. Received: {step}."
        )
    if parameter.points is not None:
        raise InputError(f"points is for numbers without a step. Received: step {step}.")


def _check_scale(parameter: Range) -> None:
    scale = parameter.scale
    if scale == "reverse_log":
        raise InputError(
            'scale: "reverse_log" is not a log scale on 1-x: on [0.9, 0.999] it puts only 9.5 % of '
            'the samples above 0.99, where half belong. Use "one_minus_log".'
        )
    if scale not in SCALES:
        raise InputError(one_of("scale", scale, SCALES))
    if demand := SCALES[scale].admits(*parameter.edges):
        received = f"low {parameter.low}, high {parameter.high}"
        if parameter.step is not None:
            received += f", step {parameter.step} (half a step on each side counts)"
        raise InputError(f'scale "{scale}" needs {demand}. Received: {received}.')
