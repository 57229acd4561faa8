"""Whether compiling with XLA pays: a rule, not a timing, so that runs repeat."""

import math
from typing import Any

import tensorflow as tf

__all__ = ["choose_jit"]

# Fitted to measurements on two CPU cores: what a step costs beside its arithmetic without XLA,
# what the arithmetic costs, and the work from which a compile of one to two seconds pays.
OVERHEAD_PER_STEP = 0.4e-3
SECONDS_PER_OPERATION = 1e-11
WORTH_COMPILING = 2.0


def choose_jit(model: Any, data: Any, batch_size: int, steps: int) -> bool:
    """True if ``steps`` steps without XLA would take longer than XLA's compilation is worth.

    On a CPU never with a convolution: its filter gradient took 632 ms inside an XLA loop and
    5 ms outside. Otherwise the estimate is ``steps · (0.4 ms + 6·parameters·batch·T·10⁻⁸ ms)``,
    with T the time steps of a recurrent model, and XLA is chosen above 2 s.

    Args:
        model: A built Keras model.
        data: Its training data, as nested tensors; x comes first.
        batch_size: Examples a step.
        steps: How many steps are planned in all.
    """
    layers = model._flatten_layers()
    if not all(layer.supports_jit for layer in layers):
        return False
    families = {base.__name__ for layer in layers for base in type(layer).__mro__}
    if any("Conv" in name for name in families) and not tf.config.list_physical_devices("GPU"):
        return False
    operations = 6 * sum(math.prod(w.shape) for w in model.trainable_weights) * batch_size
    if "RNN" in families:
        shape = tf.nest.flatten(data)[0].shape
        operations *= shape[1] if len(shape) > 2 else 1
    return steps * (OVERHEAD_PER_STEP + operations * SECONDS_PER_OPERATION) > WORTH_COMPILING
