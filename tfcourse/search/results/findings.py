"""Findings about a finished search: signs that its space or its budget should be another one.

The checks are those that Google's Deep Learning Tuning Playbook (Godbole et al. 2023) asks for
before a round of experiments is trusted.
"""

import math
import shlex
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tfcourse.search.records.score_at import BEST
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.tables import format_score
from tfcourse.search.space.parameters import Parameter, Range

__all__ = ["findings", "with_run_directory"]

# With fewer completed trials, positions and shares are mostly chance.
FEWEST_TRIALS = 8
# A position this close to an end of a scale, which is 1 long, is at the edge.
EDGE, NEAR_EDGE = 0.1, 0.2
DIVERGED_SHARE = 0.1
# The validation score gets worse by this share after its best epoch in a training that over-fits.
OVERFIT = 0.1
# The directory in a recorded finding, as a run directory can be moved.
RUN_DIR = "RUN_DIR"


def findings(
    space: Mapping[str, Parameter],
    records: Iterable[TrialRecord],
    ranking: Sequence[TrialRecord],
    schedule: str | None = None,
    objective: str = "val_loss",
    direction: str = "min",
    score_at: str = BEST,
) -> list[str]:
    """Return a line for each finding, with what to do next.

    Args:
        space: The parameters by name.
        records: All trials.
        ranking: The completed ones, best first.
        schedule: The schedule of the learning rate where a trial has none of its own.
        objective: The name of the score.
        direction: Its better direction, ``"max"`` or ``"min"``.
        score_at: The epochs that it is of.
    """
    records = list(records)
    best = ranking[: max(math.ceil(len(ranking) / 4), 1)]
    lines = []
    if len(ranking) >= FEWEST_TRIALS:
        lines += _edges(space, best)
    if len(records) >= FEWEST_TRIALS:
        lines += _divergence(space, records, ranking)
    return [
        *_pruning(records),
        *lines,
        *_epochs(best, schedule, objective, direction, score_at),
        *_lead(ranking),
    ]


def with_run_directory(lines: Iterable[str], directory: Path) -> list[str]:
    """Return findings to show, whose commands name the run directory."""
    return [line.replace(RUN_DIR, shlex.quote(str(directory))) for line in lines]


def _pruning(records: Sequence[TrialRecord]) -> list[str]:
    """Return a line if trials were pruned."""
    pruned = sum(record.status == "pruned" for record in records)
    if not pruned:
        return []
    saved = sum(record.epochs_saved for record in records)
    trained = sum(record.epochs_trained for record in records)
    return [
        f"{pruned} of {len(records)} trials were pruned, which saved {saved} of "
        f"{saved + trained} epochs."
    ]


def _edges(space: Mapping[str, Parameter], best: Sequence[TrialRecord]) -> list[str]:
    """Return a line for each range with the best trials at one of its ends, on its scale."""
    lines = []
    for name, parameter in space.items():
        if not isinstance(parameter, Range) or name not in best[0].values:
            continue
        value = float(best[0].values[name])
        units = [_unit(parameter, float(r.values[name])) for r in best if name in r.values]
        first, middle = units[0], statistics.median_high(units)
        # Numbers of layers or units begin at 1, rates at 0.
        has_less = parameter.low > (1 if parameter.kind == "int" else 0)
        if has_less and first <= EDGE and middle <= NEAR_EDGE:
            end, remedy = "low", "smaller low"
        elif first >= 1 - EDGE and middle >= 1 - NEAR_EDGE:
            end, remedy = "high", "larger high"
        else:
            continue
        lines.append(
            f"{name}: the best trials are at the {end} end of its range ({value:.4g} of "
            f"{parameter.low:g} to {parameter.high:g}). Search again with a {remedy}."
        )
    return lines


def _unit(parameter: Range, value: float) -> float:
    """Return the position of a value on its scale; the ends of a stepped range are 0 and 1."""
    if parameter.count is not None and parameter.step is not None:
        last = parameter.count - 1
        return 0.5 if last < 2 else (value - parameter.low) / parameter.step / last
    return parameter.unit_of(value)


def _divergence(
    space: Mapping[str, Parameter],
    records: Sequence[TrialRecord],
    ranking: Sequence[TrialRecord],
) -> list[str]:
    """Return a line if the loss of many trials was not finite."""
    diverged = [r for r in records if r.status == "failed" and "not finite" in r.message]
    if len(diverged) < max(2, DIVERGED_SHARE * len(records)):
        return []
    line = f"{len(diverged)} of {len(records)} trials diverged"
    rates = _rates(diverged)
    middle = statistics.median_high(_rates(ranking)) if ranking else math.inf
    # A trial without a learning rate of its own, which may be conditional, says nothing of it.
    if "learning_rate" in space and max(rates) < math.inf and min(rates) > middle:
        return [
            f"{line}, all with learning_rate >= {min(rates):.3g}: lower the high end of its range."
        ]
    return [f"{line}: lower the learning rates, or give [training] clipnorm."]


