"""The compiled programs of a model, kept with it from one call to the next."""

from collections.abc import Callable, Sequence
from typing import Any

from tfcourse.training.programs.collect import CollectProgram
from tfcourse.training.programs.epoch import EpochProgram
from tfcourse.training.programs.program_cache import program_cache, same_objects
from tfcourse.training.programs.state import StateCopier
from tfcourse.training.programs.step import Step, layer_names, runs_eagerly, test_step, train_step
from tfcourse.training.programs.stream import BufferedProgram, StreamProgram

__all__ = ["predict_program", "state_copier", "test_program", "train_program"]


def train_program(
    model: Any,
    stream: bool,
    jit_compile: bool,
    guarded: bool,
    required: bool = True,
    in_range: Sequence[str] = (),
) -> Any:
    """The program that trains ``model``.

    Args:
        model: A compiled and built model.
        stream: Whether batches come from an iterator (`StreamProgram`, under XLA
            `BufferedProgram`) or from arrays (`EpochProgram`).
        jit_compile: Whether to compile with XLA.
        guarded: Whether it ends when the loss is not finite.
        required: Whether XLA must be had then.
        in_range: For XLA, the names of ``Embedding`` layers whose ids are known to be in range.
    """
    in_range = tuple(in_range) if jit_compile else ()
    key = ("train", stream, jit_compile, guarded, in_range)
    trainable = program_cache(model).trainable

    def make() -> Step:
        return train_step(model, guarded, trainable, in_range)

    return _step_program(model, key, make, required)


def test_program(
    model: Any,
    stream: bool,
    jit_compile: bool,
    required: bool = True,
    in_range: Sequence[str] = (),
) -> Any:
    """The program that evaluates ``model``; the arguments are those of `train_program`."""
    in_range = tuple(in_range) if jit_compile else ()
    key = ("test", stream, jit_compile, in_range)
    return _step_program(model, key, lambda: test_step(model, in_range), required)


def state_copier(model: Any) -> StateCopier:
    """What copies the model's state; made once a compiled model."""
    held = program_cache(model)
    if held.state is None:
        held.state = StateCopier(model)
    return held.state


def predict_program(model: Any, jit_compile: bool) -> CollectProgram:
    """The program that predicts with ``model``, which need not be compiled."""
    # Quantization and LoRA give a layer other variables, without a new compile().
    programs, key = program_cache(model).programs, ("predict", jit_compile)
    entry = programs.get(key)
    if entry is None or not same_objects(entry[0], model.variables):
        program = CollectProgram(model.predict_step, jit_compile, layer_names(model))
        entry = programs[key] = model.variables, program
    return entry[1]


def _step_program(model: Any, key: Any, make: Callable[[], Step], required: bool) -> Any:
    """The program of a key, which begins with its kind, ``stream`` and ``jit_compile``."""
    programs, eager = program_cache(model).programs, runs_eagerly(model)
    key, (_, stream, jit_compile) = (*key, eager), key[:3]
    kept = programs.get(key)
    if stream and not jit_compile:
        if kept is None:
            kept = programs[key] = StreamProgram(make(), eager)
        return kept
    if kept is None or (required and kept.refused):
        program = EpochProgram(make(), jit_compile, eager)
        kept = programs[key] = BufferedProgram(program) if stream else program
    kept.required = required
    return kept
