"""The choice of a model by one optimizing metric and satisficing ones (course 6.1)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import RenderableType

from tfcourse.errors import InputError, WorkFailedError, one_of, shown
from tfcourse.hyperparameters import is_number
from tfcourse.notices import working
from tfcourse.search.config.metrics import direction_of
from tfcourse.search.results.compilation import compile_as_searched
from tfcourse.search.results.layout import Printable, table_of
from tfcourse.search.results.search_record import SearchRecord, read_record
from tfcourse.search.run import Search
from tfcourse.search.trials.latency import REPEATS
from tfcourse.strategy.candidates import (
    Candidate,
    Direction,
    Limit,
    candidate_of,
    metric_text,
    rank_key,
)
from tfcourse.strategy.measures import MEASURES, ModelMeasures
from tfcourse.types import Hyperparameters, KerasModel

__all__ = ["Selection", "select"]

# The candidates that are printed.
_PRINTED = 10


@dataclass(frozen=True, repr=False)
class Selection(Printable):
    """The best trial that satisfies every limit; ``print`` shows it among the candidates.

    Attributes:
        directory: The run directory.
        optimizing: The optimizing metric.
        direction: Its better direction.
        limits: The limits, in the order in which they were tried.
        candidates: The completed trials, best first; those that are ruled out come last.
    """

    directory: Path
    optimizing: str
    direction: Direction
    limits: tuple[Limit, ...]
    candidates: tuple[Candidate, ...]

    @property
    def best(self) -> Candidate:
        """The candidate that was selected."""
        return self.candidates[0]

    @property
    def trial(self) -> int:
        """The number of the selected trial."""
        return self.best.record.trial

    @property
    def values(self) -> Hyperparameters:
        """The hyperparameters of the selected trial."""
        return self.best.record.values

    def model(self) -> KerasModel:
        """Load the selected trial's trained model.

        Raises:
            InputError: The search has not kept it.
        """
        from tfcourse.models.saving import load_model
        from tfcourse.search.best.trial import read_trial

        path = read_trial(self.directory, self.trial).model
        if path is None:
            raise InputError(
                f"{self.directory}: the model of trial {self.trial} is not on disk. The program "
                f"that tfcourse best {self.directory} --trial {self.trial} prints trains it again; "
                'a search with [search] checkpoints = "all" keeps every model.'
            )
        model = load_model(path)
        compile_as_searched(model, self.directory, self.values)
        return model

    def rich_tables(self, top: int | None = None) -> Sequence[RenderableType]:
        """Return the table of the candidates."""
        names = [self.optimizing, *(limit.name for limit in self.limits)]
        columns = dict.fromkeys(names)
        rows = [["trial", *columns, "ruled out by"]]
        for each in self.candidates[: _PRINTED if top is None else top]:
            cells = (metric_text(name, each.values) for name in columns)
            rows.append(
                [
                    str(each.record.trial),
                    *cells,
                    "" if each.ruled_out_by is None else str(each.ruled_out_by),
                ]
            )
        return [table_of(rows, "", wrap=True)]

    def lines(self) -> list[str]:
        """Return the selected trial, the trials that each limit rules out, and how it measures."""
        value = metric_text(self.optimizing, self.best.values)
        lines = [f"Selected: trial {self.trial}, {self.optimizing} {value}."]
        for limit in self.limits:
            trials = [c.record.trial for c in self.candidates if c.ruled_out_by == limit]
            lines.append(f"{limit} rules out {_in_words(trials, len(self.candidates))}")
        if "milliseconds" in [self.optimizing, *(limit.name for limit in self.limits)]:
            lines.append(
                f"milliseconds: median of {REPEATS} predictions for one example, warm, in this "
                "process."
            )
        return lines


def select(
    run: str | Path | Search,
    optimizing: str,
    satisficing: Mapping[str, float] | None = None,
    *,
    directions: Mapping[str, Direction] | None = None,
    verbose: int | str = "auto",
) -> Selection:
    """Select the best trial of a search among those that satisfy every limit (course 6.1).

    One metric is optimized, the others only have to be good enough. A metric is one on record,
    such as ``"val_accuracy"`` or ``"val_loss"``, with its value at the trial's best epoch, whose
    weights its model has; or ``"parameters"``, the number of weights of the model, moving averages
    included; or ``"milliseconds"``, the latency that `tfcourse.search.trials.latency.latency`
    measures. For these two the models are built, and not trained; trials of one architecture share
    both. Limits on record are tried first, then parameters, then milliseconds, so that only the
    trials that are left are measured.

        limits = {"milliseconds": 10, "parameters": 50_000}
        selection = tfcourse.strategy.select("runs/digits", "val_accuracy", limits)
        print(selection.trial, selection.values)

    Args:
        run: The run directory of a search, finished or not, or the `tfcourse.Search` itself, which
            is necessary for the last two metrics if data or builder were passed as objects.
        optimizing: The metric to optimize.
        satisficing: The threshold of each other metric: the least value of one of which more is
            better, as of an accuracy, else the largest.
        directions: ``"max"`` or ``"min"`` for metrics whose better direction is not known, such as
            functions of your own. That of Keras's metrics is Keras's.
        verbose: 0 to say nothing on stderr where the models take longer than a second.

    Returns:
        The selection: ``trial``, ``values``, ``model()``; a tie goes to the better objective of
        the search.

    Raises:
        InputError: It is no run directory, no trial has completed, a metric is not on record or
            has no known direction, a threshold is no number, or builder or data are missing.
        WorkFailedError: No trial satisfies every limit; the message has the nearest of each.
    """
    directory = run.directory if isinstance(run, Search) else Path(run)
    record = read_record(Path(directory))
    if not record.ranking:
        raise InputError(
            f"{directory} has no best trial. {record.counts_in_words()} {record.advice()}"
        )
    better = _directions(record, [optimizing, *(satisficing or {})], directions or {})
    limits = _limits(satisficing or {}, better)
    measured = {optimizing, *(limit.name for limit in limits)} & {*MEASURES}
    config = run.config if isinstance(run, Search) else None
    measures = ModelMeasures(config, Path(directory)) if measured else None
    count = len(record.ranking)
    with working(f"select: measuring the models of {count} trials", disable=verbose == 0):
        candidates = [candidate_of(each, optimizing, limits, measures) for each in record.ranking]
    remaining = [each for each in candidates if each.ruled_out_by is None]
    if not remaining:
        raise WorkFailedError(_none_satisfies(limits, candidates))
    direction = better[optimizing]
    # Stable: trials that are equally good stay in the order of the search's ranking.
    remaining.sort(key=lambda each: rank_key(each.values[optimizing], direction))
    others = [each for each in candidates if each.ruled_out_by is not None]
    return Selection(Path(directory), optimizing, direction, limits, (*remaining, *others))


def _directions(
    record: SearchRecord, names: Sequence[str], directions: Mapping[str, Direction]
) -> dict[str, Direction]:
    """Return the better direction of each metric."""
    metrics = dict.fromkeys(name for trial in record.ranking for name in trial.history)
    result: dict[str, Direction] = {}
    for name in names:
        if name not in metrics and name not in MEASURES:
            raise InputError(one_of("select: a metric", name, [*metrics, *MEASURES]))
        own = record.direction if name == record.objective else direction_of(name)
        direction = "min" if name in MEASURES else directions.get(name, own)
        if direction not in ("max", "min"):
            raise InputError(
                f'select: the better direction of "{name}" is not known. '
                f'Give directions={{"{name}": "max"}} or "min". Received: {shown(direction)}.'
            )
        result[name] = "max" if direction == "max" else "min"
    return result


def _limits(satisficing: Mapping[str, float], better: Mapping[str, Direction]) -> tuple[Limit, ...]:
    """Return the limits, those that cost least to check first."""
    for name, threshold in satisficing.items():
        if not is_number(threshold) or math.isnan(threshold):
            raise InputError(
                f'select: the threshold of "{name}" must be a number. Received: {shown(threshold)}.'
            )
    order = sorted(satisficing, key=lambda name: MEASURES.index(name) if name in MEASURES else -1)
    return tuple(Limit(name, float(satisficing[name]), better[name]) for name in order)


def _none_satisfies(limits: Sequence[Limit], candidates: Sequence[Candidate]) -> str:
    """Return the message with the nearest trial to each limit that rules one out."""
    lines = [f"select: none of {len(candidates)} trials satisfies every limit. Nearest to each:"]
    for limit in limits:
        excluded = [each for each in candidates if each.ruled_out_by == limit]
        if not excluded:
            continue
        values = [(each.values[limit.name], each.record.trial) for each in excluded]
        value, trial = min(values, key=lambda pair: rank_key(pair[0], limit.direction))
        lines.append(
            f"  {limit} rules out {len(excluded)}; the best of them has "
            f"{metric_text(limit.name, {limit.name: value})} (trial {trial})."
        )
    return "\n".join([*lines, "Relax a limit, or search with smaller models."])


def _in_words(trials: Sequence[int], count: int) -> str:
    if not trials:
        return "none."
    listed = ", ".join(map(str, sorted(trials)[:12])) + (", …" if len(trials) > 12 else "")
    return f"{len(trials)} of {count}: trial {listed}."
