"""What a search shows: a progress bar while it runs, and its best trials at the end."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from tfcourse.console import LONGEST_MESSAGE, PlainConsole, one_line
from tfcourse.search.config.load import SearchConfig
from tfcourse.search.records.trial_record import TrialRecord, rank
from tfcourse.search.results.layout import FirstThatFits, table_of
from tfcourse.search.space.parameters import Choice, any_of
from tfcourse.search.store.result import Retest
from tfcourse.search.strategies.grid import grid_size

__all__ = [
    "SearchProgress",
    "best_table",
    "format_score",
    "retest_table",
    "rounds_table",
    "space_table",
]

# The middle of a name or value longer than this is left out of the table of the best trials.
LONGEST_VALUE = 24


class SearchProgress:
    """A progress bar: trials done, best score, time passed and left, and each worker's trial.

    Args:
        config: The search.
        finished: The trials that an earlier run finished.
        disable: Whether to show nothing.
    """

    def __init__(
        self, config: SearchConfig, finished: Mapping[int, TrialRecord], disable: bool = False
    ) -> None:
        total = config.trials
        done = sum(number < total for number in finished)
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
            TextColumn("{task.fields[running]}", "dim", markup=False),
            console=PlainConsole(stderr=True),
            disable=disable,
        )
        self.task = self.progress.add_task(
            config.search.name, total=total, completed=done, best=format_score(best), running=""
        )
        self.running: dict[str, set[int]] = {}

    def __enter__(self) -> "SearchProgress":
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def began(self, worker: str, trial: int) -> None:
        """A worker has begun a trial."""
        self.running.setdefault(worker, set()).add(trial)
        self._show_running()

    def ended(self, worker: str, trial: int | None = None) -> None:
        """A worker runs a trial no more; None for all of them."""
        left = self.running.pop(worker, set()) - {trial}
        if left and trial is not None:
            self.running[worker] = left
        self._show_running()

    def _show_running(self) -> None:
        shown = (
            f"{worker}: {min(trials)}" + f" and {len(trials) - 1} more" * (len(trials) > 1)
            for worker, trials in sorted(self.running.items())
        )
        self.progress.update(self.task, running=", ".join(shown))

    def say(self, line: str) -> None:
        """Print a line above the bar, also where there is none."""
        self.progress.console.print(line, highlight=False, soft_wrap=True)

    def advance(self, best: float | None) -> None:
        """One more trial is done."""
        self.progress.update(self.task, advance=1, best=format_score(best))


def best_table(
    records: Sequence[TrialRecord], objective: str, space: Iterable[str]
) -> FirstThatFits:
    """The given trials as a table: number, score, epoch, hyperparameters.

    A trial is a row. Where that is too wide for the terminal a trial is a column, and the worst
    ones are left out if there are too many.
    """
    names = list(space)
    rows = [["trial", objective, "epoch", *(_format(name, LONGEST_VALUE) for name in names)]]
    for record in records:
        score = format_score(record.score)
        if record.score_std is not None:
            score += f" ± {record.score_std:.4f}"
        values = [_format(record.values.get(name), LONGEST_VALUE) for name in names]
        rows.append([str(record.trial), score, str(record.best_epoch), *values])
    forms = [table_of(rows, _best_of(len(records)))]
    for shown in range(len(records), 0, -1):
        columns = list(zip(*rows[: shown + 1], strict=True))
        caption = "All trials are in results.csv." if shown < len(records) else None
        forms.append(table_of(columns, _best_of(shown), caption))
        forms[-1].columns[0].justify = "left"
    return FirstThatFits(forms)


def _best_of(count: int) -> str:
    return f"The {count} best trials" if count > 1 else "The best trial"


def retest_table(retested: Retest) -> FirstThatFits:
    """The trials that ran again: their scores and ranks, then and now; ranks only if they fit."""
    rows = [["trial", f"{retested.objective} then", "now", "rank then", "now", "change"]]
    for trial in retested.trials:
        scores = format_score(trial.old_score), format_score(trial.new_score)
        now = str(trial.new_rank) if trial.new_score is not None else "failed"
        change = "–" if trial.change is None else f"{trial.change:+.4g}" if trial.change else "0"
        rows.append([str(trial.trial), *scores, str(trial.old_rank), now, change])
    without_ranks = [[*row[:3], row[-1]] for row in rows]
    narrow = [["trial", "then", "now", "change"], *without_ranks[1:]]
    return FirstThatFits(
        [
            table_of(rows, "Then and now", wrap=True),
            table_of(without_ranks, "Then and now", wrap=True),
            table_of(narrow, f"{retested.objective}, then and now", wrap=True),
        ]
    )


def rounds_table(rounds: list[dict[str, Any]]) -> FirstThatFits:
    """The boxes of a search from coarse to fine; of many rounds the first and the last ones."""
    forms = []
    for last in (3, 2, 1):
        shown = rounds if len(rounds) <= last + 1 else [rounds[0], *rounds[-last:]]
        rows = [["trials", *(f"{e['first_trial']} to {e['last_trial']}" for e in shown)]]
        for name in rounds[0]["box"]:
            boxes = (_box(entry["box"][name]) for entry in shown)
            rows.append([_format(name, LONGEST_VALUE), *boxes])
        caption = f"{len(shown)} of {len(rounds)} rounds; all are in rounds.json"
        left_out = caption if len(shown) < len(rounds) else None
        forms.append(table_of(rows, "From coarse to fine", left_out, wrap=True))
        forms[-1].columns[0].justify = "left"
    return FirstThatFits(forms)


def _box(part: Mapping[str, Any]) -> str:
    """A range's ends, or the values of a choice from the likeliest on."""
    if "low" in part:
        return f"{_format(part['low'])} to {_format(part['high'])}"
    shares = sorted(zip(part["weights"], part["values"], strict=True), key=lambda s: -s[0])
    return ", ".join(f"{_format(value)} {weight:.0%}" for weight, value in shares)


