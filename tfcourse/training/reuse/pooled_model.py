"""A compiled model with its state as variables, which can be trained again from other values."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf

from tfcourse.internals.tensorflow import assign_variables
from tfcourse.training.programs.building import build_state
from tfcourse.training.programs.state import state_variables
from tfcourse.training.reuse.purity import impurity, traced_functions
from tfcourse.training.reuse.recipe import Recipe
from tfcourse.training.reuse.variables import initial_variables
from tfcourse.types import (
    Array,
    ConcreteFunction,
    DType,
    KerasModel,
    Nested,
    Shape,
    Tensor,
    TensorLike,
    Variable,
)

__all__ = ["PooledModel", "pooled_model", "reset_state", "traces_of"]

Kind: TypeAlias = tuple[Shape, DType]
# Elements of zeros that are kept from one training to the next.
MAX_KEPT = 2**14


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
        zeros: Small ones for ``derived_state``, which take longer to make than to assign.
    """

    model: KerasModel
    initial_state: list[Variable]
    derived_state: list[tuple[Variable, Array | None]]
    traces: int = 0
    recipe: Recipe | None = None
    zeros: dict[Kind, Tensor] = field(default_factory=dict)

    @property
    def variables(self) -> list[Variable]:
        """All variables, the initial state first."""
        return [*self.initial_state, *(variable for variable, _ in self.derived_state)]

    @cached_property
    def handles(self) -> tuple[list[Tensor], list[Kind]]:
        """The resources, the shapes and the types of all variables, in their order."""
        raw = [_tf_variable(variable) for variable in self.variables]
        return [v.handle for v in raw], [(tuple(v.shape), v.dtype) for v in raw]

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
    zeros = dict(pooled.zeros)  # TensorFlow copies them for variables that are changed

    def first_value(first: Array | None, kind: Kind) -> TensorLike:
        if first is None and kind not in zeros:
            zeros[kind] = tf.zeros(*kind)
            if int(zeros[kind].shape.num_elements()) <= MAX_KEPT:
                pooled.zeros[kind] = zeros[kind]
        return zeros[kind] if first is None else first

    handles, kinds = pooled.handles
    initial, derived = kinds[: len(values)], kinds[len(values) :]
    pairs = zip(pooled.derived_state, derived, strict=True)
    tensors = [
        *(_tensor(value, dtype) for value, (_, dtype) in zip(values, initial, strict=True)),
        *(_tensor(first_value(first, kind), kind[1]) for (_, first), kind in pairs),
    ]
    assign_variables(handles, tensors)


def _tensor(value: Variable | TensorLike, dtype: DType) -> Tensor:
    if isinstance(value, keras.Variable):
        value = value.value
    # The public function takes as long to return a tensor as it is.
    is_right = isinstance(value, tf.Tensor) and value.dtype == dtype
    return value if is_right else tf.convert_to_tensor(value, dtype)


def _tf_variable(variable: Variable | tf.Variable) -> tf.Variable:
    return variable if isinstance(variable, tf.Variable) else variable.value


def traces_of(model: KerasModel) -> list[ConcreteFunction]:
    """Return all traces of the programs in a model's program cache."""
    cache = getattr(model, "_tfcourse_programs", None)
    return [] if cache is None else list(traced_functions(cache.programs))
