"""One run of a search for the bench: its scores, and where its time goes."""

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tfcourse.bench.table import format_seconds
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.run import Search

__all__ = ["SearchRun", "check_agreement", "run_search"]


@dataclass(frozen=True)
class SearchRun:
    """A finished run of a search.

    Attributes:
        scores: The scores of its trials, by their numbers; 0 for one that failed.
        trial_seconds: The mean of its trials' seconds, as they are on record.
        other_seconds: What the run took beside its trials: data, records, and the best model on
            the test set.
        effort: How many models were trained in which way, and how many programs traced.
    """

    scores: list[float]
    trial_seconds: float
    other_seconds: float
    effort: str

    def __str__(self) -> str:
        return (
            f"a trial {format_seconds(self.trial_seconds)}, "
            f"all else {format_seconds(self.other_seconds)}; {self.effort}"
        )


def run_search(config: SearchConfig, timer: Callable[[], float] = time.perf_counter) -> SearchRun:
    """Run a search in this process, in a directory that is deleted afterwards.

    Args:
        config: The search.
        timer: A clock in seconds.
    """
    start = timer()
    with tempfile.TemporaryDirectory() as folder:
        result = Search(config, Path(folder)).run(verbose=False)
    seconds = timer() - start
    records = [result.trials[number] for number in sorted(result.trials)]
    in_trials = sum(record.seconds for record in records)
    return SearchRun(
        scores=[record.score or 0.0 for record in records],
        trial_seconds=in_trials / len(records),
        other_seconds=seconds - in_trials,
        effort=str(result.efforts["main"]),
    )


def check_agreement(title: str, scores: Mapping[str, list[float]]) -> None:
    """Compare the medians of the scores; the orders of the examples differ, so the scores do too.

    Raises:
        RuntimeError: Two medians are more than 0.1 apart.
    """
    medians = {name: statistics.median(values) for name, values in scores.items()}
    if max(medians.values()) - min(medians.values()) > 0.1:
        raise RuntimeError(f"The trials of {title} don't agree: {medians}.")
