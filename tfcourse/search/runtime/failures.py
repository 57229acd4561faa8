"""Records and errors for trials and processes that failed."""

import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from tfcourse.errors import InputError, WorkFailedError
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.runtime.deadlines import Running
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.errors import SearchFailedError

__all__ = ["error_of_child", "record_failure", "why_given_up"]


def record_failure(
    directory: RunDirectory, name: str, running: Running, message: str, log: str
) -> None:
    """Write the record of a trial that ended without one."""
    if directory.read_trial(running.trial) is not None:
        return  # it ended in the last moment
    seconds = round(time.monotonic() - running.since, 3)
    record = TrialRecord(running.trial, "failed", running.values, seconds=seconds)
    record = replace(record, worker=name, message=message, traceback=log)
    directory.write_trial(record)


def error_of_child(message: Mapping[str, Any]) -> Exception:
    """Return the error that a process ended with, from its message."""
    kinds = {kind.__name__: kind for kind in (InputError, WorkFailedError, SearchFailedError)}
    return kinds.get(message["kind"], WorkFailedError)(message["message"])


def why_given_up(
    errors: Mapping[str, Mapping[str, Any]], given_up: Collection[str], directory: RunDirectory
) -> str:
    """Return why a search has ended without workers, in words."""
    names = [name for name in sorted(given_up) if name in errors]
    last = f"{names[0]}, the last time {errors[names[0]]['message']}" if names else "one"
    return (
        f"A process of the search kept dying: {last} The finished trials are in "
        f"{directory.path}; the same command continues from there."
    )
