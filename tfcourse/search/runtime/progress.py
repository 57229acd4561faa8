"""The progress of a search: a bar on a terminal, lines elsewhere."""

import time
from collections.abc import Mapping
from typing import Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from tfcourse.console import PlainConsole
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.trial_record import TrialRecord, rank
from tfcourse.search.results.snapshot import duration_in_words
from tfcourse.search.results.tables import format_score
from tfcourse.search.strategies.stopping import limits_in_words

__all__ = ["SearchProgress", "TrialsProgress"]

# Without a terminal the progress is a line at most so often.
SECONDS_BETWEEN_LINES = 5.0


class TrialsProgress:
    """The trials done, the best score, and the time passed and left.

    Args:
        name: The text before them.
        total: The number of trials.
        completed: The number of those that are done already.
        best: The best score of these.
        disable: True to show nothing.
    """

    def __init__(
        self,
        name: str,
        total: int,
        completed: int = 0,
        best: float | None = None,
        disable: bool = False,
    ) -> None:
        console = PlainConsole(stderr=True)
        self.disable = disable
        self.in_lines = not (disable or console.is_terminal or console.is_jupyter)
        self.progress = Progress(
            TextColumn("{task.description}", "bold", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("trials"),
            TextColumn("best {task.fields[best]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            # A narrow terminal wraps this column, so that the others are not cut.
            TextColumn("{task.fields[running]}", "dim", markup=False, table_column=Column()),
            console=console,
            disable=disable or self.in_lines,
        )
        self.task = self.progress.add_task(
            name, total=total, completed=completed, best=format_score(best), running=""
        )
        self.last_line, self.line_at = "", 0.0

    def __enter__(self) -> Self:
        self.progress.start()
        self._print_line()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()
        self._print_line()

    def say(self, line: str) -> None:
        """Print a line above the bar, also where there is none: of the workers, or the progress."""
        self.progress.console.print(line, highlight=False, soft_wrap=True)

    def count(self, best: float | None) -> None:
        """Show that one more trial has ended, and the best score so far."""
        self.progress.update(self.task, advance=1, best=format_score(best))
        if time.monotonic() - self.line_at >= SECONDS_BETWEEN_LINES:
            self._print_line()

    def _print_line(self) -> None:
        """Print the state as a line where there is no bar, unless it is the same as before."""
        if not self.in_lines:
            return
        task = self.progress.tasks[0]
        line = f"{task.description}: {task.completed:.0f} of {task.total:.0f} trials"
        line += f", best {task.fields['best']}, {duration_in_words(task.elapsed or 0.0)}"
        if task.time_remaining:
            line += f", about {duration_in_words(task.time_remaining)} left"
        line += f" ({task.fields['running']})" if task.fields["running"] else ""
        if line != self.last_line:
            self.last_line, self.line_at = line, time.monotonic()
            self.say(line)


class SearchProgress(TrialsProgress):
    """A search's progress, with its limits and the trials of its workers.

    Args:
        config: The search.
        finished: The trials that an earlier run finished.
        disable: True to show nothing.
    """

    def __init__(
        self, config: SearchConfig, finished: Mapping[int, TrialRecord], disable: bool = False
    ) -> None:
        count = sum(number < config.trials for number in finished)
        ranking = rank(finished.values(), config.direction)
        best = ranking[0].score if ranking else None
        super().__init__(config.search.name, config.trials, count, best, disable)
        self.config, self.records = config, dict(finished)
        self.running: dict[str, set[int]] = {}
        self._show_running()

    def began(self, worker: str, trial: int) -> None:
        """Show that a worker has begun a trial."""
        self.running.setdefault(worker, set()).add(trial)
        self._show_running()

    def ended(self, worker: str, trial: int | None = None) -> None:
        """Show that a worker has ended a trial; None for all of its trials."""
        others = self.running.pop(worker, set()) - {trial}
        if others and trial is not None:
            self.running[worker] = others
        self._show_running()

    def _show_running(self) -> None:
        texts = [
            f"{worker}: {min(trials)}" + f" and {len(trials) - 1} more" * (len(trials) > 1)
            for worker, trials in sorted(self.running.items())
        ]
        limits, direction = self.config.limits, self.config.direction
        texts = [*limits_in_words(limits, direction, self.records), *texts]
        self.progress.update(self.task, running=", ".join(texts))

    def advance(self, record: TrialRecord, best: float | None) -> None:
        """Show that one more trial has ended.

        Args:
            record: Its record.
            best: The best score so far.
        """
        self.records[record.trial] = record
        self._show_running()
        self.count(best)