def space_table(config: SearchConfig) -> Table:
    """What a search is going to try: each hyperparameter's values and scale."""
    search = config.search
    title = f"{search.name}: {search.strategy} search, {config.trials} trials, "
    title += f"{search.objective} ({config.direction})"
    table = Table(title=title, min_width=len(title), box=SIMPLE_HEAD)
    if search.strategy == "grid" and search.trials < (size := grid_size(config.space)):
        table.caption = f"{search.trials} of the grid's {size} points, chosen by the seed"
    for column in ("hyperparameter", "values", "scale"):
        table.add_column(column, overflow="fold")
    for name, parameter in config.space.items():
        if isinstance(parameter, Choice):
            values, scale = ", ".join(map(_format, parameter.values)), "choice"
        else:
            values = f"{_format(parameter.low)} to {_format(parameter.high)}"
            if parameter.step is not None:
                values += f", step {_format(parameter.step)}"
            if parameter.points is not None:
                values += f", {parameter.points} points"
            scale = parameter.scale
        for parent, value in parameter.when:
            values += f", when {parent} is {' or '.join(map(_format, any_of(value)))}"
        table.add_row(name, values, scale)
    return table


def _format(value: Any, longest: int = LONGEST_MESSAGE) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        close = value != 1 and f"{value:.4g}" == "1"  # as a β may be
        return f"1-{1 - value:.4g}" if close and value < 1 else f"{value:.4g}"
    shown = one_line(str(value))
    half = (longest - 1) // 2
    return shown if len(shown) <= longest else f"{shown[:half]}…{shown[-half:]}"


def format_score(score: float | None) -> str:
    """A score with four decimals, or with four digits where those would show nothing of it."""
    if score is None:
        return "–"
    return f"{score:.4f}" if score == 0 or 1e-3 <= abs(score) < 1e5 else f"{score:.4g}"
