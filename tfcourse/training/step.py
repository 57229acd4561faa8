"""The model's own step, and the state it needs before it can run inside a compiled loop."""

from typing import Any

import keras

from tfcourse.training.epoch import EpochProgram

__all__ = ["build_state", "test_program", "train_program"]


def build_state(model: Any, batch: Any) -> None:
    """Creates all variables (weights, loss, metrics, optimizer) on symbols of a batch's shape.

    No variable can be created inside the compiled loop. Keras's fit does the same with this
    private method, before its first step.
    """
    model._symbolic_build(data_batch=batch)


def _kept(model: Any, kind: str, jit_compile: bool, step: Any, result: Any) -> EpochProgram:
    """The model's program of this kind, made once and again after a new ``compile``."""
    # compile() makes a new loss tracker and metrics: while they are the same, so is the program.
    compiled = (model.optimizer, *model.metrics)
    kept = getattr(model, "_tfcourse_programs", None)
    if (
        kept is None
        or len(kept.compiled) != len(compiled)
        or any(a is not b for a, b in zip(kept.compiled, compiled, strict=True))
    ):
        kept = _Programs(compiled)
        model._tfcourse_programs = kept
    key = (kind, jit_compile, model.run_eagerly)
    if key not in kept.programs:
        kept.programs[key] = EpochProgram(step, result, jit_compile, model.run_eagerly)
    return kept.programs[key]


class _Programs:
    """Compiled programs and what they were compiled for; plain, so that Keras leaves it alone."""

    def __init__(self, compiled: tuple[Any, ...]) -> None:
        self.compiled = compiled
        self.programs: dict[tuple[Any, ...], EpochProgram] = {}


def _overrides(model: Any, name: str) -> bool:
    return getattr(type(model), name) is not getattr(keras.Model, name)


def train_program(model: Any, jit_compile: bool) -> EpochProgram:
    """``model.train_step`` (a ``GradientTape`` step, or the model's own) as an epoch program.

    A model's own step returns its own logs; Keras's gives the metrics, read once at the end.
    """
    own = _overrides(model, "train_step") or _overrides(model, "compute_metrics")
    result = None if own else model.get_metrics_result
    return _kept(model, "train", jit_compile, model.train_step, result)


def test_program(model: Any, jit_compile: bool) -> EpochProgram:
    """``model.test_step`` as an epoch program."""
    own = _overrides(model, "test_step") or _overrides(model, "compute_metrics")
    result = None if own else model.get_metrics_result
    return _kept(model, "test", jit_compile, model.test_step, result)
