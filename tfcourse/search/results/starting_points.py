"""The best values of an earlier search, as the starting points of another one."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from tfcourse.errors import InputError
from tfcourse.search.config.load import load_config
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.trial_record import rank
from tfcourse.search.space.parameters import Parameter, active, admits
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.recognition import not_a_run_directory
from tfcourse.types import Hyperparameters

__all__ = ["load_with_start", "starting_points"]

LOG = logging.getLogger("tfcourse")
BEST = 3


def load_with_start(
    path: str | Path,
    start_from: str | Path | None,
    *,
    trials: int | None = None,
    epochs: int | None = None,
    seed: int | None = None,
) -> SearchConfig:
    """Read and check a TOML file, see `load_config`, and add the best of an earlier search.

    Log a warning if the new search would draw the earlier one's values again.

    Args:
        path: The file.
        start_from: The run directory of the earlier search; None adds nothing.
        trials: Replaces ``[search] trials``.
        epochs: Replaces ``[training] epochs``.
        seed: Replaces ``[search] seed``.
    """
    load = partial(load_config, Path(path), trials=trials, epochs=epochs, seed=seed)
    config = load()
    if start_from is None:
        return config
    earlier = _read_config(Path(start_from))
    if (earlier.space, earlier.search.seed) == (config.space, config.search.seed):
        LOG.warning(
            "%s: the search has the [space] and the seed of %s, and draws the same values again. "
            "Choose another --seed than %d.",
            path,
            start_from,
            config.search.seed,
        )
    start = starting_points(Path(start_from), config.space)
    return load(start=start)


def _read_config(path: Path) -> SearchConfig:
    """Return the config of a run directory; raise InputError if it is none."""
    directory = RunDirectory(path)
    if not directory.exists():
        raise InputError(not_a_run_directory(path))
    return load_config(directory.config, recorded=True)


def starting_points(path: Path, space: Mapping[str, Parameter]) -> list[Hyperparameters]:
    """Return the values of the best trials of a run directory, best first, each once.

    Hyperparameters that are not in the space, or whose values are not, are left out: the search
    draws them.

    Args:
        path: The run directory of the earlier search.
        space: The parameters of the new search.

    Raises:
        InputError: It is not a run directory, or none of its best trials has a value in the space.
    """
    direction = _read_config(path).direction
    points: list[Hyperparameters] = []
    for record in rank(RunDirectory(path).read_trials().values(), direction):
        values = record.values
        usable = {n: values[n] for n, p in space.items() if n in values and admits(p, values[n])}
        # A value whose condition is not met here would have no effect.
        missing = {name: None for name in space if name not in usable}
        point = {n: v for n, v in active(space, {**missing, **usable}).items() if n in usable}
        if point and point not in points:
            points.append(point)
        if len(points) == BEST:
            break
    if not points:
        raise InputError(
            f"{path} has no completed trial with a value in this [space] ({', '.join(space)})."
        )
    return points
