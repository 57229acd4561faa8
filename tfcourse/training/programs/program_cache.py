"""What is kept with a model from one ``compile`` to the next."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tfcourse.internals.models import loss_tracker
from tfcourse.training.programs.trainable import FirstTrainable

__all__ = ["ProgramCache", "program_cache", "same_objects"]


@dataclass
class ProgramCache:
    """What holds until the model is compiled again; a plain class, so that Keras leaves it alone.

    Attributes:
        compiled: What ``compile`` made.
        programs: The model's programs by their kind, a tuple that begins with a word.
        state: What copies the model's state.
        trainable: What has all traces train the same layers.
        outputs: Symbols of what it gives, by the shapes and types of its inputs.
        traced: The names of those of the model's own steps that were traced to create variables.
    """

    compiled: tuple[Any, ...]
    programs: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    state: Any = None
    trainable: FirstTrainable = field(default_factory=FirstTrainable)
    outputs: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    traced: set[str] = field(default_factory=set)


def program_cache(model: Any) -> ProgramCache:
    """What is kept with a model; empty after a new ``compile``."""
    # compile() makes a new loss tracker and metrics: while they are the same, so is the program.
    # A model's own `metrics` need not name them all.
    trackers = getattr(model, "optimizer", None), loss_tracker(model)
    compiled = (*trackers, *model.metrics)
    held = getattr(model, "_tfcourse_programs", None)
    if held is None or not same_objects(held.compiled, compiled):
        held = model._tfcourse_programs = ProgramCache(compiled)
    return held


def same_objects(these: Sequence[Any], those: Sequence[Any]) -> bool:
    """Whether two sequences hold the very same objects."""
    return len(these) == len(those) and all(a is b for a, b in zip(these, those, strict=True))
