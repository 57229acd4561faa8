"""The model of a trial as an object that can be saved."""

from pathlib import Path
from typing import Protocol

__all__ = ["SavableModel"]


class SavableModel(Protocol):
    """A Keras model, or an object that saves one."""

    def save(self, path: Path) -> None:
        """Save the model as a ``.keras`` file."""
