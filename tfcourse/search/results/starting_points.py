"""The best values of an earlier search, as the starting points of another one."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Unpack

from tfcourse.errors import InputError
from tfcourse.search.config.load import Overrides, load_config
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.config.start import most_starts
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.space.parameters import Parameter, active, admits
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.earlier_runs import ranking_on_record
from tfcourse.search.store.recognition import not_a_run_directory
from tfcourse.types import Hyperparameters

__all__ = ["load_with_start"]

LOG = logging.getLogger("tfcourse")
BEST = 3


def load_with_start(
    path: Path, start_from: str | Path | None, **overrides: Unpack[Overrides]
) -> SearchConfig:
    """Read and check a TOML file, see `load_config`, and add the best of an earlier search.

    Log a warning if the new search would draw the earlier one's values again.

    Args:
        path: The file.
        start_from: The run directory of the earlier search; None adds nothing.
        overrides: As for `load_config`.

    Raises:
        InputError: The file has errors, ``start_from`` is not a run directory, none of its best
            trials has a value in the space, or fewer trials than it adds can begin with values.
    """
    config = load_config(path, **overrides)
    if start_from is None:
        return config
    directory = RunDirectory(Path(start_from))
    if not directory.exists():
        raise InputError(not_a_run_directory(directory.path))
    earlier = load_config(directory.config, recorded=True)
    if (earlier.space, earlier.search.seed) == (config.space, config.search.seed):
        LOG.warning(
            "%s: the search has the [space] and the seed of %s, and draws the same values again. "
            "Choose another --seed than %d.",
            path,
            start_from,
            config.search.seed,
        )
    records = directory.read_trials()
    ranking = ranking_on_record(earlier, directory, records)
    start = _starting_points(ranking, config.space)
    if not start:
        names = ", ".join(config.space)
        raise InputError(
            f"{start_from} has no completed trial with a value in this [space] ({names})."
        )
    most = most_starts(config.search, config.settings, config.training)
    if len(config.search.start) + len(start) > most:
        raise InputError(
            f"{path}: --from adds the values of {len(start)} trials of {start_from}, and this "
            f"search can begin with {most}. Search with more [search] trials, with another "
            "strategy, or without --from."
        )
    return load_config(path, start=start, **overrides)


def _starting_points(
    ranking: Iterable[TrialRecord], space: Mapping[str, Parameter]
) -> list[Hyperparameters]:
    """Return the values of the best trials, each once.

    Hyperparameters that are not in the space, or whose values are not, are left out: the search
    draws them.
    """
    points: list[Hyperparameters] = []
    for record in ranking:
        values = record.values
        usable = {n: values[n] for n, p in space.items() if n in values and admits(p, values[n])}
        # A value whose condition is not met here would have no effect.
        missing = {name: None for name in space if name not in usable}
        point = {n: v for n, v in active(space, {**missing, **usable}).items() if n in usable}
        if point and point not in points:
            points.append(point)
    return points[:BEST]
