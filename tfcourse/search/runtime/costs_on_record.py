"""Costs of trials on record without them: of an earlier version, or from before a limit."""

from dataclasses import replace
from typing import Any

from tfcourse.errors import InputError
from tfcourse.quiet import quiet_start
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.loading import load_split
from tfcourse.search.records.objective import MILLISECONDS, PARAMETERS
from tfcourse.search.records.satisficing import lacks_costs
from tfcourse.search.store.code_record import changes_in_words, quick_code_changes
from tfcourse.search.store.data_record import check_unchanged, data_record
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.trials.trainings import with_origin

__all__ = ["add_costs"]

ADVICE = (
    "The models of its earlier trials, whose {costs} are not on record, can't be built again to "
    "find them. Undo the change until that is done, leave {costs} out of [search.limits], or start "
    "over with --fresh."
)


def add_costs(config: SearchConfig, directory: RunDirectory) -> None:
    """Add the costs to the records that lack some that have a limit.

    The models of these trials are built again, and not trained.

    Args:
        config: The search.
        directory: Its run directory, which this process has locked.

    Raises:
        InputError: The data or the builder is not usable, or is not what the search began with.
    """
    records = directory.read_trials().values()
    lacking = [record for record in records if lacks_costs(record, config.bounds)]
    if not lacking:
        return
    if changes := quick_code_changes(directory.path, config):
        names = [limit.name for limit in config.bounds if limit.name in (PARAMETERS, MILLISECONDS)]
        advice = ADVICE.format(costs=" and ".join(names))
        raise InputError(f"{directory.path}: {changes_in_words(changes)} {advice}")
    split = load_split(config)
    check_unchanged(directory.path, data_record(split), config)
    with quiet_start():  # only such a record needs TensorFlow here
        from tfcourse.search.trials.building import build_for, build_trial
        from tfcourse.search.trials.costs import ModelCosts
        from tfcourse.search.trials.normalized import normalize

        _, scaling = normalize(split, config.data.normalize)
        costs = ModelCosts(config, split)
    for record in lacking:
        values, _ = with_origin(config.search.strategy, record.trial, record.values)
        model = build_trial(config, split, values, 0)
        build_for(model, split.shape)
        of_model: dict[str, Any] = costs.of(model, scaling)
        directory.write_trial(replace(record, **of_model))