def _rates(records: Sequence[TrialRecord]) -> list[float]:
    return [float(r.values.get("learning_rate", math.inf)) for r in records]


def _epochs(
    best: Sequence[TrialRecord],
    schedule: str | None,
    objective: str,
    direction: str,
    score_at: str,
) -> list[str]:
    """Return a line if the best trials were still improving at their end, or over-fitted.

    A learning rate that falls to 0 makes the last epochs the best, however many there are; of one
    epoch nothing can be said.
    """
    lengths = [max(map(len, r.history.values()), default=0) for r in best]
    epochs = [r.best_epoch for r in best]
    if score_at != BEST:  # the last epoch counts, be it the best one or not
        epochs = [_best_epoch(r, objective, direction) for r in best]
    last = sum(epoch == length for epoch, length in zip(epochs, lengths, strict=True))
    if best and epochs[0] == lengths[0] > 1 and last > len(best) / 2:
        if best[0].values.get("schedule", schedule) in ("cosine", "linear"):
            return []
        trials = "The best trial was best at its"
        if len(best) > 1:
            trials = f"{last} of the {len(best)} best trials were best at their"
        return [
            f"{trials} last epoch ({lengths[0]}): more [training] epochs may give better scores."
        ]
    if not best or (turn := _overfit(best[0], objective, direction)) is None:
        return []
    worse, better = ("rises", "falls") if direction == "min" else ("falls", "rises")
    return [
        f"Trial {best[0].trial} over-fits after epoch {turn}: its {objective} {worse} while its "
        f"{objective.removeprefix('val_')} {better}. Regularize (dropout, weight_decay), or save "
        "time with [training.early_stopping]."
    ]


def _best_epoch(record: TrialRecord, objective: str, direction: str) -> int | None:
    """Return the epoch of the best value in a trial's history, from 1; None without a history."""
    curve = list(record.history.get(objective, ()))
    values = [value for value in curve if value is not None]
    better = max if direction == "max" else min
    return curve.index(better(values)) + 1 if values else None


def _overfit(record: TrialRecord, objective: str, direction: str) -> int | None:
    """Return the epoch of the best validation score, from 1, if the training over-fits after it.

    To the end the score gets worse, and the same metric on the train set better. A loss rises by a
    tenth of its least value; a score that is better if it is larger loses a tenth of its gain since
    the first epoch, as it may be near its maximum.
    """
    name = objective.removeprefix("val_")
    sign = 1 if direction == "min" else -1
    training, validation = (
        [math.nan if value is None else sign * value for value in record.history.get(metric, [])]
        for metric in (name, objective)
    )
    if name == objective or min(len(training), len(validation)) < 4:
        return None
    if not all(map(math.isfinite, [*training, *validation])):
        return None
    turn = min(range(len(validation)), key=lambda epoch: validation[epoch])
    scale = abs(validation[turn]) if direction == "min" else validation[0] - validation[turn]
    is_worse = validation[-1] > validation[turn] + OVERFIT * scale
    is_worse = is_worse and training[-1] < training[turn]
    return turn + 1 if is_worse and turn < 0.7 * len(validation) else None


def _lead(ranking: Sequence[TrialRecord]) -> list[str]:
    """Return a line if the best trial's lead is within chance, or if that is not known."""
    if len(ranking) < 2:
        return []
    first, second = ranking[:2]
    lead = abs((first.score or 0.0) - (second.score or 0.0))
    scores = format_score(first.score), format_score(second.score)
    pair = f"trial {first.trial} ({scores[0]}) is better than trial {second.trial} ({scores[1]})"
    if first.score_std is None or second.score_std is None:
        text = f"Chance may decide whether {pair}"
        if lead == 0:
            text = f"Trials {first.trial} and {second.trial} have the same score ({scores[0]})"
        return [
            f"{text}: tfcourse retest {RUN_DIR} --seeds 5 trains the best trials from other seeds."
        ]
    error = math.hypot(
        first.score_std / math.sqrt(len(first.scores)),
        second.score_std / math.sqrt(len(second.scores)),
    )
    if lead > 2 * error:
        return []
    return [f"Chance may decide whether {pair}: the standard error of the lead is {error:.2g}."]
