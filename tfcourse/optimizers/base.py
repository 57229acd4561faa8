"""What the course's optimizers share: hyperparameters as variables, and slots per weight."""

import numbers
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfcourse.hyperparameters import check

__all__ = ["CourseOptimizer", "Decay", "Scalar"]


class Scalar:
    """A hyperparameter kept in a float64 variable of the optimizer, checked on every assignment.

    float64, so that reading gives back exactly what was assigned; the update casts it.
    """

    prefix = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        if optimizer is None:
            return self
        if self.name not in optimizer.hyperparameters:
            raise AttributeError(f"{type(optimizer).__name__}.{self.name} is not set yet.")
        return self.decode(float(optimizer.hyperparameters[self.name].numpy()))

    def __set__(self, optimizer: Any, value: float) -> None:
        encoded = self.encode(float(check(self.name, value, type(optimizer).__name__)))
        if self.name not in optimizer.hyperparameters:
            optimizer.hyperparameters[self.name] = optimizer.add_variable(
                shape=(),
                dtype="float64",
                aggregation="only_first_replica",
                name=f"{self.prefix}{self.name}",
            )
        # Assigned rather than initialized: Keras's constant initializer rounds to float32.
        optimizer.hyperparameters[self.name].assign(encoded)

    def encode(self, value: float) -> float:
        """What the variable holds for ``value``."""
        return value

    def decode(self, stored: float) -> float:
        """The value that the variable stands for."""
        return stored


class Decay(Scalar):
    """A decay β, kept as its complement 1-β: near β = 1 a float32 β has lost the digits of 1-β."""

    prefix = "one_minus_"

    def encode(self, value: float) -> float:
        """1-β."""
        return 1.0 - value

    def decode(self, stored: float) -> float:
        """β, without the rounding of 1-β in its last digit."""
        return round(1.0 - stored, 16)


class CourseOptimizer(keras.optimizers.Optimizer):
    """Base of the course's optimizers; a subclass names its ``slots`` and gives ``update``.

    Learning-rate schedules, weight decay, clipping, moving averages of the weights, gradient
    accumulation and loss scaling are Keras's own.

    Args:
        learning_rate: α ≥ 0, a number, a Keras ``LearningRateSchedule`` or a callable.
        **kwargs: The arguments of every Keras optimizer (``weight_decay``, ``clipnorm``, …).
    """

    slots: Sequence[str] = ()

    def __init__(self, learning_rate: Any, **kwargs: Any) -> None:
        if not callable(learning_rate):
            learning_rate = float(check("learning_rate", learning_rate, type(self).__name__))
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.hyperparameters: dict[str, Any] = {}

    @property
    def learning_rate(self) -> Any:
        """α now: the variable's value, or the schedule's at this step."""
        return self._get_current_learning_rate()

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(value, numbers.Real):
            check("learning_rate", value, type(self).__name__)
        keras.optimizers.Optimizer.learning_rate.fset(self, value)

    def build(self, variables: Sequence[Any]) -> None:
        """Creates the slots, one variable a weight each."""
        if self.built:
            return
        super().build(variables)
        self._slot_variables = [self.add_optimizer_variables(variables, s) for s in self.slots]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Subtracts the formula's step from ``variable`` and stores the new slots."""
        dtype = variable.dtype
        index = self._get_variable_index(variable)
        slots = [variables[index] for variables in self._slot_variables]
        step, *state = self.update(
            # A sparse gradient (of an Embedding) counts as the dense one it stands for.
            tf.cast(tf.convert_to_tensor(gradient), dtype),
            [tf.convert_to_tensor(slot) for slot in slots],
            tf.cast(learning_rate, dtype),
        )
        for slot, value in zip(slots, state, strict=True):
            self.assign(slot, value)
        self.assign_sub(variable, step)

    def update(self, gradient: Any, state: Sequence[Any], learning_rate: Any) -> Sequence[Any]:
        """``(step, *new state)`` by the formula in `tfcourse.formulas.updates`."""
        raise NotImplementedError(f"{type(self).__name__} must define update().")

    def stored(self, name: str, dtype: Any) -> Any:
        """The variable behind a hyperparameter (for a decay, 1-β) as a tensor of ``dtype``."""
        return tf.cast(self.hyperparameters[name], dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments with their values now."""
        return {**super().get_config(), **{n: getattr(self, n) for n in self.hyperparameters}}
