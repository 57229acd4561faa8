"""Copies of an optimizer's state for the optimizer of a model's copy."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tfcourse.errors import warn
from tfcourse.internals.optimizers import optimized_variables, weight_averages
from tfcourse.optimizers.keras_equivalent import optimizer_parts
from tfcourse.types import InitializerLike, Optimizer, Variable

__all__ = ["copy_optimizer_state"]


class _Slot(NamedTuple):
    """The identity of an optimizer's variable: the ``nth`` of that name for a weight."""

    weight: int
    name: str
    nth: int


def copy_optimizer_state(
    old: Optimizer, new: Optimizer, copies: Mapping[int, Any], trainable: Sequence[Any]
) -> None:
    """Build an optimizer for the trainable weights, with the state of another optimizer.

    The step number, the learning rate and the like are copied, and the slots of a weight become
    those of its copy. A weight that the old optimizer was not built with gets new slots.

    Args:
        old: A built optimizer.
        new: An optimizer of the same configuration, not built.
        copies: By the id of each weight of the old model, its copy.
        trainable: The weights that the new optimizer is to train.

    Warns:
        UserWarning: Some weights, or the optimizer, have no state to copy.
    """
    weights = optimized_variables(old)
    originals_of = {id(copies[id(w)]): w for w in weights if id(w) in copies}
    if [*originals_of] == [id(w) for w in trainable] and len(originals_of) == len(weights):
        new.build(trainable)
        pairs = [*zip(old.variables, new.variables, strict=True)]
    else:
        # Built on the same weights, a twin has the old optimizer's variables in the same order.
        twin = type(old).from_config(old.get_config())
        sources = _slots(twin, weights)
        targets = _slots(new, trainable)
        pairs = _pair_variables(
            [*zip(old.variables, sources, strict=True)],
            [*zip(new.variables, targets, strict=True)],
            {id(w): id(originals_of[id(w)]) for w in trainable if id(w) in originals_of},
        )
        # A float8 weight that is overwritten with its gradient has no state.
        stateful = [w for w in trainable if not getattr(w, "overwrite_with_gradient", False)]
        _warn_of_new_state(new, pairs, [w for w in stateful if id(w) not in originals_of])
    for source, target in pairs:
        target.assign(source)


def _slots(optimizer: Optimizer, weights: Sequence[Any]) -> list[_Slot | None]:
    """Build an optimizer, and return the slot of each of its variables, None for shared ones."""
    slots: dict[int, _Slot] = {}
    counts: Counter[tuple[int, str]] = Counter()

    def recording(add: Callable[..., Variable]) -> Any:
        def record(
            reference_variable: Variable,
            name: str | None = None,
            initializer: InitializerLike = "zeros",
        ) -> Any:
            variable = add(reference_variable, name=name, initializer=initializer)
            key = (id(reference_variable), str(name))
            slots[id(variable)] = _Slot(*key, counts[key])
            counts[key] += 1
            return variable

        return record

    parts = optimizer_parts(optimizer)
    for part in parts:
        vars(part)["add_variable_from_reference"] = recording(part.add_variable_from_reference)
    try:
        optimizer.build(weights)
    finally:
        for part in parts:
            del vars(part)["add_variable_from_reference"]
    return [slots.get(id(variable)) for variable in optimizer.variables]


def _pair_variables(
    sources: Sequence[tuple[Any, _Slot | None]],
    targets: Sequence[tuple[Any, _Slot | None]],
    originals: Mapping[int, int],
) -> list[tuple[Any, Any]]:
    """Pair the variables of both optimizers; none if their weights are unknown."""
    by_slot = {slot: variable for variable, slot in sources if slot}
    shared, new_shared = ([v for v, slot in side if not slot] for side in (sources, targets))
    kinds, new_kinds = ([(v.name, v.shape) for v in side] for side in (shared, new_shared))
    if kinds != new_kinds:
        return []
    pairs = [*zip(shared, new_shared, strict=True)]
    for variable, slot in targets:
        if slot and slot.weight in originals:
            source = by_slot.get(slot._replace(weight=originals[slot.weight]))
            if source is not None:
                pairs.append((source, variable))
    return pairs


def _warn_of_new_state(optimizer: Optimizer, pairs: Sequence[Any], unknown: Sequence[Any]) -> None:
    if not pairs:
        warn(
            f"swap: {type(optimizer).__name__} does not say which of its state belongs to which "
            "weight, and the model trains other weights than when it was compiled. The copy's "
            "optimizer starts from its initial state.",
        )
    elif unknown:
        names = ", ".join(f'"{weight.path}"' for weight in unknown)
        warn(
            f"swap: the optimizer has no state of {names}, which did not train when the model was "
            "compiled. The copy's optimizer starts from its initial state there.",
        )
        for part in optimizer_parts(optimizer):  # Keras averages from 0 only before the first step.
            averages = weight_averages(part)
            for weight, average in zip(optimized_variables(part), averages, strict=False):
                if average is not None and any(weight is other for other in unknown):
                    average.assign(weight)
