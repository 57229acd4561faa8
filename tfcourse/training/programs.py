"""The compiled programs of a model, kept with it from one call to the next."""

from typing import Any

from tfcourse.training.epoch import EpochProgram
from tfcourse.training.step import Step, test_step, train_step
from tfcourse.training.stream import BufferedProgram, StreamProgram

__all__ = ["test_program", "train_program"]


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


def _program(step: Step, stream: bool, jit_compile: bool, run_eagerly: bool) -> Any:
    if stream and not jit_compile:
        return StreamProgram(step, run_eagerly)
    program = EpochProgram(step, jit_compile, run_eagerly)
    return BufferedProgram(program) if stream else program


def _programs(model: Any) -> dict[tuple[Any, ...], Any]:
    """The model's programs by their kind; none after a new ``compile``."""
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
    return kept.programs


class _Programs:
    """Compiled programs and what they were compiled for; plain, so that Keras leaves it alone."""

    def __init__(self, compiled: tuple[Any, ...]) -> None:
        self.compiled = compiled
        self.programs: dict[tuple[Any, ...], Any] = {}
