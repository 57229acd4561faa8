"""The names that a history must have: those of the objectives and limits of its search."""

from collections.abc import Iterable, Mapping, Sequence

import keras

from tfcourse.errors import InputError, one_of
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.objective import COSTS

__all__ = ["RequiredNames", "check_names", "series_of_all_epochs"]


def check_names(config: SearchConfig, names: Iterable[str], source: str) -> None:
    """Check that a history with these names has all that a search needs.

    A fit of one's own may return less than it tells the callbacks, such as early stopping.

    Args:
        config: The search.
        names: The names.
        source: The source of the history, for the message, such as ``the builder "mine"``.

    Raises:
        InputError: It lacks an objective, a metric that has a limit, or the monitor.
    """
    first, *others = config.objectives
    needed: list[tuple[str, str, tuple[str, ...]]] = [(f"objective of {source}", first.name, ())]
    needed += [(f"objective of {source}", other.name, COSTS) for other in others]
    stopping = config.training.early_stopping if config.builder.fit is None else None
    if stopping is not None and stopping.monitor is not None:
        needed.append((f"monitor of {source}", stopping.monitor, ()))
    in_limits = f"metric of {source} in [search.limits]"
    needed += [(in_limits, bound.name, COSTS) for bound in config.bounds]
    for what, name, costs in needed:
        if name not in (choices := [*costs, *names]):
            raise InputError(one_of(what, name, choices))


def series_of_all_epochs(history: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """Return a history without the names that a callback adds to the logs of some epochs alone."""
    epochs = max(map(len, history.values()), default=0)
    return {name: [*values] for name, values in history.items() if len(values) == epochs}


class RequiredNames(keras.callbacks.Callback):
    """A callback that fails a trial at the first epoch whose logs lack a name that it needs.

    Args:
        config: The search.
    """

    def __init__(self, config: SearchConfig) -> None:
        super().__init__()
        self._config = config

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Raise InputError as `check_names` does."""
        check_names(self._config, logs or {}, f"the logs of epoch {epoch + 1}")
