"""The compiled programs of a model, kept with it from one call to the next."""

from collections.abc import Sequence
from typing import Any

from tfcourse.training.programs.collect import CollectProgram
from tfcourse.training.programs.epoch import EpochProgram
from tfcourse.training.programs.state import StateCopier
from tfcourse.training.programs.step import Step, test_step, train_step
from tfcourse.training.programs.stream import BufferedProgram, StreamProgram

__all__ = ["predict_program", "state_copier", "test_program", "train_program"]


def train_program(model: Any, stream: bool, jit_compile: bool, guarded: bool) -> Any:
    """The program that trains ``model``.

    Args:
        model: A compiled and built model.
        stream: Whether batches come from an iterator (`StreamProgram`, under XLA
            `BufferedProgram`) or from arrays (`EpochProgram`).
        jit_compile: Whether to compile with XLA.
        guarded: Whether it ends when the loss is not finite.
    """
    key = ("train", stream, jit_compile, guarded, model.run_eagerly)
    programs = _programs(model)
    if key not in programs:
        step = train_step(model, guarded)
        programs[key] = _program(step, stream, jit_compile, model.run_eagerly)
    return programs[key]


def test_program(model: Any, stream: bool, jit_compile: bool) -> Any:
    """The program that evaluates ``model``."""
    key = ("test", stream, jit_compile, model.run_eagerly)
    programs = _programs(model)
    if key not in programs:
        programs[key] = _program(test_step(model), stream, jit_compile, model.run_eagerly)
    return programs[key]


def state_copier(model: Any) -> StateCopier:
    """What copies the model's state; compiled once a model."""
    programs = _programs(model)
    if "state" not in programs:
        programs["state"] = StateCopier(model)
    return programs["state"]


def predict_program(model: Any, jit_compile: bool) -> CollectProgram:
    """The program that predicts with ``model``, which need not be compiled."""
    # Quantization and LoRA give a layer other variables, without a new compile().
    programs, key, variables = _programs(model), ("predict", jit_compile), model.variables
    kept = programs.get(key)
    if kept is None or not _same(kept[0], variables):
        kept = programs[key] = variables, CollectProgram(model.predict_step, jit_compile)
    return kept[1]


def _program(step: Step, stream: bool, jit_compile: bool, run_eagerly: bool) -> Any:
    if stream and not jit_compile:
        return StreamProgram(step, run_eagerly)
    program = EpochProgram(step, jit_compile, run_eagerly)
    return BufferedProgram(program) if stream else program


def _programs(model: Any) -> dict[Any, Any]:
    """The model's programs by their kind; none after a new ``compile``."""
    # compile() makes a new loss tracker and metrics: while they are the same, so is the program.
    compiled = (getattr(model, "optimizer", None), *model.metrics)
    kept = getattr(model, "_tfcourse_programs", None)
    if kept is None or not _same(kept.compiled, compiled):
        kept = _Programs(compiled)
        model._tfcourse_programs = kept
    return kept.programs


def _same(these: Sequence[Any], those: Sequence[Any]) -> bool:
    """Whether two sequences hold the very same objects."""
    return len(these) == len(those) and all(a is b for a, b in zip(these, those, strict=True))


class _Programs:
    """Compiled programs and what they were compiled for; plain, so that Keras leaves it alone."""

    def __init__(self, compiled: tuple[Any, ...]) -> None:
        self.compiled = compiled
        self.programs: dict[Any, Any] = {}
