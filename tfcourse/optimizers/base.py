"""The base of the course's optimizers: hyperparameters as variables, slots for each weight."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from tfcourse.hyperparameters import check
from tfcourse.internals.optimizers import learning_rate_source, variable_index
from tfcourse.optimizers.schedule import schedule_of
from tfcourse.types import LearningRate, Tensor, TensorLike, Variable

__all__ = ["CourseOptimizer", "DecayVariable", "HyperparameterVariable"]


class HyperparameterVariable:
    """A hyperparameter in a float64 variable of the optimizer, checked at every assignment.

    The variable is float64 so that reading returns exactly the number that was assigned; the
    update casts it.
    """

    prefix = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.variable_name = f"{self.prefix}{name}"

    def __get__(
        self, optimizer: "CourseOptimizer | None", owner: type | None = None
    ) -> "float | HyperparameterVariable":
        if optimizer is None:
            return self
        if self.name not in optimizer.hyperparameters:
            raise AttributeError(f"{type(optimizer).__name__}.{self.name} is not set yet.")
        return self.decode(float(optimizer.hyperparameters[self.name].numpy()))

    def __set__(self, optimizer: "CourseOptimizer", value: float) -> None:
        number = self.encode(float(check(self.name, value, type(optimizer).__name__)))
        if self.name not in optimizer.hyperparameters:
            optimizer.hyperparameters[self.name] = optimizer.add_variable(
                shape=(),
                dtype="float64",
                aggregation="only_first_replica",
                name=self.variable_name,
            )
        # Assigned rather than initialized: Keras's constant initializer rounds to float32.
        optimizer.hyperparameters[self.name].assign(number)

    def encode(self, value: float) -> float:
        """Return the number in the variable for ``value``."""
        return value

    def decode(self, number: float) -> float:
        """Return the value for a number in the variable."""
        return number


class DecayVariable(HyperparameterVariable):
    """A decay β as its complement 1-β: near β = 1 a float32 β has lost the digits of 1-β."""

    prefix = "one_minus_"

    def encode(self, value: float) -> float:
        """Return 1-β."""
        return 1.0 - value

    def decode(self, number: float) -> float:
        """Return β, without the rounding of 1-β in its last digit."""
        return round(1.0 - number, 16)


class CourseOptimizer(keras.optimizers.Optimizer):
    """The base of the course's optimizers; a subclass names its ``slots`` and its ``formula``.

    Learning-rate schedules, weight decay, clipping, moving averages of the weights, gradient
    accumulation and loss scaling are Keras's own. A sparse gradient (of an Embedding) is made
    dense.

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
        self.hyperparameters: dict[str, Variable] = {}

    @property
    def learning_rate(self) -> Any:
        """The current α: the variable's value, or the schedule's at this step."""
        return super().learning_rate

    @learning_rate.setter
    def learning_rate(self, value: LearningRate | TensorLike) -> None:
        if not (callable(value) or tf.is_symbolic_tensor(value)):
            check("learning_rate", np.asarray(value).item(), type(self).__name__)
        inherited: Any = keras.optimizers.Optimizer.learning_rate
        inherited.fset(self, value)

    def assignment(self, name: str, value: float | str) -> tuple[Variable, float]:
        """Return the variable of a hyperparameter, and the number to assign to it for a value.

        The parameters of a `TrainingSchedule` are among them.

        Raises:
            ValueError: The value is not admissible.
        """
        schedule = schedule_of(self)
        if schedule is not None and name in schedule.parameters:
            return schedule.assignment(name, value)
        value = float(check(name, value, type(self).__name__))
        if name == "learning_rate":
            return learning_rate_source(self), value
        return self.hyperparameters[name], getattr(type(self), name).encode(value)

    def build(self, variables: Sequence[Variable]) -> None:
        """Create the slots, each with one variable for every weight."""
        if self.built:
            return
        super().build(variables)
        self.slot_variables = [self.add_optimizer_variables(variables, s) for s in self.slots]

    def apply(
        self, grads: Sequence[Tensor], trainable_variables: Sequence[Variable] | None = None
    ) -> None:
        """Apply the gradients, as Keras's ``apply`` does."""
        # Dense before Keras clips: it would clip rows of a sparse one that are still to be added.
        super().apply([_dense(gradient) for gradient in grads], trainable_variables)

    def _backend_update_step(
        self,
        grads: Sequence[Tensor],
        trainable_variables: Sequence[Variable],
        learning_rate: Tensor,
    ) -> None:
        """Update all weights; the hyperparameters that they share are computed once."""
        dtypes = [tf.as_dtype(variable.dtype).name for variable in trainable_variables]
        shared = {
            dtype: self.step_hyperparameters(learning_rate, dtype)
            for dtype in dict.fromkeys(dtypes)
        }
        if not tf.distribute.has_strategy():
            # Without Keras's detour over the replicas: eagerly it takes as long as the step, and
            # in a graph its all-reduce registers a gradient, which keeps the graph for ever.
            for gradient, variable in zip(grads, trainable_variables, strict=True):
                self.update_step(gradient, variable, shared)
        else:
            super()._backend_update_step(grads, trainable_variables, shared)

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: TensorLike) -> None:
        """Subtract the formula's step from ``variable`` and assign the new slots.

        Args:
            gradient: The gradient of ``variable``, dense.
            variable: One of the weights that the optimizer was built with.
            learning_rate: α, or the `step_hyperparameters` of each dtype.
        """
        dtype = tf.as_dtype(variable.dtype).name
        if isinstance(learning_rate, dict):
            hyperparameters = learning_rate[dtype]
        else:
            hyperparameters = self.step_hyperparameters(learning_rate, dtype)
        index = variable_index(self, variable)
        slots = [variables[index] for variables in self.slot_variables]
        state = [tf.convert_to_tensor(slot) for slot in slots]
        step, state = self.step(tf.cast(gradient, dtype), state, hyperparameters)
        for slot, value in zip(slots, state, strict=True):
            self.assign(slot, value)
        self.assign_sub(variable, step)

    def step(
        self, gradient: Tensor, state: Sequence[Tensor], hyperparameters: Mapping[str, Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Compute the update of one weight, as a pure function.

        Args:
            gradient: The weight's gradient.
            state: The weight's slots, in the order of ``slots``.
            hyperparameters: The `step_hyperparameters` of the weight's dtype.

        Returns:
            The step to subtract from the weight, and a list of its new slots.
        """
        results = self.formula(_dense(gradient), *state, **hyperparameters)
        if not self.slots:
            return results, []
        step, *new_state = results
        return step, new_state

    def step_hyperparameters(self, learning_rate: TensorLike, dtype: str) -> dict[str, Tensor]:
        """Return the formula's hyperparameters at this step, as scalars of ``dtype``."""
        hyperparameters = {"learning_rate": tf.cast(learning_rate, dtype)}
        for name, variable in self.hyperparameters.items():
            hyperparameters[getattr(type(self), name).variable_name] = tf.cast(variable, dtype)
        if dtype == "float16" and "epsilon" in hyperparameters:
            # float16 has no 1e-8: ε would be 0, and the step of a gradient that is always 0 would
            # be 0/0. Its smallest normal number, 6.1e-5, is below the root of every square > 0.
            smallest = np.finfo(np.float16).tiny
            hyperparameters["epsilon"] = tf.maximum(hyperparameters["epsilon"], smallest)
        return hyperparameters

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments with their current values."""
        return {**super().get_config(), **{n: getattr(self, n) for n in self.hyperparameters}}


def _dense(gradient: Tensor) -> Tensor:
    return tf.convert_to_tensor(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient
