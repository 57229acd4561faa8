"""The optimizers that a config may name: the course's, and Keras's own as ``keras:NAME``."""

from tfcourse.hyperparameters import HYPERPARAMETERS, OPTIMIZERS
from tfcourse.types import Optimizer

__all__ = ["ALL_ARGUMENTS", "ARGUMENTS", "FLAGS", "create"]

# Every optimizer with those of its arguments that a config may set.
ARGUMENTS = {name: entry.arguments for name, entry in OPTIMIZERS.items()}
_NAMES = {name for names in ARGUMENTS.values() for name in names}
# Those that are true or false.
FLAGS = tuple(sorted(_NAMES - HYPERPARAMETERS.keys()))
ALL_ARGUMENTS = (*(name for name in HYPERPARAMETERS if name in _NAMES), *FLAGS)


def create(name: str, **hyperparameters: float) -> Optimizer:
    """Return the optimizer that a search config calls ``name``."""
    return OPTIMIZERS[name].load()(**hyperparameters)
