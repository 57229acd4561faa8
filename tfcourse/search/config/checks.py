"""Checks of ``[space]`` and of the fixed arguments, against the builder and the optimizer."""

import inspect
import math
from collections.abc import Iterable, Mapping
from typing import Any

from tfcourse.errors import either, nearest, one_of, shown
from tfcourse.formulas.scales import SCALES
from tfcourse.hyperparameters import OPTIMIZER_ARGUMENTS
from tfcourse.search.config.builders import Builder
from tfcourse.search.config.optimizers import ALL_ARGUMENTS, ARGUMENTS
from tfcourse.search.config.tables import ModelTable, SpaceTable, TrainingTable, parse
from tfcourse.search.config.validators import is_whole, validate_argument
from tfcourse.search.space.conditions import validate_conditions
from tfcourse.search.space.parameters import Choice, Parameter, Range, When, any_of

__all__ = ["check_fixed", "parse_space"]

TRAINING_NAMES = ("batch_size", "epochs", "optimizer")


def parse_space(
    raw: object, builder: Builder | None, training: TrainingTable | None
) -> tuple[dict[str, Parameter], list[str]]:
    """Return the parameters of ``[space]`` by name, and a line for each error.

    Args:
        raw: The value of ``[space]``.
        builder: The builder; None if it has errors of its own, and can't be checked against.
        training: ``[training]``; None if it has errors of its own.
    """
    if not isinstance(raw, Mapping) or (not raw and builder is not None):
        return {}, ["[space] must hold at least one table, such as [space.learning_rate]."]
    space: dict[str, Parameter] = {}
    errors: list[str] = []
    for name, entry in raw.items():
        table, lines = parse(SpaceTable, entry, f"space.{name}")
        if table is not None:
            parameter, lines = _parameter(name, table, builder)
            if parameter is not None:
                space[name] = parameter
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
                errors.append(f"[training] {name} is not an argument of {_either(optimizers)}.")
            elif problem := validate_argument(name, value, None):
                errors.append(f"[training] {name} {problem}")
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
        if argument.default is inspect.Parameter.empty and name not in present:
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
    return f"[space.{name}] when: {name} is not an argument of {_either(parents)}."


def _either(optimizers: Iterable[str]) -> str:
    return either(optimizers, "the optimizer")


def _unknown_name(name: str, builder: Builder | None, optimizers: list[str]) -> str | None:
    """Return an error for a name in ``[space]`` that is no argument of anything."""
    of_training = [n for n in TRAINING_NAMES if optimizers or n != "optimizer"]
    if builder is None or builder.takes_any or name in {*builder.arguments, *of_training}:
        return None
    takers = [o for o, names in ARGUMENTS.items() if name in names]
    if takers and optimizers and not {*takers} & {*optimizers}:
        course = [taker for taker in takers if taker in OPTIMIZER_ARGUMENTS]
        return (
            f"[space.{name}] is an argument of {_either(course or takers)}. "
            f"Received: {_either(optimizers)} in [training]."
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


def _parameter(
    name: str, table: SpaceTable, builder: Builder | None
) -> tuple[Parameter | None, list[str]]:
    where = f"[space.{name}]"
    keys = sorted(table.model_dump(exclude_none=True, exclude={"when"}))
    when = tuple(
        (parent, tuple(value) if isinstance(value, list) else value)
        for parent, value in (table.when or {}).items()
    )
    if table.values is not None:
        others = [key for key in keys if key != "values"]
        if others:
            return None, [f"{where} has values, which exclude {', '.join(others)}."]
        return _choice(name, table.values, builder, when)
    if table.low is None or table.high is None:
        received = ", ".join(keys) or "nothing"
        return None, [f"{where} needs low and high, or values. Received: {received}."]
    errors = [
        f"{where} {key} {problem}"
        for key in ("low", "high")
        if (problem := validate_argument(name, getattr(table, key), builder))
    ]
    if not table.low < table.high:
        errors.append(f"{where} low must be < high. Received: {table.low} and {table.high}.")
    if table.step is not None and not table.step > 0:
        errors.append(f"{where} step must be > 0. Received: {table.step}.")
    if errors:
        return None, errors
    whole = is_whole(name, table, builder)
    step = 1 if whole and table.step is None else table.step
    if problem := _step_problem(table, step, whole, where):
        return None, [problem]
    parameter = Range(
        "int" if whole else "float",
        table.low,
        table.high,
        step,
        table.scale or "linear",
        when,
        table.points,
    )
    problem = _scale_problem(parameter, where)
    return (None, [problem]) if problem else (parameter, [])


def _step_problem(table: SpaceTable, step: float | None, whole: bool, where: str) -> str | None:
    if step is None:
        return None
    if whole and not isinstance(step, int):
        return f"{where} step must be a whole number. Received: {step}."
    least = math.ulp(max(abs(table.low or 0), abs(table.high or 0)))
    if not whole and step < least:
        return (
            f"{where} step must be >= {least:.2g}, the distance of floats there. Received: {step}."
        )
    if table.points is not None:
        return f"{where} points is for numbers without a step. Received: step {step}."
    return None


def _choice(
    name: str, values: list[Any], builder: Builder | None, when: When
) -> tuple[Choice | None, list[str]]:
    where = f"[space.{name}] values"
    if not values:
        return None, [f"{where} must be a list of at least one value. Received: {shown(values)}."]
    others = [value for value in values if not _is_plain(value)]
    if others:
        return None, [
            f"{where} must be finite numbers, texts, true or false. Received: {shown(others[0])}."
        ]
    if len({(type(value), value) for value in values}) < len(values):
        return None, [f"{where} must differ from each other. Received: {shown(values)}."]
    if len({float if type(value) is int else type(value) for value in values}) > 1:
        return None, [f"{where} must be of one type. Received: {shown(values)}."]
    problems = [p for value in values if (p := validate_argument(name, value, builder))]
    if problems:
        return None, [f"{where} {problem}" for problem in problems]
    return Choice(tuple(values), when), []


def _is_plain(value: object) -> bool:
    """Return True if a record can hold the value and compare it, unlike a NaN."""
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _scale_problem(parameter: Range, where: str) -> str | None:
    scale = parameter.scale
    if scale == "reverse_log":
        return (
            f'{where} scale: "reverse_log" is not a log scale on 1-x: on [0.9, 0.999] it puts '
            'only 9.5 % of the samples above 0.99, where half belong. Use "one_minus_log".'
        )
    if scale not in SCALES:
        return one_of(f"{where} scale", scale, SCALES)
    low, high = parameter.edges
    if demand := SCALES[scale].admits(low, high):
        received = f"low {parameter.low}, high {parameter.high}"
        if parameter.step is not None:
            received += f", step {parameter.step} (half a step on each side counts)"
        return f'{where} scale "{scale}" needs {demand}. Received: {received}.'
    return None
