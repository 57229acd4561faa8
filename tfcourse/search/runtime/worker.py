"""A worker: trains the trials that a scheduler in another process gives it."""

from collections.abc import Callable, Collection

from tfcourse.data.splits import Split
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.loading import load_split
from tfcourse.search.engine.tuner import OnBegin
from tfcourse.search.records.effort import Effort
from tfcourse.search.records.savable_model import SavableModel
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.records.trial_source import TrialSource
from tfcourse.search.runtime.execution import run_trials
from tfcourse.search.store.code_record import check_same_code, code_record
from tfcourse.search.store.data_record import check_unchanged, data_record
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.journal import TrialWriter
from tfcourse.search.store.resume import finished_trials
from tfcourse.search.strategies.proposals import Proposer
from tfcourse.search.trials.trial import TrialRunner

__all__ = ["load_same_data", "work"]

OTHER_CODE = (
    "A worker needs the code that the search continues with: give it the chief's, or run the "
    "search's command again, with --accept-changes if it is to continue with today's."
)


def load_same_data(config: SearchConfig, directory: RunDirectory) -> Split:
    """Load the data of a search, and check that data and code are what it began with.

    Raises:
        InputError: Data or code are others.
    """
    split = load_split(config)
    check_unchanged(directory.path, data_record(split), config)
    check_same_code(
        directory.path, code_record(config.builder, config.training.metrics), OTHER_CODE
    )
    return split


def work(
    config: SearchConfig,
    directory: RunDirectory,
    source: TrialSource,
    split: Split,
    name: str,
    on_begin: OnBegin,
    on_end: Callable[[TrialRecord], None],
    workers: int = 1,
    alone: Collection[int] = (),
) -> Effort:
    """Train until the scheduler has no trial left, and return what that took.

    Args:
        config: The search.
        directory: Its run directory.
        source: The scheduler.
        split: The data.
        name: The worker's name.
        on_begin: Called with the number and values of each trial before it begins.
        on_end: Called with its record when it has been written.
        workers: The number of processes that share the trials, as far as it is known.
        alone: The trials that must not be trained together with others.

    Raises:
        WorkFailedError: The scheduler can't be reached.
    """
    runner = TrialRunner(config, split, name, directory.checkpoints)
    writer = TrialWriter(config, directory)
    propose = Proposer(config.study, finished_trials(config, directory), directory.read_trial)

    def write(record: TrialRecord, model: SavableModel | None) -> None:
        writer.add(record, model)
        on_end(record)

    return run_trials(
        source, propose, runner, directory.path, write, name, on_begin, workers, alone
    )
