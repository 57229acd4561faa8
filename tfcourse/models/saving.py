"""Saved models back in, whatever of tfcourse they hold."""

from pathlib import Path
from typing import Any

import keras

# Importing them registers their classes with Keras, which looks them up by name.
import tfcourse.layers
import tfcourse.models.many_classes
import tfcourse.optimizers  # noqa: F401  (see above)

__all__ = ["load_model", "why_not_loadable"]


def load_model(path: str | Path, compile: bool = True) -> Any:
    """``keras.models.load_model`` for models that hold tfcourse's layers or optimizers.

    Args:
        path: A ``.keras`` file.
        compile: Whether to restore the optimizer, loss and metrics too.
    """
    return keras.models.load_model(path, compile=compile)


def why_not_loadable(error: Exception) -> str:
    """What to say of a model that failed to be saved or loaded, and what helps."""
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    return (
        f"model can't be saved and loaded again ({reason}). Give layers of your own get_config and "
        "@keras.saving.register_keras_serializable(), and use no lambda."
    )
