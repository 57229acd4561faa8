"""The tables of a search: its space, its rounds and its best trials."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table

from tfcourse.console import LONGEST_MESSAGE, one_line
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.layout import FirstThatFits, table_of
from tfcourse.search.space.parameters import Choice, any_of
from tfcourse.search.strategies.grid import grid_size

__all__ = [
    "best_table",
    "epochs_in_words",
    "format_score",
    "format_value",
    "rounds_table",
    "search_tables",
    "space_table",
    "upright_or_transposed",
]

# The number of best trials that are shown.
MAX_SHOWN = 5
# In the table of the best trials, longer names and values are shortened in the middle.
LONGEST_VALUE = 24


def search_tables(
    trials: Mapping[int, TrialRecord],
    ranking: Sequence[TrialRecord],
    rounds: Sequence[Mapping[str, Any]],
    objective: str,
    top: int | None = None,
) -> list[RenderableType]:
    """Return the table of the rounds and that of the best trials, as far as there are any.

    Args:
        trials: All records by number.
        ranking: The completed ones, best first.
        rounds: The rounds of a search from coarse to fine.
        objective: The name of the score.
        top: The number of best trials; 5 by default.
    """
    tables: list[RenderableType] = [rounds_table(rounds)] if rounds else []
    names = dict.fromkeys(name for record in trials.values() for name in record.values)
    best = ranking[: MAX_SHOWN if top is None else top]
    return [*tables, best_table(best, objective, names)] if best else tables


def best_table(
    records: Sequence[TrialRecord], objective: str, space: Iterable[str]
) -> FirstThatFits:
    """Return the trials as a table of number, score, epoch and hyperparameters.

    Args:
        records: The trials, best first.
        objective: The name of the score.
        space: The names of the hyperparameters.
    """
    names = list(space)
    rows = [["trial", objective, "epoch", *(format_value(name, LONGEST_VALUE) for name in names)]]
    for record in records:
        score = format_score(record.score)
        if record.score_std is not None:
            score += f" ± {record.score_std:.4f}"
        values = [format_value(record.values.get(name), LONGEST_VALUE) for name in names]
        rows.append([str(record.trial), score, str(record.best_epoch), *values])
    return upright_or_transposed(rows, _title_of_best)


def upright_or_transposed(
    rows: Sequence[Sequence[str]], title_of: Callable[[int], str]
) -> FirstThatFits:
    """Return a table with a trial a row, or a column where that is too wide for the terminal.

    The last ones are left out if there are too many columns.

    Args:
        rows: The heading, and the cells of each trial.
        title_of: Returns the title for a number of trials.
    """
    trials = len(rows) - 1
    forms = [table_of(rows, title_of(trials))]
    for count in range(trials, 0, -1):
        columns = list(zip(*rows[: count + 1], strict=True))
        caption = "All trials are in results.csv." if count < trials else None
        forms.append(table_of(columns, title_of(count), caption))
        forms[-1].columns[0].justify = "left"
    return FirstThatFits(forms)


def _title_of_best(count: int) -> str:
    return f"The {count} best trials" if count > 1 else "The best trial"


def rounds_table(rounds: Sequence[Mapping[str, Any]]) -> FirstThatFits:
    """Return the boxes of a search from coarse to fine; of many rounds the first and the last."""
    forms = []
    for last in (3, 2, 1):
        visible = rounds if len(rounds) <= last + 1 else [rounds[0], *rounds[-last:]]
        rows = [["trials", *(f"{e['first_trial']} to {e['last_trial']}" for e in visible)]]
        for name in rounds[0]["box"]:
            boxes = (_box(entry["box"][name]) for entry in visible)
            rows.append([format_value(name, LONGEST_VALUE), *boxes])
        caption = f"{len(visible)} of {len(rounds)} rounds; all are in rounds.json"
        footer = caption if len(visible) < len(rounds) else None
        forms.append(table_of(rows, "From coarse to fine", footer, wrap=True))
        forms[-1].columns[0].justify = "left"
    return FirstThatFits(forms)


def _box(part: Mapping[str, Any]) -> str:
    """Return the ends of a range, or the values of a choice, the likeliest first."""
    if "low" in part:
        return f"{format_value(part['low'])} to {format_value(part['high'])}"
    shares = sorted(zip(part["weights"], part["values"], strict=True), key=lambda s: -s[0])
    return ", ".join(f"{format_value(value)} {weight:.0%}" for weight, value in shares)


def space_table(config: SearchConfig) -> Table:
    """Return the values and scale of each hyperparameter of a search."""
    search = config.search
    title = f"{search.name}: {search.strategy} search, {config.trials} trials, "
    title += ", ".join(f"{each.name} ({each.direction})" for each in config.objectives)
    table = Table(title=title, min_width=len(title), box=SIMPLE_HEAD)
    if search.strategy == "grid" and search.trials < (size := grid_size(config.space)):
        table.caption = f"{search.trials} of the grid's {size} points, chosen by the seed"
    for column in ("hyperparameter", "values", "scale"):
        table.add_column(column, overflow="fold")
    for name, parameter in config.space.items():
        if isinstance(parameter, Choice):
            values, scale = ", ".join(map(format_value, parameter.values)), "choice"
        else:
            values = f"{format_value(parameter.low)} to {format_value(parameter.high)}"
            if parameter.step is not None:
                values += f", step {format_value(parameter.step)}"
            if parameter.points is not None:
                values += f", {parameter.points} points"
            scale = parameter.scale
        for parent, value in parameter.when:
            values += f", when {parent} is {' or '.join(map(format_value, any_of(value)))}"
        table.add_row(name, values, scale)
    return table


def format_value(value: object, longest: int = LONGEST_MESSAGE) -> str:
    """Return a hyperparameter's value with four digits, and at most ``longest`` characters.

    A number close to 1 is shown as its distance, ``1-1e-05``.
    """
    if value is None:
        return "–"
    if isinstance(value, float):
        is_near_1 = value != 1 and f"{value:.4g}" == "1"  # as a β can be
        return f"1-{1 - value:.4g}" if is_near_1 and value < 1 else f"{value:.4g}"
    text = one_line(str(value))
    half = (longest - 1) // 2
    return text if len(text) <= longest else f"{text[:half]}…{text[-half:]}"


def epochs_in_words(record: TrialRecord) -> str:
    """Return the epochs of a trial's score: ``"epoch 9"`` or ``"mean of epochs 7 to 9"``."""
    last = record.best_epoch
    if last is None or record.averaged_epochs == 1:
        return f"epoch {last}"
    return f"mean of epochs {max(last - record.averaged_epochs + 1, 1)} to {last}"


def format_score(score: float | None) -> str:
    """Return a score with four decimals, or with four digits if it is very small or large."""
    if score is None:
        return "–"
    return f"{score:.4f}" if score == 0 or 1e-3 <= abs(score) < 1e5 else f"{score:.4g}"
