"""The values of trials where they run, from the records of the trials before them."""

import time
from collections.abc import Callable

from tfcourse.errors import WorkFailedError
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.strategies.proposals import dependencies, propose
from tfcourse.search.strategies.study import Memo, Records, Study
from tfcourse.types import Hyperparameters

__all__ = ["Proposer", "await_record"]

SECONDS_UNTIL_SEEN = 60.0

ReadRecord = Callable[[int], TrialRecord | None]


class Proposer:
    """Computes the values of a study's trials from the record that all workers share.

    Args:
        study: The study.
        finished: The records that are known already, by number.
        read_record: Returns the record of a trial, None if there is none.
    """

    def __init__(self, study: Study, finished: Records, read_record: ReadRecord) -> None:
        self.study, self.read_record = study, read_record
        self.records = dict(finished)
        self._memo = Memo()

    def __call__(self, trial: int) -> Hyperparameters:
        """Return the values of a trial that the scheduler has scheduled.

        Raises:
            WorkFailedError: The record of a trial before it can't be found.
        """
        for number in dependencies(self.study, trial):
            if number not in self.records:
                self.records[number] = await_record(self.read_record, number)
        values = propose(self.study, trial, self.records, self._memo)
        assert values is not None, "all that it depends on is on record"
        return values


def await_record(read_record: ReadRecord, trial: int) -> TrialRecord:
    """Return a trial's record; one that another machine wrote may become visible late.

    Raises:
        WorkFailedError: It does not become visible.
    """
    end = time.monotonic() + SECONDS_UNTIL_SEEN
    while (record := read_record(trial)) is None and time.monotonic() < end:
        time.sleep(0.1)
    if record is None:
        raise WorkFailedError(
            f"Trial {trial} ended, and its record can't be found. "
            "All workers must use the chief's run directory, on storage that they share."
        )
    return record
