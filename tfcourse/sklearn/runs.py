"""The run directory of an estimator's search, and its model as bytes."""

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tfcourse.models.saving import load_model, save_model
from tfcourse.search.store.errors import SearchFailedError
from tfcourse.types import KerasModel

__all__ = ["global_generators", "model_from_bytes", "model_to_bytes", "run_folder"]


@contextmanager
def run_folder(out: str | Path | None, name: str | None) -> Iterator[Path]:
    """Return the folder for a run directory: ``out``, or a temporary one without a name.

    Raises:
        SearchFailedError: As from inside, without the name of a file that is deleted here.
    """
    if out is not None or name is not None:
        yield Path("runs" if out is None else out)
        return
    with tempfile.TemporaryDirectory(prefix="tfcourse-") as folder:
        try:
            yield Path(folder)
        except SearchFailedError as error:
            remedy = "With out, a folder, the run directory stays and has each trial's reason."
            raise SearchFailedError(f"{error.reason} {remedy}") from None


@contextmanager
def global_generators() -> Iterator[None]:
    """Set Python's and NumPy's global generators back at the end.

    A search sets their seeds. scikit-learn draws from NumPy's where ``random_state`` is None, and
    would draw the same after each ``fit``.
    """
    states = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


def model_to_bytes(model: KerasModel) -> bytes:
    """Return the contents of a model's ``.keras`` file."""
    with tempfile.TemporaryDirectory(prefix="tfcourse-") as folder:
        path = Path(folder) / "model.keras"
        save_model(model, path)
        return path.read_bytes()


def model_from_bytes(contents: bytes) -> KerasModel:
    """Return the model of a ``.keras`` file's contents."""
    with tempfile.TemporaryDirectory(prefix="tfcourse-") as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(contents)
        return load_model(path)
