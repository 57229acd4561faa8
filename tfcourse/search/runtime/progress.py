"""The progress bar of a search."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.control import Control
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import ControlType
from rich.table import Column

from tfcourse.console import PlainConsole
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.trial_record import TrialRecord, rank
from tfcourse.search.results.tables import format_score
from tfcourse.search.strategies.stopping import limits_in_words

__all__ = ["SearchProgress", "notice"]


@contextmanager
def notice(text: str, disable: bool = False) -> Iterator[None]:
    """Show a text on the terminal (stderr) inside the context, where no bar can be shown yet.

    No thread draws it: what TensorFlow prints on its start, and the bar with it, is hidden.
    """
    console = PlainConsole(stderr=True)
    if disable or not console.is_terminal:
        yield
        return
    console.print(text, end="\r", style="dim", markup=False, highlight=False, overflow="ellipsis")
    try:
        yield
    finally:
        console.control(Control((ControlType.ERASE_IN_LINE, 2)))


class SearchProgress:
    """A progress bar: trials done, best score, time passed and left, limits, workers' trials.

    Args:
        config: The search.
        finished: The trials that an earlier run finished.
        disable: Whether to show nothing.
    """

    def __init__(
        self, config: SearchConfig, finished: Mapping[int, TrialRecord], disable: bool = False
    ) -> None:
        self.config, self.records = config, dict(finished)
        total = config.trials
        count = sum(number < total for number in finished)
        ranking = rank(finished.values(), config.direction)
        best = ranking[0].score if ranking else None
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
            console=PlainConsole(stderr=True),
            disable=disable,
        )
        self.task = self.progress.add_task(
            config.search.name,
            total=total,
            completed=count,
            best=format_score(best),
            running="",
        )
        self.running: dict[str, set[int]] = {}
        self._show_running()

    def __enter__(self) -> "SearchProgress":
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

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

    def say(self, line: str) -> None:
        """Print a line above the bar, also where there is none."""
        self.progress.console.print(line, highlight=False, soft_wrap=True)

    def advance(self, record: TrialRecord, best: float | None) -> None:
        """Show that one more trial has ended.

        Args:
            record: Its record.
            best: The best score so far.
        """
        self.records[record.trial] = record
        self.progress.update(self.task, advance=1, best=format_score(best))
        self._show_running()
