"""A search at one moment, as its run directory shows it."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from rich.console import RenderableType

from tfcourse.console import one_line
from tfcourse.search.records.pareto import leaders
from tfcourse.search.records.trial_record import TrialRecord, without_nan
from tfcourse.search.results.layout import FirstThatFits, Printable, table_of
from tfcourse.search.results.outcomes import infeasible_lines
from tfcourse.search.results.search_record import SearchRecord
from tfcourse.search.results.tables import format_score
from tfcourse.search.store.owner import Owner

__all__ = ["Snapshot", "WorkerState", "duration_in_words", "sparkline"]

# The most scores of a sparkline, and the most numbers of trials in a line.
LONGEST_SPARKLINE, MOST_NUMBERS = 50, 8
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class WorkerState:
    """A worker of a running search.

    Attributes:
        name: Its name.
        ended: The number of trials that it has ended in this run.
        last: The last of them; None if there is none yet.
        idle: The seconds since the end of that one.
        running: The trials that it runs; None where the run directory does not tell.
    """

    name: str
    ended: int
    last: int | None
    idle: float | None
    running: Sequence[int] | None


@dataclass(frozen=True)
class Snapshot(Printable):
    """A search at one moment.

    Attributes:
        record: The record when the config last changed, or when the search ended.
        trials: The records of trials by number.
        workers: The workers that have been seen in this run.
        checkpoints: The trials in progress that have a checkpoint.
        owner: The process that searches.
        is_finished: True if the whole record is there.
    """

    record: SearchRecord
    trials: Mapping[int, TrialRecord]
    workers: Sequence[WorkerState]
    checkpoints: Sequence[int]
    owner: Owner
    is_finished: bool

    @property
    def has_ended(self) -> bool:
        """True if the search is finished, or if it is known that no process continues it."""
        return (self.is_finished and not self.owner.searches) or self.owner.searches is False

    @cached_property
    def best(self) -> TrialRecord | None:
        """The best trial so far."""
        first = leaders(self.trials.values(), self.record.objectives)[:1]
        return first[0] if first else None

    @property
    def counts(self) -> dict[str, int]:
        """The number of trials of each status."""
        statuses = [record.status for record in self.trials.values()]
        return {name: statuses.count(name) for name in dict.fromkeys(["completed", *statuses])}

    @property
    def trials_left(self) -> int | None:
        """The number of trials that are not on record; None without a config."""
        planned = self.record.planned
        return None if planned is None else sum(n not in self.trials for n in range(planned))

    @property
    def seconds_left(self) -> float | None:
        """The median seconds of a trial x the trials left / the workers; None if not known."""
        seconds = [record.seconds for record in self.trials.values()]
        if self.has_ended or not seconds or self.trials_left is None:
            return None
        return statistics.median(seconds) * self.trials_left / max(len(self.workers), 1)

    def rich_tables(self, top: int | None = None) -> list[RenderableType]:
        """Return the table of the workers, if any has been seen."""
        if not self.workers or self.has_ended:
            return []
        rows = [["worker", "ended", "last trial", "ended ago"]]
        if is_known := any(worker.running is not None for worker in self.workers):
            rows[0].append("runs trials")
        for worker in self.workers:
            last = "–" if worker.last is None else str(worker.last)
            idle = "–" if worker.idle is None else duration_in_words(worker.idle)
            rows.append([one_line(worker.name, 40), str(worker.ended), last, idle])
            if is_known:
                rows[-1].append(_numbers(worker.running or ()))
        return [FirstThatFits([table_of(rows, "Workers of this run")])]

    def headline(self) -> str:
        """Return the counts, the best score and the time left in one line."""
        text = self._counts_in_words()
        if self.best is not None:
            score = f"{self.record.objective} {format_score(self.best.score)}"
            text += f"; best {score} (trial {self.best.trial})"
        if self.seconds_left:
            text += f"; about {duration_in_words(self.seconds_left)} left"
        return text

    def _counts_in_words(self) -> str:
        planned = "" if self.record.planned is None else f" of {self.record.planned}"
        parts = ", ".join(f"{n} {status}" for status, n in self.counts.items() if n)
        return f"{len(self.trials)}{planned} trials{': ' if parts else ''}{parts}"

    def lines(self) -> list[str]:
        """Return the lines below the table."""
        entries: dict[str, str] = {"trials": self._counts_in_words()}
        if self.best is not None:
            score = f"{self.record.objective} {format_score(self.best.score)}"
            entries["best so far"] = f"{score} (trial {self.best.trial})"
            last = [r for _, r in sorted(self.trials.items())][-LONGEST_SPARKLINE:]
            bars = sparkline([r.score if r.status == "completed" else None for r in last])
            entries["scores"] = f"{bars} (trials {last[0].trial} to {last[-1].trial})"
        if self.checkpoints and not self.has_ended:
            entries["checkpoints"] = f"of trials in progress: {_numbers(self.checkpoints)}"
        if self.seconds_left is not None:
            count = max(len(self.workers), 1)
            workers = "1 worker" if count == 1 else f"{count} workers"
            time_left = f"about {duration_in_words(self.seconds_left)}"
            entries["time left"] = f"{time_left} ({self.trials_left} trials, {workers})"
        lines = [f"{name:<12}{text}" for name, text in entries.items()]
        return [*lines, *infeasible_lines(self.trials), self.state()]

    def state(self) -> str:
        """Return who searches, or how the search ended."""
        if self.is_finished and not self.owner.searches:
            return f"The search is finished. tfcourse show {self.record.directory} shows it."
        if self.owner.searches is None:
            owner = f" ({one_line(self.owner.text, 80)} began it)" if self.owner.text else ""
            return f"Whether a process searches is not known here{owner}."
        if self.owner.searches:
            return f"{one_line(self.owner.text, 80)} searches."
        command = self.record.command()
        return f"No process searches, and the search is not finished. {command} continues it."

    def as_json(self) -> dict[str, Any]:
        """Return the snapshot as JSON has it."""
        best = None if self.best is None else asdict(self.best)
        entry = {
            "directory": str(self.record.directory),
            "finished": self.is_finished,
            "searches": self.owner.searches,
            "owner": self.owner.text,
            "planned": self.record.planned,
            "counts": self.counts,
            "objective": self.record.objective,
            "direction": self.record.direction,
            "best": best,
            "workers": [asdict(worker) for worker in self.workers],
            "checkpoints": list(self.checkpoints),
            "seconds_left": self.seconds_left,
        }
        return dict(without_nan(entry))


def sparkline(scores: Sequence[float | None]) -> str:
    """Return a bar for each score, the higher the larger; "×" for None.

    A score farther than three interquartile ranges from the quartiles is drawn as that far, so
    that one diverged trial does not flatten the others.
    """
    finite = sorted(score for score in scores if score is not None)
    if not finite:
        return "×" * len(scores)
    low, high = finite[0], finite[-1]
    if len(finite) > 3:
        first, _, third = statistics.quantiles(finite, n=4, method="inclusive")
        reach = 3 * (third - first)
        # Of equal quartiles the range is nothing, and the ends are drawn as they are.
        if reach > 0:
            low, high = max(low, first - reach), min(high, third + reach)
    bars = []
    for score in scores:
        if score is None:
            bars.append("×")
            continue
        place = 0.5 if high == low else (min(max(score, low), high) - low) / (high - low)
        bars.append(_BARS[min(int(place * len(_BARS)), len(_BARS) - 1)])
    return "".join(bars)


def duration_in_words(seconds: float, decimals: int = 0) -> str:
    """Return ``12 s``, with decimals ``12.3 s``; ``4 min 5 s`` or ``3 h 2 min``."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{seconds:.{decimals}f} s"
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _numbers(numbers: Sequence[int]) -> str:
    listed = ", ".join(map(str, numbers[:MOST_NUMBERS]))
    more = len(numbers) - MOST_NUMBERS
    return (f"{listed} and {more} more" if more > 0 else listed) or "–"
