"""Optimizers: their variables, and the parts of a step."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

from tfcourse.internals.versions import uses
from tfcourse.types import Optimizer, Tensor, TensorLike, Variable

__all__ = [
    "HOOKS",
    "adam_slots",
    "has_weight_decay",
    "inner_optimizers",
    "learning_rate_source",
    "optimized_variables",
    "updates_by",
    "variable_index",
    "weight_averages",
    "with_updates",
    "without_all_reduce",
]

# Takes gradients, their weights and the learning rate.
Update: TypeAlias = Callable[[Sequence[Tensor], Sequence[Variable], TensorLike], None]

# The methods of an update that are not public, which a subclass may override all the same.
HOOKS = ("_backend_apply_gradients", "_backend_update_step", "_clip_gradients")


@uses("keras.optimizers.Optimizer._learning_rate")
def learning_rate_source(optimizer: Optimizer) -> Any:
    """Return the learning rate's variable, schedule or function.

    The public ``learning_rate`` is its value at the present step.
    """
    return optimizer._learning_rate


@uses("keras.optimizers.Optimizer._trainable_variables")
def optimized_variables(optimizer: Optimizer) -> list[Variable]:
    """Return the weights that an optimizer was built with, in their order."""
    return list(optimizer._trainable_variables)


@uses("keras.optimizers.Optimizer._get_variable_index")
def variable_index(optimizer: Optimizer, variable: Variable) -> int:
    """Return the place of a weight among those that an optimizer was built with.

    Keras's own optimizers find a weight's slots by it.
    """
    return int(optimizer._get_variable_index(variable))


@uses("keras.optimizers.MultiOptimizer._inner_optimizers")
def inner_optimizers(optimizer: Optimizer) -> list[Optimizer]:
    """Return the optimizers that a ``MultiOptimizer`` is made of; none of another."""
    return list(getattr(optimizer, "_inner_optimizers", ()))


@uses("keras.optimizers.Optimizer._model_variables_moving_average")
def weight_averages(optimizer: Optimizer) -> Sequence[Variable]:
    """Return the moving averages of the weights; none without ``use_ema``.

    Public is only to write them over the weights.
    """
    return getattr(optimizer, "_model_variables_moving_average", [])


@uses("keras.optimizers.Optimizer._use_weight_decay")
def has_weight_decay(optimizer: Optimizer, variable: Variable) -> bool:
    """Return False for a weight that ``exclude_from_weight_decay`` was called with.

    An optimizer's config does not contain them.
    """
    return bool(optimizer._use_weight_decay(variable))


@uses("keras.optimizers.Optimizer._all_reduce_sum_gradients")
def without_all_reduce(optimizers: Iterable[Optimizer]) -> AbstractContextManager[None]:
    """Have optimizers take their gradients as they are, without a sum over the replicas.

    No argument of theirs leaves the sum out.
    """
    return _replaced("_all_reduce_sum_gradients", [(optimizer, list) for optimizer in optimizers])


@uses("keras.optimizers.Optimizer._backend_update_step")
def updates_by(kind: type[Optimizer]) -> Any:
    """Return the method with which a class of optimizers updates all weights."""
    return kind._backend_update_step


@uses("keras.optimizers.Optimizer._backend_update_step")
def with_updates(updates: Iterable[tuple[Optimizer, Update]]) -> AbstractContextManager[None]:
    """Have optimizers call other functions to update the weights, after clipping and decay.

    The public ``update_step`` updates one weight, and knows nothing of the others.

    Args:
        updates: The optimizers, each with its function.
    """
    return _replaced("_backend_update_step", list(updates))


@uses("keras.optimizers.Adam._momentums", "keras.optimizers.Adam._velocities")
def adam_slots(optimizer: Optimizer, variable: Variable) -> tuple[Variable, Variable]:
    """Return the averages of a weight's gradient and of its square, of Keras's ``Adam``.

    The public ``variables`` has those of all weights in a row.
    """
    index = variable_index(optimizer, variable)
    return optimizer._momentums[index], optimizer._velocities[index]


def _replaced(name: str, methods: Sequence[tuple[Optimizer, Any]]) -> AbstractContextManager[None]:
    """Return a context in which some optimizers have another method of a name that all have."""
    for optimizer, _ in methods:
        getattr(optimizer, name)  # an AttributeError for `uses`, where Keras lacks it
    return _replacement(name, methods)


@contextmanager
def _replacement(name: str, methods: Sequence[tuple[Optimizer, Any]]) -> Iterator[None]:
    for optimizer, method in methods:
        optimizer.__dict__[name] = method
    try:
        yield
    finally:
        for optimizer, _ in methods:
            optimizer.__dict__.pop(name, None)
