"""The programs of a model and what they share, from one ``compile`` to the next."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tfcourse.internals.models import loss_tracker
from tfcourse.training.programs.trainable import FirstTrainable
from tfcourse.types import KerasModel, Nested

__all__ = ["ProgramCache", "Share", "program_cache", "same_objects"]

Function: TypeAlias = Callable[..., Any]
Share: TypeAlias = Callable[[Function, Hashable, Callable[[], bool]], Function]


@dataclass
class ProgramCache:
    """All that stays valid until the model is compiled again.

    It is a plain class: Keras, which looks for variables in a model's attributes, ignores it.

    Attributes:
        compile_state: The objects that ``compile`` made.
        programs: The model's programs by their kind, a tuple that begins with a word.
        state: The `StateCopier` of the model.
        reset: Its `MetricsReset`.
        trainable: Has all traces train the same layers.
        outputs: Symbols of the model's outputs, by the shapes and types of its inputs.
        traced_steps: The names of the model's own steps that were traced to create variables.
        share: Makes a program's function one that may use the trace of another model, from the
            function, a key, and a function that tells whether other models may use its traces;
            None where there are no others.
    """

    compile_state: tuple[object, ...]
    programs: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    state: Any = None
    reset: Any = None
    trainable: FirstTrainable = field(default_factory=FirstTrainable)
    outputs: dict[tuple[Any, ...], Nested] = field(default_factory=dict)
    traced_steps: set[str] = field(default_factory=set)
    share: Share | None = None


def program_cache(model: KerasModel) -> ProgramCache:
    """Return the cache of a model; an empty one after a new ``compile``."""
    # compile() makes a new loss tracker and metrics: while they are the same, so is the program.
    # A model's own `metrics` need not name them all.
    trackers = getattr(model, "optimizer", None), loss_tracker(model)
    compile_state = (*trackers, *model.metrics)
    cache: ProgramCache | None = getattr(model, "_tfcourse_programs", None)
    if cache is None or not same_objects(cache.compile_state, compile_state):
        cache = model._tfcourse_programs = ProgramCache(compile_state)
    return cache


def same_objects(these: Sequence[object], those: Sequence[object]) -> bool:
    """Return whether two sequences have the very same objects in them."""
    return len(these) == len(those) and all(a is b for a, b in zip(these, those, strict=True))
