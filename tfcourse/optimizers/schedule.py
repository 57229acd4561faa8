"""A learning-rate schedule whose parameters are variables, so that one program serves many."""

from typing import Any

import keras

from tfcourse.errors import one_of
from tfcourse.formulas.schedules import scheduled_rate
from tfcourse.hyperparameters import HYPERPARAMETERS, SCHEDULES, check, is_number
from tfcourse.internals.optimizers import learning_rate_source
from tfcourse.types import Optimizer, TensorLike, Variable

__all__ = ["TrainingSchedule", "base_rate", "schedule_of", "schedule_variables", "set_base_rate"]


@keras.saving.register_keras_serializable(package="tfcourse")
class TrainingSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate over a whole training: `tfcourse.formulas.schedules.scheduled_rate`.

    A search uses it, because its parameters are variables: trials with other schedules are
    trained by the same compiled program. For a single training Keras's ``CosineDecay`` and
    ``PolynomialDecay`` do the same.

    Args:
        learning_rate: α₀ ≥ 0, the largest rate.
        schedule: ``"constant"``, ``"cosine"``, ``"linear"`` or ``"inverse_time"``.
        steps: The steps of the training.
        steps_per_epoch: The steps of an epoch.
        warmup: The share of the steps in which the rate rises from 0, in [0, 1).
        decay_rate: The rate of the inverse-time decay, at least 0.

    Raises:
        ValueError: An argument is not admissible.

    Source: course section 5.12.
    """

    def __init__(
        self,
        learning_rate: float,
        schedule: str = "constant",
        steps: int = 1,
        steps_per_epoch: int = 1,
        warmup: float = 0.0,
        decay_rate: float = 1.0,
    ) -> None:
        super().__init__()
        values: dict[str, float | str] = {
            "learning_rate": learning_rate,
            "schedule": schedule,
            "steps": steps,
            "steps_per_epoch": steps_per_epoch,
            "warmup": warmup,
            "decay_rate": decay_rate,
        }
        numbers = {name: _encode(name, value) for name, value in values.items()}
        self.parameters: dict[str, Variable] = {
            name: keras.Variable(
                0.0,
                dtype="float64",
                trainable=False,
                aggregation="only_first_replica",
                name=f"schedule_{name}",
            )
            for name in numbers
        }
        self.assign(**values)

    def __call__(self, step: TensorLike) -> Any:
        """Return the learning rate at a step, float64."""
        return scheduled_rate(step, **self.parameters)

    def assign(self, **values: float | str) -> None:
        """Set some of the parameters, by the constructor's names."""
        for name, value in values.items():
            variable, number = self.assignment(name, value)
            variable.assign(number)

    def assignment(self, name: str, value: float | str) -> tuple[Variable, float]:
        """Return the variable of a parameter, and the number to assign to it for a value.

        Raises:
            ValueError: The value is not admissible.
        """
        return self.parameters[name], _encode(name, value)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments with their current values."""
        config: dict[str, Any] = {name: float(v.numpy()) for name, v in self.parameters.items()}
        config["schedule"] = SCHEDULES[int(config["schedule"])]
        return config | {name: int(config[name]) for name in ("steps", "steps_per_epoch")}


def schedule_of(optimizer: Optimizer) -> TrainingSchedule | None:
    """Return the `TrainingSchedule` of an optimizer, or of the one that it scales the loss for."""
    inner: Any = getattr(optimizer, "inner_optimizer", optimizer)
    source = None if inner is None else learning_rate_source(inner)
    return source if isinstance(source, TrainingSchedule) else None


def base_rate(optimizer: Optimizer) -> float:
    """Return the learning rate that can be set: α₀ of a `TrainingSchedule`."""
    schedule = schedule_of(optimizer)
    if schedule is None:
        return float(keras.ops.convert_to_numpy(optimizer.learning_rate))
    return float(schedule.parameters["learning_rate"].numpy())


def set_base_rate(optimizer: Optimizer, value: float) -> None:
    """Set the learning rate of `base_rate`; a schedule continues with another α₀."""
    schedule = schedule_of(optimizer)
    if schedule is None:
        optimizer.learning_rate = value
    else:
        schedule.assign(learning_rate=value)


def schedule_variables(optimizer: Optimizer) -> list[Variable]:
    """Return the variables of an optimizer's `TrainingSchedule`; none if it has none.

    Keras does not count them among the optimizer's.
    """
    schedule = schedule_of(optimizer)
    return [] if schedule is None else [*schedule.parameters.values()]


def _encode(name: str, value: float | str) -> float:
    """Return the number in the variable of a parameter for a value."""
    if name == "schedule":
        if value not in SCHEDULES:
            raise ValueError(one_of("TrainingSchedule: schedule", value, SCHEDULES))
        return float(SCHEDULES.index(str(value)))
    if name in HYPERPARAMETERS:
        return float(check(name, value, "TrainingSchedule"))
    if not (is_number(value) and float(value) >= 1 and float(value).is_integer()):
        raise ValueError(
            f"TrainingSchedule: {name} must be a whole number >= 1. Received: {value}."
        )
    return float(value)
