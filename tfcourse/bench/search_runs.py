"""One run of a search for the bench: its scores, and where its time goes."""

import statistics
import tempfile
from pathlib import Path

from tfcourse.bench.search_breakdown import PHASES, measured
from tfcourse.bench.table import format_seconds
from tfcourse.search.config.load import SearchConfig
from tfcourse.search.run import Search

__all__ = ["breakdown", "check_agreement", "scores_of"]


def check_agreement(title: str, scores: dict[str, list[float]]) -> None:
    """The orders of the examples differ, and so do the scores, but not their middle.

    Raises:
        RuntimeError: It does.
    """
    middles = {name: statistics.median(found) for name, found in scores.items()}
    if max(middles.values()) - min(middles.values()) > 0.1:
        raise RuntimeError(f"The trials of {title} don't come to the same: {middles}.")


def breakdown(configs: dict[str, SearchConfig]) -> str:
    """Where the time of the trials goes, in the mean of a trial; a line for each config."""
    lines = []
    for name, config in configs.items():
        with measured() as clock:
            scores_of(config)
        parts = (
            f"{phase} {format_seconds(clock.seconds[phase] / config.search.trials)}"
            for phase in PHASES
        )
        lines.append(f"a trial of {name}: {', '.join(parts)}")
    return "\n".join(lines)


def scores_of(config: SearchConfig) -> list[float]:
    """The scores of a search's trials, by their numbers; 0 of one that failed."""
    with tempfile.TemporaryDirectory() as folder:
        result = Search(config, Path(folder)).run(verbose=False)
    return [result.trials[number].score or 0.0 for number in sorted(result.trials)]
