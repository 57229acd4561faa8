"""Lines about the trials that can't be the best: failed ones, and those that break a limit."""

from collections.abc import Mapping

from tfcourse.console import one_line
from tfcourse.search.records.trial_record import TrialRecord

__all__ = [
    "LONGEST_REASON",
    "WIDER_LIMITS",
    "failure_lines",
    "infeasible_lines",
    "reason_without_best",
]

# The most characters of a trial's message.
LONGEST_REASON = 200
# The advice if every trial that completed breaks a limit.
WIDER_LIMITS = "Wider limits keep the trials; more [search] trials continue the search."


def failure_lines(trials: Mapping[int, TrialRecord]) -> list[str]:
    """Return a line about the first trial that failed, if there is one."""
    failed = [record for _, record in sorted(trials.items()) if record.status == "failed"]
    if not failed:
        return []
    return [f"Trial {failed[0].trial} failed: {one_line(failed[0].message, LONGEST_REASON)}"]


def infeasible_lines(trials: Mapping[int, TrialRecord]) -> list[str]:
    """Return a line about the trials that break a limit of the search, if there are any."""
    records = [record for _, record in sorted(trials.items()) if record.status == "infeasible"]
    if not records:
        return []
    s = "s" if len(records) == 1 else ""
    reason = one_line(records[0].message, LONGEST_REASON).removeprefix("Breaks ")
    return [
        f"{len(records)} of {len(trials)} trials break{s} [search.limits] and can't be the best. "
        f"Trial {records[0].trial}: {reason}"
    ]


def reason_without_best(trials: Mapping[int, TrialRecord]) -> str:
    """Return the reason why none of the trials is the best one, if none is."""
    if any(record.status == "infeasible" for record in trials.values()):
        return "no trial is within [search.limits]"
    return "no trial has completed"
