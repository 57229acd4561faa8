"""The backend that Keras has, or will have when it is imported."""

import json
import os
import sys
from pathlib import Path

from tfcourse.errors import InputError

__all__ = ["check_backend"]


def check_backend() -> None:
    """Raise InputError if Keras's backend is not TensorFlow, without importing Keras.

    Keras takes the backend from ``KERAS_BACKEND``, then from ``keras.json``.
    """
    keras, name = sys.modules.get("keras"), os.environ.get("KERAS_BACKEND")
    # While Keras is imported it has no `backend` yet.
    imported = str(keras.backend.backend()) if keras and hasattr(keras, "backend") else None
    if name and imported in (name, None):
        backend, source = name, f"the environment has KERAS_BACKEND={name}"
    elif imported is not None:
        backend, source = imported, "Keras was imported with it"
    else:
        file = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "keras.json"
        backend, source = _backend_in(file), f'"backend" in {file}'
    if backend != "tensorflow":
        raise InputError(
            f"Keras's backend is {backend!r} ({source}), and tfcourse needs TensorFlow. Set "
            "KERAS_BACKEND=tensorflow in the environment, before Python starts."
        )


def _backend_in(file: Path) -> str:
    """Return the backend of Keras's file of settings; TensorFlow if it has none."""
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
        return str(settings.get("backend", "tensorflow"))
    except (OSError, ValueError, AttributeError):
        return "tensorflow"
