"""A compiled model with its state as variables, which can be trained again from other values."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from tfcourse.training.programs.state import build_state, state_variables
from tfcourse.training.reuse.purity import impurity, traced_functions
from tfcourse.training.reuse.recipe import Recipe
from tfcourse.training.reuse.variables import initial_variables
from tfcourse.types import Array, ConcreteFunction, KerasModel, Nested, Tensor, TensorLike, Variable

__all__ = ["PooledModel", "pooled_model", "reset_state", "traces_of"]


@dataclass
class PooledModel:
    """A model with its state as variables.

    Attributes:
        model: The model.
        initial_state: The variables that it had before its first training; the values of a newly
            built model go there.
        derived_state: Those that training adds (the optimizer's slots, metrics), each with its
            first value; None for zeros.
        traces: The number of traces of its programs when they were last examined.
        recipe: How its first values come from the seed, if that is known.
    """

    model: KerasModel
    initial_state: list[Variable]
    derived_state: list[tuple[Variable, Array | None]]
    traces: int = 0
    recipe: Recipe | None = None

    @property
    def variables(self) -> list[Variable]:
        """All variables, the initial state first."""
        return [*self.initial_state, *(variable for variable, _ in self.derived_state)]

    @property
    def bytes(self) -> int:
        """The size of the variables."""
        return sum(math.prod(v.shape) * tf.as_dtype(v.dtype).size for v in self.variables)

    @property
    def impurity(self) -> str | None:
        """The reason why its programs can't be used again; None if they can."""
        resources = {id(_tf_variable(variable).handle) for variable in self.variables}
        traces = traces_of(self.model)
        if not traces and not self.model.run_eagerly:
            return "its programs can't be examined"
        reasons = (impurity(function, resources) for function in traces)
        return next((reason for reason in reasons if reason is not None), None)


def pooled_model(model: KerasModel, sample: Nested) -> PooledModel | None:
    """Return a new model with all its variables, before its training; None if it can't be built."""
    initial = initial_variables(model)
    try:
        build_state(model, sample, validation=sample)
    except Exception:  # the training raises a better error
        return None
    ids = {id(variable) for variable in initial}
    derived = [variable for variable in state_variables(model) if id(variable) not in ids]
    return PooledModel(model, initial, [(variable, _first_value(variable)) for variable in derived])


def _first_value(variable: Variable) -> Array | None:
    value = _tf_variable(variable).numpy()
    return value if np.any(value) else None


def reset_state(pooled: PooledModel, values: Sequence[Variable | TensorLike]) -> None:
    """Set a pooled model's variables as if it had just been built with these initial values."""
    for variable, value in zip(pooled.initial_state, values, strict=True):
        _assign(variable, value.value if isinstance(value, keras.Variable) else value)
    zeros: dict[Hashable, Tensor] = {}  # TensorFlow copies it for a variable that is changed
    for variable, first in pooled.derived_state:
        if first is None:
            kind = tuple(variable.shape), variable.dtype
            if kind not in zeros:
                zeros[kind] = tf.zeros(*kind)
            first = zeros[kind]
        _assign(variable, first)


def _assign(variable: Variable, value: TensorLike) -> None:
    """Assign without Keras's and TensorFlow's ``assign``, which take ten times as long."""
    raw = _tf_variable(variable)
    tensor = tf.convert_to_tensor(value, raw.dtype)
    tf.raw_ops.AssignVariableOp(resource=raw.handle, value=tensor, validate_shape=True)


def _tf_variable(variable: Variable | tf.Variable) -> tf.Variable:
    return variable if isinstance(variable, tf.Variable) else variable.value


def traces_of(model: KerasModel) -> list[ConcreteFunction]:
    """Return all traces of the programs in a model's program cache."""
    cache = getattr(model, "_tfcourse_programs", None)
    return [] if cache is None else list(traced_functions(cache.programs))
