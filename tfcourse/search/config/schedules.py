"""The learning-rate schedule and the label smoothing of a config, and their checks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfcourse.errors import either, shown
from tfcourse.hyperparameters import SCHEDULE_ARGUMENTS, SMOOTHED_LOSSES
from tfcourse.search.config.builders import Builder
from tfcourse.search.config.tables import TrainingTable
from tfcourse.search.space.parameters import Choice, Parameter, any_of
from tfcourse.types import Hyperparameters

if TYPE_CHECKING:
    from tfcourse.search.config.search_config import SearchConfig

__all__ = [
    "TRAINING_ARGUMENTS",
    "is_scheduled",
    "is_smoothed",
    "schedule_advice",
    "training_value",
    "validate_schedules",
]

# Keys of [training] that can be searched, and are neither the builder's nor the optimizer's.
TRAINING_ARGUMENTS = (*SCHEDULE_ARGUMENTS, "label_smoothing")


def is_scheduled(config: "SearchConfig") -> bool:
    """Return True if the config sets or searches a schedule, a warm-up or a decay rate."""
    return any(_is_set(config, name) for name in SCHEDULE_ARGUMENTS)


def is_smoothed(config: "SearchConfig") -> bool:
    """Return True if the config sets or searches the label smoothing."""
    return _is_set(config, "label_smoothing")


def training_value(config: "SearchConfig", values: Hyperparameters, name: str) -> Any:
    """Return a trial's value of one of `TRAINING_ARGUMENTS`; None if it has none.

    A searched parameter with the name of a builder's argument is the builder's.
    """
    own = name not in config.builder.arguments and name in values
    return values[name] if own else getattr(config.training, name)


def _is_set(config: "SearchConfig", name: str) -> bool:
    searched = name in config.space and name not in config.builder.arguments
    return not config.builder.compiles and (searched or getattr(config.training, name) is not None)


def validate_schedules(
    training: TrainingTable, space: Mapping[str, Parameter], builder: Builder | None
) -> list[str]:
    """Return a line for each key of a schedule, or label smoothing, that has no effect.

    Args:
        training: ``[training]``.
        space: The parameters by name.
        builder: The builder; None if it has errors of its own.
    """
    searched = {
        name: parameter
        for name, parameter in space.items()
        if name in TRAINING_ARGUMENTS and not (builder is not None and name in builder.arguments)
    }
    fixed = [name for name in TRAINING_ARGUMENTS if getattr(training, name) is not None]
    if builder is not None and builder.compiles:  # of which [space] has no such name
        return [f"[training] {n} has no effect: the builder compiles its models." for n in fixed]
    places = [(name, f"[training] {name}") for name in fixed]
    places += [(name, f"[space.{name}]") for name in searched]
    errors = []
    for name, place in places:
        by_output = isinstance(training.loss, Mapping)
        if name == "label_smoothing" and (by_output or training.loss not in SMOOTHED_LOSSES):
            errors.append(
                f"{place} is for {either(SMOOTHED_LOSSES, '')}. Received: loss "
                f"{_quoted(training.loss)}. Take one of these, or leave label_smoothing out."
            )
        schedules = _schedules_with_decay(training, searched)
        if name == "decay_rate" and "inverse_time" not in schedules:
            every = _choices(training, searched)
            received = ", ".join(f'"{schedule}"' for schedule in schedules or every)
            remedy = "Set [training] schedule"
            if "inverse_time" in every:
                remedy = 'Set when = { schedule = "inverse_time" }'
            elif "schedule" in searched:
                remedy = 'Add "inverse_time" to [space.schedule]'
            errors.append(
                f'{place} is for schedule "inverse_time". Received: '
                f"{received}. {remedy}, or leave decay_rate out."
            )
    return errors


def schedule_advice(config: "SearchConfig") -> list[str]:
    """Return a line for each setting that works against a schedule or label smoothing."""
    lines, objective = [], config.search.objective
    if is_smoothed(config) and "label_smoothing" in config.space:
        if objective == "loss":
            lines.append(
                '[search] objective "loss" is of the smoothed labels, another thing in each trial: '
                'take "val_loss", or better "val_accuracy".'
            )
        elif objective == "val_loss":
            lines.append(
                "[space.label_smoothing] makes val_loss larger, which is measured on labels that "
                'are not smoothed, also where accuracy is better: take objective "val_accuracy".'
            )
    decays = {"cosine", "linear"} & {*_choices(config.training, config.space)}
    if config.training.early_stopping is not None and is_scheduled(config) and decays:
        lines.append(
            "[training.early_stopping] ends trainings before a cosine or linear schedule, which is "
            "that of all epochs, has reached its small learning rates."
        )
    return lines


def _choices(training: TrainingTable, searched: Mapping[str, Parameter]) -> list[str]:
    """Return the schedules that trials can have."""
    fixed = training.schedule or "constant"
    parameter = searched.get("schedule")
    if not isinstance(parameter, Choice):
        return [fixed]
    return [*parameter.values, *([fixed] if parameter.when else [])]


def _schedules_with_decay(training: TrainingTable, searched: Mapping[str, Parameter]) -> list[str]:
    """Return the schedules of the trials that have a decay rate."""
    choices = _choices(training, searched)
    if "decay_rate" in searched:
        condition = dict(searched["decay_rate"].when).get("schedule", tuple(choices))
        choices = [choice for choice in choices if choice in any_of(condition)]
    return choices


def _quoted(loss: object) -> str:
    return f'"{loss}"' if isinstance(loss, str) else shown(loss)
