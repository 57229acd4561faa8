"""The optimizers that a config can name: the course's, and Keras's own as ``keras:NAME``."""

from tfcourse.hyperparameters import HYPERPARAMETERS, OPTIMIZERS
from tfcourse.types import Optimizer

__all__ = ["ALL_ARGUMENTS", "ARGUMENTS", "FLAGS", "create"]

# The arguments of each optimizer that a config can set, by its name there.
ARGUMENTS = {name: entry.arguments for name, entry in OPTIMIZERS.items()}
_NAMES = {name for names in ARGUMENTS.values() for name in names}
# The arguments that are true or false.
FLAGS = tuple(sorted(_NAMES - HYPERPARAMETERS.keys()))
ALL_ARGUMENTS = (*(name for name in HYPERPARAMETERS if name in _NAMES), *FLAGS)


def create(name: str, **hyperparameters: float) -> Optimizer:
    """Return the optimizer with this name in a config."""
    return OPTIMIZERS[name].load()(**hyperparameters)
