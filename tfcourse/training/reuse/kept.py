"""A compiled model with its state as variables, kept to be trained again."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfcourse.training.programs.state import build_state, state_variables
from tfcourse.training.reuse.programs import impurity, traced_functions
from tfcourse.training.reuse.recipe import Recipe
from tfcourse.training.reuse.structure import structure
from tfcourse.training.reuse.values import NotComparableError
from tfcourse.training.reuse.variables import given_variables

__all__ = ["Kept", "give_state", "traces_of", "unlike", "with_state"]


@dataclass
class Kept:
    """A model with its state as variables.

    Attributes:
        model: The model.
        given: The variables that a model has before its first training; a fresh one's values
            go there.
        rest: Those that training adds (the optimizer's slots, metrics), with their first
            values; None for zeros.
        traces: How many traces its programs had when they were last looked at.
        recipe: How its first values come from the seed, if that is known.
    """

    model: Any
    given: list[Any]
    rest: list[tuple[Any, Any]]
    traces: int = 0
    recipe: Recipe | None = None

    @property
    def bytes(self) -> int:
        """The size of the variables."""
        variables = [*self.given, *(variable for variable, _ in self.rest)]
        return sum(math.prod(v.shape) * tf.as_dtype(v.dtype).size for v in variables)


def with_state(fresh: Any, sample: Any) -> Kept | None:
    """A new model with all its variables, before its training; None if it can't be built."""
    given = given_variables(fresh)
    try:
        build_state(fresh, sample, validation=sample)
    except Exception:  # what is wrong with the model, the training will say better
        return None
    known = {id(variable) for variable in given}
    rest = [variable for variable in state_variables(fresh) if id(variable) not in known]
    return Kept(fresh, given, [(variable, _first_value(variable)) for variable in rest])


def _first_value(variable: Any) -> Any:
    value = _raw(variable).numpy()
    return value if np.any(value) else None


def give_state(kept: Kept, values: Sequence[Any]) -> None:
    """Leaves a kept model as if it had just been built with these values."""
    for variable, value in zip(kept.given, values, strict=True):
        _assign(variable, value.value if isinstance(value, keras.Variable) else value)
    zeros: dict[Any, Any] = {}  # TensorFlow copies it for a variable that is changed
    for variable, first in kept.rest:
        if first is None:
            kind = tuple(variable.shape), variable.dtype
            if kind not in zeros:
                zeros[kind] = tf.zeros(*kind)
            first = zeros[kind]
        _assign(variable, first)


def _assign(variable: Any, value: Any) -> None:
    """Past Keras's and TensorFlow's ``assign``, which take ten times as long."""
    raw = _raw(variable)
    tensor = tf.convert_to_tensor(value, raw.dtype)
    tf.raw_ops.AssignVariableOp(resource=raw.handle, value=tensor, validate_shape=True)


def _raw(variable: Any) -> Any:
    """TensorFlow's variable in Keras's."""
    return variable if isinstance(variable, tf.Variable) else variable.value


def traces_of(model: Any) -> list[Any]:
    """All traces of the programs that are kept with a model."""
    held = getattr(model, "_tfcourse_programs", None)
    return [] if held is None else list(traced_functions(held.programs))


def unlike(kept: Kept, expected: Any) -> str | None:
    """Why a trained model can't be used again; None if it can."""
    model = kept.model
    variables = [*kept.given, *(variable for variable, _ in kept.rest)]
    resources = {id(_raw(variable).handle) for variable in variables}
    traces = traces_of(model)
    if not traces and not model.run_eagerly:
        return "its programs can't be looked at"
    for function in traces:
        reason = impurity(function, resources)
        if reason is not None:
            return reason
    try:
        same = structure(model) == expected
    except NotComparableError as error:
        return str(error)
    return None if same else "its layers change their own attributes when they are called"
