"""What the course's optimizers share: hyperparameters as variables, and slots per weight."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from tfcourse.hyperparameters import check
from tfcourse.internals.optimizers import learning_rate_source, variable_index
from tfcourse.types import LearningRate, Tensor, TensorLike, Variable

__all__ = ["CourseOptimizer", "Decay", "Scalar"]


class Scalar:
    """A hyperparameter kept in a float64 variable of the optimizer, checked on every assignment.

    float64, so that reading gives back exactly what was assigned; the update casts it.
    """

    prefix = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.stored_name = f"{self.prefix}{name}"

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
                name=self.stored_name,
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
    """Base of the course's optimizers; a subclass names its ``slots`` and its ``formula``.

    Learning-rate schedules, weight decay, clipping, moving averages of the weights, gradient
    accumulation and loss scaling are Keras's own. A sparse gradient (of an Embedding) counts as
    the dense one it stands for.

    Args:
        learning_rate: α ≥ 0, a number, a Keras ``LearningRateSchedule`` or a callable.
        **kwargs: The arguments of every Keras optimizer (``weight_decay``, ``clipnorm``, …).
    """

    slots: Sequence[str] = ()
    formula: ClassVar[Callable[..., Any]]

    def __init__(self, learning_rate: LearningRate, **kwargs: Any) -> None:
        if not callable(learning_rate):
            learning_rate = float(check("learning_rate", learning_rate, type(self).__name__))
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.hyperparameters: dict[str, Any] = {}

    @property
    def learning_rate(self) -> Any:
        """α now: the variable's value, or the schedule's at this step."""
        return super().learning_rate

    @learning_rate.setter
    def learning_rate(self, value: LearningRate | TensorLike) -> None:
        if not (callable(value) or tf.is_symbolic_tensor(value)):
            check("learning_rate", np.asarray(value).item(), type(self).__name__)
        inherited: Any = keras.optimizers.Optimizer.learning_rate
        inherited.fset(self, value)

    def encoded(self, name: str, value: float) -> tuple[Any, float]:
        """The variable of a hyperparameter, and what it holds for a value.

        Raises:
            ValueError: The value is not admissible.
        """
        value = float(check(name, value, type(self).__name__))
        if name == "learning_rate":
            return learning_rate_source(self), value
        return self.hyperparameters[name], getattr(type(self), name).encode(value)

    def build(self, variables: Sequence[Any]) -> None:
        """Creates the slots, one variable a weight each."""
        if self.built:
            return
        super().build(variables)
        self.slot_variables = [self.add_optimizer_variables(variables, s) for s in self.slots]

    def apply(
        self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None
    ) -> None:
        """Takes a step, as Keras's ``apply``."""
        # Dense before Keras clips: of a sparse one it would clip rows that have yet to be added.
        super().apply([_dense(gradient) for gradient in grads], trainable_variables)

    def _backend_update_step(
        self, grads: Sequence[Any], trainable_variables: Sequence[Any], learning_rate: TensorLike
    ) -> None:
        """Keras's hook for all weights of a step: what they share is computed once."""
        dtypes = [tf.as_dtype(variable.dtype).name for variable in trainable_variables]
        now = {dtype: self.now(learning_rate, dtype) for dtype in dict.fromkeys(dtypes)}
        if not tf.distribute.has_strategy():
            # Without Keras's detour over the replicas: eagerly it takes as long as the step, and
            # in a graph its all-reduce registers a gradient, which keeps the graph for ever.
            for gradient, variable in zip(grads, trainable_variables, strict=True):
                self.update_step(gradient, variable, now)
        else:
            super()._backend_update_step(grads, trainable_variables, now)

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: TensorLike) -> None:
        """Subtracts the formula's step from ``variable`` and stores the new slots.

        Args:
            gradient: The gradient of ``variable``, dense.
            variable: One of the weights that the optimizer was built with.
            learning_rate: α, or what `now` gives for each dtype.
        """
        dtype = tf.as_dtype(variable.dtype).name
        shared = isinstance(learning_rate, dict)
        now = learning_rate[dtype] if shared else self.now(learning_rate, dtype)
        index = variable_index(self, variable)
        slots = [variables[index] for variables in self.slot_variables]
        state = [tf.convert_to_tensor(slot) for slot in slots]
        step, state = self.step(tf.cast(gradient, dtype), state, now)
        for slot, value in zip(slots, state, strict=True):
            self.assign(slot, value)
        self.assign_sub(variable, step)

    def step(self, gradient: Tensor, state: Sequence[Any], now: dict[str, Any]) -> Any:
        """The update of one weight as a pure function.

        Args:
            gradient: The weight's gradient.
            state: The weight's slots, in the order of ``slots``.
            now: What `now` gives for the weight's dtype.

        Returns:
            What to subtract from the weight, and a list of its new slots.
        """
        results = self.formula(_dense(gradient), *state, **now)
        if not self.slots:
            return results, []
        step, *new_state = results
        return step, new_state

    def now(self, learning_rate: TensorLike, dtype: str) -> dict[str, Any]:
        """The formula's hyperparameters at this step, as scalars of ``dtype``."""
        now = {"learning_rate": tf.cast(learning_rate, dtype)}
        for name, variable in self.hyperparameters.items():
            now[getattr(type(self), name).stored_name] = tf.cast(variable, dtype)
        if dtype == "float16" and "epsilon" in now:
            # It has no 1e-8: ε would be 0, and 0/0 the step of a gradient that has been 0. Its
            # smallest normal number, 6.1e-5, is below every root of a square that it does have.
            now["epsilon"] = tf.maximum(now["epsilon"], np.finfo(np.float16).tiny)
        return now

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments with their values now."""
        return {**super().get_config(), **{n: getattr(self, n) for n in self.hyperparameters}}


def _dense(gradient: Tensor) -> Any:
    return tf.convert_to_tensor(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient
