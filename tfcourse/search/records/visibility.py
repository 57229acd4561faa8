"""Records that another machine wrote, which a network file system may show late."""

import time
from collections.abc import Callable

from tfcourse.errors import WorkFailedError
from tfcourse.search.records.trial_record import TrialRecord

__all__ = ["ReadRecord", "await_record"]

SECONDS_UNTIL_SEEN = 60.0

ReadRecord = Callable[[int], TrialRecord | None]


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
