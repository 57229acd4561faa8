"""The result of a search whose trials are all on record."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tfcourse.errors import InputError, WorkFailedError
from tfcourse.search.config.load import load_config
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.trial_record import TrialRecord, rank
from tfcourse.search.results.search_result import SearchResult
from tfcourse.search.store.code_record import is_damaged
from tfcourse.search.store.data_record import read_data_record
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.recognition import not_a_run_directory
from tfcourse.search.store.resume import finished_trials
from tfcourse.search.strategies.coarse_to_fine import rounds_on_record

__all__ = ["complete_result", "final_result", "finished_config", "read_result"]


def result_on_record(
    config: SearchConfig,
    directory: RunDirectory,
    records: Mapping[int, TrialRecord],
    was_complete: bool,
) -> SearchResult | None:
    """The result of finished trials; None if a part of the record is missing or damaged."""
    ranking = rank(records.values(), config.direction)
    summary = directory.read_summary()
    if not ranking or summary is None:
        return None
    best = (ranking[0].trial, config.search.objective, ranking[0].score)
    whole = (
        (summary.trial, summary.objective, summary.score) == best
        and directory.read_rounds() == rounds_on_record(config.study, records)
        and directory.best_trial() == summary.trial
        and directory.has_tables(records.values(), config.columns)
        and directory.has_whole_config()
        and read_data_record(directory.path) is not None
        and not is_damaged(directory.path)
    )
    return SearchResult(directory.path, records, ranking, summary, was_complete) if whole else None


def complete_result(
    config: SearchConfig, directory: RunDirectory, records: Mapping[int, TrialRecord]
) -> SearchResult | None:
    """Return the result if all trials are on record, and nothing of the record is missing."""
    if not all(number in records for number in range(config.trials)):
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
            "goes on with what is left."
        )
    return result


def read_result(path: Path) -> SearchResult:
    """Return the result of a finished search from its run directory, and nothing else.

    Raises:
        InputError: It is not a run directory, or its search is not finished.
    """
    directory = RunDirectory(path)
    if not directory.exists():
        raise InputError(not_a_run_directory(path))
    config = load_config(directory.config, recorded=True)
    result = complete_result(config, directory, finished_trials(config, directory))
    if result is None:
        raise InputError(
            f"{path} holds no finished search. tfcourse search {directory.config} --out "
            f"{path.parent} goes on with it."
        )
    return result


def finished_config(
    path: Path, out: Path, trials: int | None, epochs: int | None, seed: int | None
) -> SearchConfig | None:
    """Return the config of a file whose data or builder is gone, if its search is finished.

    None if it is not, or if something else is wrong with the file.
    """
    try:
        asked = load_config(path, trials=trials, epochs=epochs, seed=seed, recorded=True)
        directory = RunDirectory(out / asked.search.name)
        stored = load_config(directory.config, recorded=True)
        # A builder that is not imported can't say what it adds to the space: the record does.
        config = replace(
            asked,
            raw_space={**stored.raw_space, **asked.raw_space},
            space={**stored.space, **asked.space},
        )
        records = finished_trials(config, directory)
    except InputError:
        return None
    return None if complete_result(config, directory, records) is None else config
