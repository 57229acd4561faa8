"""A worker: trains the trials that the chief gives it."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from tfcourse.search.config.load import SearchConfig
from tfcourse.search.data.loading import load_split
from tfcourse.search.engine.choose import tuner_for
from tfcourse.search.engine.rpc import RemoteOracle
from tfcourse.search.records.effort import Effort
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.store.code_record import check_same_code, code_record
from tfcourse.search.store.data_record import check_unchanged, data_record
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.journal import TrialWriter
from tfcourse.search.trials.trial import TrialRunner

__all__ = ["work"]

OTHER_CODE = (
    "A worker needs the code that the search goes on with: give it the chief's, or run the "
    "search's command again, with --accept-changes if it is to go on with today's."
)


def work(
    config: SearchConfig,
    directory: RunDirectory,
    oracle: RemoteOracle,
    name: str,
    on_data: Callable[[], None],
    on_begin: Callable[[int, Mapping[str, Any]], None],
    on_end: Callable[[TrialRecord], None],
    workers: int = 1,
    alone: Collection[int] = (),
) -> Effort:
    """Trains until the chief has no trial left; gives what that took.

    Args:
        config: The search.
        directory: Its run directory, the chief's.
        oracle: The chief's.
        name: The worker's name.
        on_data: Called when the data has been loaded.
        on_begin: Called with the number and values of each trial before it begins.
        on_end: Called with its record when it has been written.
        workers: How many processes share the trials, as far as is known.
        alone: The trials that are not to be trained together with others.

    Raises:
        InputError: Data or code are not the chief's, or the chief refuses the token.
        WorkFailedError: The chief can't be reached.
    """
    split = load_split(config)
    on_data()
    check_unchanged(directory.path, data_record(split), config)  # as the chief's
    check_same_code(directory.path, code_record(config), OTHER_CODE)
    runner = TrialRunner(config, split, name, directory.checkpoints)
    writer = TrialWriter(config, directory)

    def write(record: TrialRecord, model: Any) -> None:
        writer.add(record, model)
        on_end(record)

    tuner = tuner_for(oracle, runner, directory.path, write, name, on_begin, workers, alone)
    oracle.signs.start()
    tuner.search()
    effort: Effort = tuner.effort
    return effort
