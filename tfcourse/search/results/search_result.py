"""The result of a search, and the text that shows it: its best trials, its scores, its files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from tfcourse.console import one_line
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.effort import Effort
from tfcourse.search.records.objective import Objective
from tfcourse.search.records.pareto import pareto_set
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.compilation import compile_as_searched
from tfcourse.search.results.findings import with_run_directory
from tfcourse.search.results.layout import Printable
from tfcourse.search.results.outcomes import LONGEST_REASON, infeasible_lines
from tfcourse.search.results.pareto_table import pareto_tables
from tfcourse.search.results.tables import epochs_in_words, format_score, search_tables
from tfcourse.search.store.code_record import changes_in_words
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.errors import lost_model
from tfcourse.search.store.summary import Summary
from tfcourse.search.strategies.stopping import Stop
from tfcourse.types import KerasModel

__all__ = ["SearchResult"]


@dataclass(frozen=True, repr=False)
class SearchResult(Printable):
    """The result of a search; ``print(result)`` shows it as ``tfcourse search`` does.

    Attributes:
        directory: The run directory.
        trials: All records by number.
        ranking: The completed ones that count, best first.
        summary: The best trial, its score on the dev set, and its metrics on the test set, if any.
        was_complete: True if the search was complete before this call.
        efforts: The models and programs that its trials took in this run, by process.
        code_changes: The changes in the code of its models since it was finished, in words.
        findings: What the trials say about the space and the budget, see
            `tfcourse.search.results.findings`.
        stop: The limit that has ended it before its last trial, if any.
        config: The search; None reads the one on record where it is needed.
        objectives: The objectives, of which the first one is the score.
    """

    directory: Path
    trials: Mapping[int, TrialRecord]
    ranking: list[TrialRecord]
    summary: Summary
    was_complete: bool
    efforts: Mapping[str, Effort] = field(default_factory=dict)
    code_changes: Sequence[str] = ()
    findings: Sequence[str] = ()
    stop: Stop | None = None
    config: SearchConfig | None = field(default=None, compare=False)
    objectives: Sequence[Objective] = ()

    def __repr__(self) -> str:
        summary = self.summary
        return (
            f"<SearchResult {str(self.directory)!r}: {len(self.trials)} trials, "
            f"best {summary.trial} with {summary.objective} {summary.score:.4g}>"
        )

    @property
    def best(self) -> TrialRecord:
        """The best trial."""
        return self.ranking[0]

    @property
    def pareto_set(self) -> list[TrialRecord]:
        """The trials that no other dominates, best first; none with one objective."""
        return pareto_set(self.ranking, self.objectives) if len(self.objectives) > 1 else []

    @property
    def ended_by(self) -> str | None:
        """The limit that has ended it before its last trial, in words."""
        return None if self.stop is None else self.stop.text

    @property
    def rounds(self) -> list[dict[str, Any]]:
        """The first and last trial and the box of each round of a search from coarse to fine."""
        return RunDirectory(self.directory).read_rounds()

    def best_model(self) -> KerasModel:
        """Load the best trial's model.

        It has the weights of its best epoch, or those of its last one if ``score_at`` is not
        ``"best"``.

        Raises:
            WorkFailedError: Its file is lost or damaged.
        """
        directory = RunDirectory(self.directory)
        if directory.best_trial() != self.best.trial:
            raise lost_model(directory.best, self.best.trial)
        # A result is shown without TensorFlow.
        from tfcourse.models.saving import load_model

        model = load_model(directory.best)
        compile_as_searched(model, self.directory, self.best.values, self.config)
        return model

    def rich_tables(self, top: int | None = None) -> list[RenderableType]:
        """Return the table of the rounds, if there are any, and that of the best trials."""
        objective = self.summary.objective
        tables = search_tables(self.trials, self.ranking, self.rounds, objective, top)
        return [*tables, *pareto_tables(self.pareto_set, self.objectives)]

    def lines(self) -> list[str]:
        """Return the lines below the tables: failures, scores, files, findings and warnings."""
        best, summary = self.best, self.summary
        spread = f" ± {best.score_std:.4f}, {len(best.scores)} trainings" if best.scores else ""
        entries: dict[str, object] = {}
        if self.stop is not None:
            entries["ended by"] = _end(self.stop, self.trials)
        entries |= {
            "dev set": f"{summary.objective} {format_score(best.score)}{spread} "
            f"(trial {best.trial}, {epochs_in_words(best)})",
            **({"test set": f"{_metrics(summary)} ({_times(summary)})"} if summary.test else {}),
            "best model": self.directory / "best.keras",
            "results": self.directory / "results.csv",
            "history": self.directory / "history.csv",
            "record": self.directory,
        }
        lines = [f"{name:<12}{entry}" for name, entry in entries.items()]
        failed = [record for _, record in sorted(self.trials.items()) if record.status == "failed"]
        if failed:
            lines.insert(
                0,
                f"{len(failed)} of {len(self.trials)} trials failed: see the messages in results. "
                f"Trial {failed[0].trial}: {one_line(failed[0].message, LONGEST_REASON)}",
            )
        lines[:0] = infeasible_lines(self.trials)
        lines += [*with_run_directory(self.findings, self.directory), *_warning(summary)]
        if self.code_changes:
            lines.append(
                f"Warning: {changes_in_words(self.code_changes)} The result is the old code's; "
                "--fresh searches with today's."
            )
        return lines


def _metrics(summary: Summary) -> str:
    """Return the metrics on the test set: the objective's comes first, the loss last."""
    test = summary.test
    order = sorted(test, key=lambda name: (name == "loss", f"val_{name}" != summary.objective))
    return ", ".join(f"{name} {format_score(test[name])}" for name in order)


def _end(stop: Stop, trials: Iterable[int]) -> str:
    """Return the limit that ended a search, and the trials on record that do not count."""
    after = [number for number in sorted(trials) if stop.end is not None and number >= stop.end]
    if not after:
        return stop.text
    numbers = f"trial {after[0]} after it does" if len(after) == 1 else f"{len(after)} after it do"
    return f"{stop.text}; {numbers} not count"


def _times(summary: Summary) -> str:
    count = len(summary.measurements)
    return "measured once" if count <= 1 else f"measurement {count} on this test set"


def _warning(summary: Summary) -> list[str]:
    measurements = summary.measurements
    if len(measurements) <= 1:
        return []
    trials = ", ".join(str(each.trial) for each in measurements)
    return [
        f"Warning: the test set has now been used {len(measurements)} times, for the best trials "
        f"{trials} as the search grew. If its scores decide when to stop, it is a second dev set: "
        "judge the final model on new data. summary.json has every measurement."
    ]
