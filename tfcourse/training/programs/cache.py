"""The compiled programs of a model, kept with it from one call to the next."""

from collections.abc import Callable, Sequence
from typing import Any

from tfcourse.training.programs.collect import CollectProgram
from tfcourse.training.programs.epoch import EpochProgram
from tfcourse.training.programs.state import StateCopier
from tfcourse.training.programs.step import Step, layer_names, test_step, train_step
from tfcourse.training.programs.stream import BufferedProgram, StreamProgram

__all__ = ["predict_program", "state_copier", "test_program", "train_program"]


def train_program(
    model: Any, stream: bool, jit_compile: bool, guarded: bool, required: bool = True
) -> Any:
    """The program that trains ``model``.

    Args:
        model: A compiled and built model.
        stream: Whether batches come from an iterator (`StreamProgram`, under XLA
            `BufferedProgram`) or from arrays (`EpochProgram`).
        jit_compile: Whether to compile with XLA.
        guarded: Whether it ends when the loss is not finite.
        required: Whether XLA must be had then.
    """
    key = ("train", stream, jit_compile, guarded)
    return _step_program(model, key, lambda: train_step(model, guarded), required)


def test_program(model: Any, stream: bool, jit_compile: bool, required: bool = True) -> Any:
    """The program that evaluates ``model``; the arguments are those of `train_program`."""
    return _step_program(model, ("test", stream, jit_compile), lambda: test_step(model), required)


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
        program = CollectProgram(model.predict_step, jit_compile, layer_names(model))
        kept = programs[key] = variables, program
    return kept[1]


def _step_program(model: Any, key: Any, make: Callable[[], Step], required: bool) -> Any:
    """The program of a key, which begins with its kind, ``stream`` and ``jit_compile``."""
    programs, eager = _programs(model), model.run_eagerly
    key, (_, stream, jit_compile) = (*key, eager), key[:3]
    if stream and not jit_compile:
        if key not in programs:
            programs[key] = StreamProgram(make(), eager)
        return programs[key]
    program = programs.get(key)
    if program is None or (required and program.refused):
        program = programs[key] = EpochProgram(make(), jit_compile, eager)
    program.required = required
    if not stream:
        return program
    if program not in programs:
        programs[program] = BufferedProgram(program)
    return programs[program]


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
