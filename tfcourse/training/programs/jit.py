"""The choice to compile with XLA: by a rule, not a timing, so that runs repeat."""

import math
from dataclasses import dataclass

import keras
import tensorflow as tf

from tfcourse.internals.layers import flatten_layers
from tfcourse.internals.models import supports_jit
from tfcourse.training.programs.fused_lstm import fused_layers
from tfcourse.training.programs.tree import first_leaf
from tfcourse.types import KerasModel, Layer, Nested

__all__ = ["Auto", "choose_jit", "pays", "seconds_of_step"]

# Fitted to measurements on two CPU cores: the cost of a step beside its arithmetic without XLA,
# that of the arithmetic, and the work from which a compile of one to two seconds pays.
OVERHEAD_PER_STEP = 0.4e-3
SECONDS_PER_OPERATION = 1e-11
WORTH_COMPILING = 2.0


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
        of_all = None if steps is None else round(steps * self.trainings)
        return choose_jit(model, sample, batch_size, of_all)


def choose_jit(
    model: KerasModel, sample: Nested, batch_size: int | None, steps: int | None
) -> bool:
    """Return True if ``steps`` steps without XLA would take longer than XLA's compilation is worth.

    On a CPU never with a convolution: its filter gradient took 632 ms inside an XLA loop and
    5 ms outside. Nor where all recurrent layers are `fused_layers`, which take as long without XLA;
    with a mask they would run Keras's loop, which takes three times as long. Otherwise by
    `seconds_of_step`, and XLA is chosen above 2 s. An evaluation's step, and its compilation, take
    about a third of a training's: the same rule serves both.

    Args:
        model: A built Keras model.
        sample: A batch of its training data, or symbols of one, nested; x comes first.
        batch_size: Examples a step; None if unknown.
        steps: The number of all steps of the training; None if unknown, which gives False.
    """
    if steps is None:
        return False
    layers = flatten_layers(model)
    families = {base.__name__ for layer in layers for base in type(layer).__mro__}
    if any("Conv" in name for name in families) and not _on_gpu():
        return False
    recurrent = [layer for layer in layers if isinstance(layer, keras.layers.RNN)]
    masked = any(map(_makes_mask, layers))
    if recurrent and not masked and len(fused_layers(model)) == len(recurrent):
        return False
    return pays(model, steps * seconds_of_step(model, sample, batch_size))


def pays(model: KerasModel, seconds: float) -> bool:
    """Return True if XLA can compile a compiled Keras model, and saves enough for it.

    On a GPU Keras compiles with XLA by default: a model that doesn't has declined it.

    Args:
        model: The model.
        seconds: The time that the compiled program saves.
    """
    supported = supports_jit(model) and (not _on_gpu() or bool(model.jit_compile))
    return supported and seconds > WORTH_COMPILING


def seconds_of_step(model: KerasModel, sample: Nested, batch_size: int | None) -> float:
    """Estimate a training step's time without XLA: ``0.4 ms + 6·parameters·batch·T·10⁻⁸ ms``.

    T is the time steps of a recurrent model, else 1; an unknown batch size counts as 32.
    """
    operations: float = (
        6 * sum(math.prod(w.shape) for w in model.trainable_weights) * (batch_size or 32)
    )
    families = {base.__name__ for layer in flatten_layers(model) for base in type(layer).__mro__}
    if "RNN" in families:
        shape = first_leaf(sample).shape
        operations *= (shape[1] or 1) if len(shape) > 2 else 1
    return OVERHEAD_PER_STEP + operations * SECONDS_PER_OPERATION


def _makes_mask(layer: Layer) -> bool:
    return isinstance(layer, keras.layers.Masking) or bool(getattr(layer, "mask_zero", False))


def _on_gpu() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))
