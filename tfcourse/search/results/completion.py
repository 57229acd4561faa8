"""The result of a search whose trials are all on record."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from tfcourse.errors import InputError, WorkFailedError
from tfcourse.search.config.load import Overrides, load_config
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.satisficing import lacks_costs
from tfcourse.search.records.trial_record import TrialRecord, rank
from tfcourse.search.results.findings import findings
from tfcourse.search.results.search_result import SearchResult
from tfcourse.search.store.code_record import is_damaged
from tfcourse.search.store.data_record import read_data_record
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.earlier_runs import stop_on_record
from tfcourse.search.store.resume import as_recorded, finished_trials, lost_models
from tfcourse.search.strategies.coarse_to_fine import rounds_on_record
from tfcourse.search.strategies.stopping import mark_after, trials_that_count

__all__ = ["complete_result", "final_result", "finished_config"]


def result_on_record(
    config: SearchConfig,
    directory: RunDirectory,
    records: Mapping[int, TrialRecord],
    was_complete: bool,
) -> SearchResult | None:
    """Return the result of finished trials; None if a part of the record is missing or damaged."""
    stop = stop_on_record(config, directory, records)
    trials = trials_that_count(records, stop)
    ranking = rank(trials.values(), config.direction, config.objectives[1:])
    summary = directory.read_summary()
    if not ranking or summary is None:
        return None
    best = (ranking[0].trial, config.search.objective, ranking[0].score)
    is_intact = (
        (summary.trial, summary.objective, summary.score) == best
        and _is_close(directory.read_rounds(), rounds_on_record(config.study, records))
        and directory.best_trial() == summary.trial
        and (len(config.objectives) == 1 or not lost_models(config, directory, ranking))
        and directory.has_tables(mark_after(records.values(), stop), config.columns)
        and directory.has_whole_config()
        and read_data_record(directory.path) is not None
        and not is_damaged(directory.path)
    )
    if not is_intact:
        return None
    lines = findings(
        config.space,
        trials.values(),
        ranking,
        config.training.schedule,
        config.search.objective,
        config.direction,
        config.search.score_at,
    )
    return SearchResult(
        directory.path,
        records,
        ranking,
        summary,
        was_complete,
        findings=lines,
        stop=stop,
        config=config,
        objectives=config.objectives,
    )


def complete_result(
    config: SearchConfig, directory: RunDirectory, records: Mapping[int, TrialRecord]
) -> SearchResult | None:
    """Return the result if the search has ended and its whole record is there; otherwise None.

    It has ended if all trials are on record, or by a limit.
    """
    if any(lacks_costs(record, config.bounds) for record in records.values()):
        return None
    has_all = all(number in records for number in range(config.trials))
    if not has_all and stop_on_record(config, directory, records) is None:
        return None
    return result_on_record(config, directory, records, was_complete=True)


def final_result(config: SearchConfig, directory: RunDirectory) -> SearchResult:
    """Return the result of a search that has just ended.

    Raises:
        WorkFailedError: Something else changed the run directory meanwhile.
    """
    records = finished_trials(config, directory)
    result = result_on_record(config, directory, records, was_complete=False)
    if result is None:
        raise WorkFailedError(
            f"{directory.path} was changed or removed while the search ran. The same command "
            "continues with what is left."
        )
    return result


def finished_config(path: Path, out: Path, **overrides: Unpack[Overrides]) -> SearchConfig | None:
    """Return the config of a file whose data or builder is missing, if its search is finished.

    None if it is not, or if the file has other errors.

    Args:
        path: The file.
        out: The folder with the run directory.
        overrides: As for `load_config`.
    """
    try:
        config_of_file = load_config(path, recorded=True, **overrides)
        directory = RunDirectory(out / config_of_file.search.name)
        stored = load_config(directory.config, recorded=True)
        # The record has the tables of a builder that can't be imported.
        config = replace(
            as_recorded(config_of_file, directory.path),
            raw_space={**stored.raw_space, **config_of_file.raw_space},
            space={**stored.space, **config_of_file.space},
        )
        records = finished_trials(config, directory)
    except InputError:
        return None
    return None if complete_result(config, directory, records) is None else config


def _is_close(stored: object, computed: object) -> bool:
    """Return whether two JSON values agree to rounding, as those of two machines do."""
    match stored, computed:
        case dict(), dict():
            same = stored.keys() == computed.keys()
            return same and all(_is_close(stored[key], computed[key]) for key in stored)
        case list(), list():
            return len(stored) == len(computed) and all(map(_is_close, stored, computed))
        case float(), float():
            return math.isclose(stored, computed, rel_tol=1e-6)
    return type(stored) is type(computed) and stored == computed
