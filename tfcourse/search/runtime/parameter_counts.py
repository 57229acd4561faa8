"""The numbers of parameters of trials that an earlier version recorded without them."""

from dataclasses import replace

from tfcourse.errors import InputError
from tfcourse.quiet import quiet_start
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.loading import load_split
from tfcourse.search.records.satisficing import lacks_parameters
from tfcourse.search.store.code_record import changes_in_words, quick_code_changes
from tfcourse.search.store.data_record import check_unchanged, data_record
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.trials.trainings import with_origin

__all__ = ["count_parameters"]

ADVICE = (
    "The models of its earlier trials, whose parameters are not on record, can't be built again to "
    "count them. Undo the change until they are counted, leave out [search.limits] parameters, or "
    "start over with --fresh."
)


def count_parameters(config: SearchConfig, directory: RunDirectory) -> None:
    """Add the number of parameters to the records that lack it, if a limit is about it.

    The models of these trials are built again, and not trained.

    Args:
        config: The search.
        directory: Its run directory, which this process has locked.

    Raises:
        InputError: The data or the builder is not usable, or is not what the search began with.
    """
    records = directory.read_trials().values()
    lacking = [record for record in records if lacks_parameters(record, config.bounds)]
    if not lacking:
        return
    if changes := quick_code_changes(directory.path, config):
        raise InputError(f"{directory.path}: {changes_in_words(changes)} {ADVICE}")
    split = load_split(config)
    check_unchanged(directory.path, data_record(split), config)
    with quiet_start():  # only such a record needs TensorFlow here
        from tfcourse.search.trials.building import build_for, build_trial

    for record in lacking:
        values, _ = with_origin(config.search.strategy, record.trial, record.values)
        model = build_trial(config, split, values, 0)
        build_for(model, split.shape)
        directory.write_trial(replace(record, parameters=model.count_params()))
