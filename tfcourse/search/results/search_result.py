"""The result of a search, and the text that shows it: its best trials, its scores, its files."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from tfcourse.console import one_line
from tfcourse.search.records.effort import Effort
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.layout import plain_text
from tfcourse.search.results.tables import best_table, format_score, rounds_table
from tfcourse.search.store.code_record import changes_in_words
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.errors import lost_model
from tfcourse.search.store.summary import Summary
from tfcourse.types import KerasModel

__all__ = [
    "LONGEST_REASON",
    "MAX_SHOWN",
    "SearchResult",
    "result_lines",
    "result_tables",
    "result_text",
]

# The number of best trials that are shown, and the most characters of a failed one's message.
MAX_SHOWN, LONGEST_REASON = 5, 200


@dataclass(frozen=True, repr=False)
class SearchResult:
    """The result of a search; ``print(result)`` shows it as ``tfcourse search`` does.

    Attributes:
        directory: The run directory.
        trials: All records by number.
        ranking: The completed ones, best first.
        summary: The best trial, its score on the dev set, and its metrics on the test set.
        was_complete: True if the search was complete before this call.
        efforts: The models and programs that its trials took in this run, by process.
        code_changes: The changes in the code of its models since it was finished, in words.
        findings: What the trials say about the space and the budget, see
            `tfcourse.search.results.findings`.
    """

    directory: Path
    trials: Mapping[int, TrialRecord]
    ranking: list[TrialRecord]
    summary: Summary
    was_complete: bool
    efforts: Mapping[str, Effort] = field(default_factory=dict)
    code_changes: Sequence[str] = ()
    findings: Sequence[str] = ()

    def __repr__(self) -> str:
        summary = self.summary
        return (
            f"<SearchResult {str(self.directory)!r}: {len(self.trials)} trials, "
            f"best {summary.trial} with {summary.objective} {summary.score:.4g}>"
        )

    def __str__(self) -> str:
        return result_text(self)

    def __rich__(self) -> RenderableType:
        return Group(*result_tables(self), *map(Text, result_lines(self)))

    def _repr_html_(self) -> str:
        """Return the text as HTML, for a notebook."""
        return f"<pre>{html.escape(str(self))}</pre>"

    @property
    def best(self) -> TrialRecord:
        """The best trial."""
        return self.ranking[0]

    @property
    def rounds(self) -> list[dict[str, Any]]:
        """The first and last trial and the box of each round of a search from coarse to fine."""
        return RunDirectory(self.directory).read_rounds()

    def best_model(self) -> KerasModel:
        """Load the best trial's model, with the weights of its best epoch.

        Raises:
            WorkFailedError: Its file is lost or damaged.
        """
        directory = RunDirectory(self.directory)
        if directory.best_trial() != self.best.trial:
            raise lost_model(directory.best, self.best.trial)
        # A result is shown without TensorFlow.
        from tfcourse.models.saving import load_model

        return load_model(directory.best)


def result_tables(result: SearchResult, top: int | None = None) -> list[RenderableType]:
    """Return the table of the rounds, if there are any, and that of the best trials.

    Args:
        result: The result.
        top: The number of best trials; 5 by default.
    """
    shown = result.ranking[: MAX_SHOWN if top is None else top]
    names = dict.fromkeys(name for record in result.trials.values() for name in record.values)
    best = best_table(shown, result.summary.objective, names)
    rounds = result.rounds
    return [rounds_table(rounds), best] if rounds else [best]


def result_lines(result: SearchResult) -> list[str]:
    """Return the lines below the tables: failures, scores, files and warnings."""
    best, summary = result.best, result.summary
    failed = len(result.trials) - len(result.ranking)
    spread = f" ± {best.score_std:.4f}, {len(best.scores)} trainings" if best.scores else ""
    lines = {
        "dev set": f"{summary.objective} {format_score(best.score)}{spread} "
        f"(trial {best.trial}, epoch {best.best_epoch})",
        "test set": f"{_metrics(result)} ({_times(result)})",
        "best model": result.directory / "best.keras",
        "results": result.directory / "results.csv",
        "history": result.directory / "history.csv",
        "record": result.directory,
    }
    texts = [f"{name:<12}{value}" for name, value in lines.items()]
    if failed:
        first = next(r for _, r in sorted(result.trials.items()) if r.status == "failed")
        texts.insert(
            0,
            f"{failed} of {len(result.trials)} trials failed: see the messages in results. "
            f"Trial {first.trial}: {one_line(first.message, LONGEST_REASON)}",
        )
    return [*texts, *result.findings, *_warning(result), *_code_warning(result)]


def result_text(result: SearchResult, width: int | None = None) -> str:
    """Return tables and lines as plain text, the tables no wider than a terminal or ``width``."""
    return plain_text(result_tables(result), result_lines(result), width)


def _metrics(result: SearchResult) -> str:
    """Return the metrics on the test set: the objective's comes first, the loss last."""
    test, objective = result.summary.test, result.summary.objective
    order = sorted(test, key=lambda name: (name == "loss", f"val_{name}" != objective))
    return ", ".join(f"{name} {format_score(test[name])}" for name in order)


def _times(result: SearchResult) -> str:
    count = len(result.summary.measurements)
    return "measured once" if count <= 1 else f"measurement {count} on this test set"


def _code_warning(result: SearchResult) -> list[str]:
    if not result.code_changes:
        return []
    changed = changes_in_words(result.code_changes)
    return [f"Warning: {changed} The result is the old code's; --fresh searches with today's."]


def _warning(result: SearchResult) -> list[str]:
    measurements = result.summary.measurements
    if len(measurements) <= 1:
        return []
    trials = ", ".join(str(each.trial) for each in measurements)
    return [
        f"Warning: the test set has now been used {len(measurements)} times, for the best trials "
        f"{trials} as the search grew. If its scores decide when to stop, it is a second dev set: "
        "judge the final model on new data. summary.json has every measurement."
    ]
