"""``summary.json``: the best trial of a search, and every measurement on its test set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from tfcourse.search.store.reading import read_json

__all__ = ["Measurement", "Summary", "read_summary"]


@dataclass(frozen=True)
class Measurement:
    """One measurement on the test set.

    Attributes:
        trial: The trial whose model was measured: the best one at the time.
        trials: The number of finished trials; None in a record of an earlier version.
        test: The metrics.
        date: The time as ISO 8601 in UTC; None in a record of an earlier version. It does not
            count when measurements are compared, as the same search run twice differs only in it.
    """

    trial: int
    trials: int | None
    test: Mapping[str, float]
    date: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Summary:
    """The best trial, its score on the dev set, and the measurements on the test set.

    Attributes:
        trial: The best trial.
        objective: The name of its score.
        score: Its score on the dev set.
        test: Its metrics on the test set; empty if there is none.
        measurements: Every measurement on the test set, the best trial's last. There are several
            if the search was extended and another trial became the best, none without a test set.
        findings: What the trials say about the space and the budget, see
            `tfcourse.search.results.findings`. Comparisons of summaries leave it out.
        pruned: The number of pruned trials.
        epochs_saved: The epochs that they did not train.
        stopped: The limit that ended the search, in words; None if it ran all trials.
        counted_trials: The trials below this number count; None in a record of an earlier version.
        seconds: The seconds of all runs of a search with ``max_seconds``, from the first trial of
            each. Comparisons of summaries leave the last three out too.
    """

    trial: int
    objective: str
    score: float
    test: Mapping[str, float]
    measurements: tuple[Measurement, ...] = ()
    findings: tuple[str, ...] = field(default=(), compare=False)
    pruned: int = 0
    epochs_saved: int = 0
    stopped: str | None = field(default=None, compare=False)
    counted_trials: int | None = field(default=None, compare=False)
    seconds: float = field(default=0.0, compare=False)


def read_summary(path: Path) -> Summary | None:
    """Return the summary, or None if there is none that can be read.

    A file of an earlier version holds the last measurement alone, without its date.
    """
    raw = read_json(path)
    try:
        last = {"trial": raw["trial"], "trials": None, "test": raw["test"]}
        summary = TypeAdapter(Summary).validate_python({"measurements": [last], **raw})
    except (TypeError, LookupError, ValidationError):
        return None
    return summary if bool(summary.test) == bool(summary.measurements) else None
