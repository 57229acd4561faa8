"""The compiled programs of a model, made once and then found in its `ProgramCache`."""

from collections.abc import Callable, Sequence
from typing import Any

from tfcourse.training.programs.buffered import BufferedProgram
from tfcourse.training.programs.collect import CollectProgram
from tfcourse.training.programs.epoch import EpochProgram
from tfcourse.training.programs.fused_lstm import fused_layers, fused_step
from tfcourse.training.programs.program_cache import program_cache, same_objects
from tfcourse.training.programs.state import MetricsReset, StateCopier
from tfcourse.training.programs.step import Step, layer_names, runs_eagerly, test_step, train_step
from tfcourse.training.programs.stream import StreamProgram
from tfcourse.types import KerasModel

__all__ = [
    "StepProgram",
    "metrics_reset",
    "predict_program",
    "state_copier",
    "test_program",
    "train_program",
]

StepProgram = EpochProgram | StreamProgram | BufferedProgram


def train_program(
    model: KerasModel,
    stream: bool,
    jit_compile: bool,
    guarded: bool,
    required: bool = True,
    in_range: Sequence[str] = (),
    exact: bool = True,
    optimized: bool = True,
) -> StepProgram:
    """Return the program that trains a model.

    Args:
        model: A compiled and built model.
        stream: Whether batches come from an iterator (`StreamProgram`, under XLA
            `BufferedProgram`) or from arrays (`EpochProgram`).
        jit_compile: Whether to compile with XLA.
        guarded: Whether it ends when the loss is not finite.
        required: Whether it is an error then if XLA can't compile it.
        in_range: For XLA, the names of ``Embedding`` layers whose ids are known to be in range.
        exact: Without XLA, whether the numbers are Keras's to the last bit, or up to rounding.
        optimized: Without XLA, whether TensorFlow optimizes the program's graph before it runs.
    """
    in_range = tuple(in_range) if jit_compile else ()
    fused = _is_fused(model, jit_compile, exact)
    key = ("train", stream, jit_compile, guarded, in_range, fused)
    trainable = program_cache(model).trainable

    def make() -> Step:
        step = train_step(model, guarded, trainable, in_range)
        return fused_step(step, model) if fused else step

    return _step_program(model, key, make, required, optimized)


def _is_fused(model: KerasModel, jit_compile: bool, exact: bool) -> bool:
    return not (exact or jit_compile) and bool(fused_layers(model))


def test_program(
    model: KerasModel,
    stream: bool,
    jit_compile: bool,
    required: bool = True,
    in_range: Sequence[str] = (),
    exact: bool = True,
    optimized: bool = True,
) -> StepProgram:
    """Return the program that evaluates a model; the arguments are those of `train_program`."""
    in_range = tuple(in_range) if jit_compile else ()
    fused = _is_fused(model, jit_compile, exact)
    key = ("test", stream, jit_compile, in_range, fused)

    def make() -> Step:
        step = test_step(model, in_range)
        return fused_step(step, model) if fused else step

    return _step_program(model, key, make, required, optimized)


def state_copier(model: KerasModel) -> StateCopier:
    """Return the copier of the model's state; a compiled model has one."""
    cache = program_cache(model)
    copier: StateCopier | None = cache.state
    if copier is None:
        copier = cache.state = StateCopier(model)
    return copier


def metrics_reset(model: KerasModel) -> MetricsReset:
    """Return the reset of the model's metrics for a training or evaluation that begins.

    A compiled model has one: what Keras's first reset showed serves the later trainings.
    """
    cache = program_cache(model)
    reset: MetricsReset | None = cache.reset
    if reset is None:
        reset = cache.reset = MetricsReset(model)
    else:
        reset.begin()
    return reset


def predict_program(model: KerasModel, jit_compile: bool) -> CollectProgram:
    """Return the program that predicts with a model, which need not be compiled."""
    # Quantization and LoRA give a layer other variables, without a new compile().
    programs, key = program_cache(model).programs, ("predict", jit_compile)
    entry = programs.get(key)
    if entry is None or not same_objects(entry[0], model.variables):
        program = CollectProgram(model.predict_step, jit_compile, layer_names(model))
        entry = programs[key] = model.variables, program
    return entry[1]


def _step_program(
    model: KerasModel,
    key: tuple[Any, ...],
    make: Callable[[], Step],
    required: bool,
    optimized: bool,
) -> StepProgram:
    """Return the program of a key, which begins with its kind, ``stream`` and ``jit_compile``."""
    programs, eager = program_cache(model).programs, runs_eagerly(model)
    key, (_, stream, jit_compile) = (*key, eager), key[:3]
    program = programs.get(key)
    if stream and not jit_compile:
        if program is None:
            program = programs[key] = StreamProgram(make(), eager)
        program.optimized = optimized
        return program
    if program is None or (required and program.xla_failed):
        on_arrays = EpochProgram(make(), jit_compile, eager, program_cache(model).share, key)
        program = programs[key] = BufferedProgram(on_arrays) if stream else on_arrays
    program.required = required
    if isinstance(program, EpochProgram):
        program.optimized = optimized
    return program
