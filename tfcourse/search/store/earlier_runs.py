"""The end of a search as its record shows it."""

from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.trial_record import TrialRecord, rank
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.strategies.stopping import (
    NO_RUNS,
    EarlierRuns,
    Stop,
    find_stop,
    trials_that_count,
)
from tfcourse.search.strategies.stopping import seconds_on_record as seconds_of
from tfcourse.search.strategies.study import Records

__all__ = ["earlier_runs", "ranking_on_record", "stop_on_record"]


def earlier_runs(directory: RunDirectory, records: Records) -> EarlierRuns:
    """Return what earlier runs of a search have done.

    A search that ended has its seconds in ``summary.json``. Of a run that was killed only the
    seconds of its trials on record are known.

    Args:
        directory: The run directory.
        records: The trials on record.
    """
    if not records:
        return NO_RUNS
    seconds, summary = seconds_of(records), directory.read_summary()
    if summary is None:
        return EarlierRuns(seconds)
    least = summary.counted_trials
    if least is None:  # of an earlier version
        least = (summary.measurements[-1].trials or 0) if summary.measurements else 0
    return EarlierRuns(max(seconds, summary.seconds), least)


def stop_on_record(config: SearchConfig, directory: RunDirectory, records: Records) -> Stop | None:
    """Return the limit that has ended a search; None if none has."""
    earlier = earlier_runs(directory, records)
    return find_stop(config.limits, config.direction, records, config.trials, earlier)


def ranking_on_record(
    config: SearchConfig, directory: RunDirectory, records: Records
) -> list[TrialRecord]:
    """Return the completed trials that count, best first."""
    trials = trials_that_count(records, stop_on_record(config, directory, records))
    return rank(trials.values(), config.direction, config.objectives[1:])
