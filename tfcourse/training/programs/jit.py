"""The choice to compile with XLA: by a rule, not a timing, so that runs repeat."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import tensorflow as tf

from tfcourse.internals.layers import flatten_layers
from tfcourse.internals.models import supports_jit
from tfcourse.training.programs.fused_lstm import fused_layers
from tfcourse.training.programs.tree import first_leaf
from tfcourse.types import KerasModel, Layer, Nested

__all__ = [
    "Auto",
    "choose_jit",
    "choose_optimized",
    "pays",
    "seconds_of_arithmetic",
    "seconds_of_step",
]

# Fitted to measurements on two CPU cores: the cost of a step beside its arithmetic without XLA,
# that of a recurrent layer's time step (20 to 40 operations forward, and as many backward), that
# of the arithmetic, the work from which a compile of one to two seconds pays, and that from which
# TensorFlow's optimization of a graph, of a tenth of a second, does.
OVERHEAD_PER_STEP = 0.4e-3
OVERHEAD_PER_TIME_STEP = 0.1e-3
SECONDS_PER_OPERATION = 1e-11
WORTH_COMPILING = 2.0
WORTH_OPTIMIZING = 1.0

# On a GPU of the class H200: digits through 64-64 units with batch norm took 3.9 ms a step without
# XLA, nearly all of it to launch the kernels, 0.09 ms with it, and 6 to 8 s to compile.
STEPS_WORTH_COMPILING_ON_GPU = 2000

# What XLA saves a step of a model whose recurrent layers are `fused_layers`, beside a share of its
# arithmetic: 0.2 to 1.1 ms in all were measured for 8 and 32 units, 8 to 128 time steps and batches
# of 32 to 128, on idle cores. (With other work on both, the kernel was faster: 35 to 43 ms an epoch
# of 32 units, against 50 to 58.)
SAVED_PER_FUSED_STEP = 0.3e-3
SHARE_SAVED = 0.15


@dataclass(frozen=True)
class Auto:
    """``jit_compile="auto"`` of a training that may be one of many with the same programs.

    Attributes:
        trainings: Their number.
    """

    trainings: float = 1.0

    def chooses(
        self, model: KerasModel, sample: Nested, batch_size: int | None, steps: int | None
    ) -> bool:
        """Return the choice of `choose_jit` for all of them; ``steps`` are those of one."""
        return choose_jit(model, sample, batch_size, self._of_all(steps))

    def optimizes(
        self, model: KerasModel, sample: Nested, batch_size: int | None, steps: int | None
    ) -> bool:
        """Return the choice of `choose_optimized` for all of them, as `chooses` does."""
        return choose_optimized(model, sample, batch_size, self._of_all(steps))

    def _of_all(self, steps: int | None) -> int | None:
        return None if steps is None else round(steps * self.trainings)


def choose_jit(
    model: KerasModel, sample: Nested, batch_size: int | None, steps: int | None
) -> bool:
    """Return True if ``steps`` steps without XLA would take longer than XLA's compilation is worth.

    On a CPU never with a convolution: its filter gradient took 632 ms inside an XLA loop and
    5 ms outside. Otherwise by `seconds_of_step`, and XLA is chosen above 2 s, of which it saves
    about half. Where all recurrent layers are `fused_layers` it saves less of a step,
    `_saved_of_fused`, and must save one second in all. An evaluation's step, and its compilation,
    take about a third of a training's: the same rule serves both.

    On a GPU, where a step takes 4 ms to launch and XLA saves nearly all of them, but compiles for
    6 to 8 s, it is chosen from 2000 steps on, if Keras has chosen it.

    Args:
        model: A built Keras model.
        sample: A batch of its training data, or symbols of one, nested; x comes first.
        batch_size: Examples a step; None if unknown.
        steps: The number of all steps of the training; None if unknown, which gives False.
    """
    if steps is None:
        return False
    if _on_gpu():
        return _allows_jit(model) and steps >= STEPS_WORTH_COMPILING_ON_GPU
    layers = flatten_layers(model)
    if _has_convolution(layers):
        return False
    recurrent = [layer for layer in layers if isinstance(layer, keras.layers.RNN)]
    masked = any(map(_makes_mask, layers))
    if recurrent and not masked and len(fused_layers(model)) == len(recurrent):
        return pays(model, 2 * steps * _saved_of_fused(model, sample, batch_size))
    return pays(model, steps * seconds_of_step(model, sample, batch_size))


def choose_optimized(
    model: KerasModel, sample: Nested, batch_size: int | None, steps: int | None
) -> bool:
    """Return True if TensorFlow's optimization of a graph pays for ``steps`` steps without XLA.

    For digits through 64-64 units with batch norm it took 0.12 s, half of the time of the first
    call, and saved at most a tenth of each step. It pays above 1 s by `seconds_of_step`, for an
    unknown number of steps, and where that estimate does not hold: with a convolution, on a GPU.

    Args:
        model: A built Keras model.
        sample: As in `choose_jit`.
        batch_size: As in `choose_jit`.
        steps: As in `choose_jit`.
    """
    if steps is None or _on_gpu() or _has_convolution(flatten_layers(model)):
        return True
    return steps * seconds_of_step(model, sample, batch_size) > WORTH_OPTIMIZING


def pays(model: KerasModel, seconds: float) -> bool:
    """Return True if XLA can compile a compiled Keras model, and saves enough for it.

    Args:
        model: The model.
        seconds: The time that the compiled program saves.
    """
    return _allows_jit(model) and seconds > WORTH_COMPILING


def _allows_jit(model: KerasModel) -> bool:
    """Return True if XLA can compile a model that has not declined it.

    On a GPU Keras compiles with XLA by default: a model that doesn't has declined it.
    """
    return supports_jit(model) and (not _on_gpu() or bool(model.jit_compile))


def seconds_of_step(model: KerasModel, sample: Nested, batch_size: int | None) -> float:
    """Estimate a training step's time without XLA: a fixed cost and `seconds_of_arithmetic`.

    The fixed cost is 0.4 ms, and 0.1 ms for each time step of a recurrent layer.
    """
    layers = sum(isinstance(layer, keras.layers.RNN) for layer in flatten_layers(model))
    overhead = OVERHEAD_PER_STEP + layers * _time_steps(model, sample) * OVERHEAD_PER_TIME_STEP
    return overhead + seconds_of_arithmetic(model, sample, batch_size)


def seconds_of_arithmetic(model: KerasModel, sample: Nested, batch_size: int | None) -> float:
    """Estimate the part of a step that grows with its batch: ``6·parameters·batch·T·10⁻⁸ ms``.

    T is the time steps of a recurrent model, else 1; an unknown batch size counts as 32.
    """
    operations: float = (
        6 * sum(math.prod(w.shape) for w in model.trainable_weights) * (batch_size or 32)
    )
    return operations * _time_steps(model, sample) * SECONDS_PER_OPERATION


def _time_steps(model: KerasModel, sample: Nested) -> int:
    """Return the time steps of a recurrent model, the second axis of its input; else 1."""
    if not any(isinstance(layer, keras.layers.RNN) for layer in flatten_layers(model)):
        return 1
    shape = first_leaf(sample).shape
    return (shape[1] or 1) if len(shape) > 1 else 1


def _saved_of_fused(model: KerasModel, sample: Nested, batch_size: int | None) -> float:
    arithmetic = seconds_of_arithmetic(model, sample, batch_size)
    return SAVED_PER_FUSED_STEP + SHARE_SAVED * arithmetic


def _has_convolution(layers: Sequence[Layer]) -> bool:
    families = {base.__name__ for layer in layers for base in type(layer).__mro__}
    return any("Conv" in name for name in families)


def _makes_mask(layer: Layer) -> bool:
    return isinstance(layer, keras.layers.Masking) or bool(getattr(layer, "mask_zero", False))


def _on_gpu() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))
