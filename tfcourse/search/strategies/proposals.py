"""Which values a trial gets: a function of the config, its number and the records before it.

Nothing is remembered between two calls that would change their result: a search that was
interrupted, or that runs in several processes, proposes the same values. keras-tuner's own
`bayesian` is in `tfcourse.search.engine`.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from tfcourse.search.config.load import SearchConfig
from tfcourse.search.record.records import TrialRecord, rank
from tfcourse.search.space.sampling import sample
from tfcourse.search.strategies.grid import grid_values
from tfcourse.search.strategies.hyperband import hyperband_round
from tfcourse.search.strategies.refine import Part, Weighted, as_record, refine

__all__ = ["PROPOSALS", "Boxes", "Records", "by_quality", "rounds_on_record"]

Records = Mapping[int, TrialRecord]
Box = dict[str, Part | Weighted]
# The boxes of rounds by number: what is known of them does not change any more.
Boxes = dict[int, Box]
Proposal = Callable[[SearchConfig, int, Records, Boxes], dict[str, Any] | None]


def by_quality(records: Records, direction: str) -> tuple[list[TrialRecord], list[TrialRecord]]:
    """The trials with a score, best first (of equal ones the earlier), and those without."""
    finite = {t for t, r in records.items() if r.score is not None and math.isfinite(r.score)}
    ranked = rank((records[trial] for trial in finite), direction)
    good = {record.trial for record in ranked}
    return ranked, [record for trial, record in sorted(records.items()) if trial not in good]


def rounds_on_record(
    config: SearchConfig, finished: Records, boxes: Boxes | None = None
) -> list[dict[str, Any]]:
    """Coarse to fine: each round's first and last trial and its box, as far as they are known.

    Args:
        config: The search.
        finished: The records of the trials that have ended, by number.
        boxes: Keeps what was computed for the next call.
    """
    if config.search.strategy != "coarse_to_fine":
        return []
    size = config.settings.trials_per_round
    # The record may hold more trials than are asked for now.
    total = max([config.search.trials, *(trial + 1 for trial in finished)])
    rounds: list[dict[str, Any]] = []
    boxes = {} if boxes is None else boxes
    for first in range(0, total, size):
        box = _box(config, first // size, finished, boxes)
        if box is None:
            break
        last = min(first + size, total) - 1
        rounds.append({"first_trial": first, "last_trial": last, "box": as_record(box)})
    return rounds


def _random(
    config: SearchConfig, trial: int, finished: Records, boxes: Boxes
) -> dict[str, Any] | None:
    return sample(config.space, config.search.seed, trial)


def _grid(
    config: SearchConfig, trial: int, finished: Records, boxes: Boxes
) -> dict[str, Any] | None:
    return grid_values(config.space, config.search.seed, trial)


def _coarse_to_fine(
    config: SearchConfig, trial: int, finished: Records, boxes: Boxes
) -> dict[str, Any] | None:
    box = _box(config, trial // config.settings.trials_per_round, finished, boxes)
    return None if box is None else sample(box, config.search.seed, trial)


def _box(config: SearchConfig, number: int, finished: Records, boxes: Boxes) -> Box | None:
    """The box of round ``number``, from the rounds before it; None while one is unfinished."""
    if number in boxes:
        return boxes[number]
    before = range(number * config.settings.trials_per_round)
    if any(trial not in finished for trial in reversed(before)):  # the last ones are missing first
        return None
    ranked, failed = by_quality({trial: finished[trial] for trial in before}, config.direction)
    boxes[number] = refine(
        config.space,
        [record.values for record in ranked],
        [record.values for record in failed],
        number,
        keep=config.settings.keep,
        shrink=config.settings.shrink,
        floor=config.settings.floor,
    )
    return boxes[number]


def _hyperband(
    config: SearchConfig, trial: int, finished: Records, boxes: Boxes
) -> dict[str, Any] | None:
    """Of each round the best go on, for ``factor`` times as many epochs; see `hyperband_round`.

    A trial that goes on is trained anew, from the seed of the trial that it continues: the same run
    for longer. Where more have failed than go on, new ones take their places.
    """
    place = hyperband_round(trial, config.training.epochs, config.settings.factor)
    if place.before is None:
        values = sample(config.space, config.search.seed, trial)
        return {**values, "epochs": place.epochs}
    before = range(*place.before)
    if any(t not in finished for t in before):
        return None
    ranked, _ = by_quality({t: finished[t] for t in before}, config.direction)
    if trial - place.first >= len(ranked):
        values = sample(config.space, config.search.seed, trial)
        return {**values, "epochs": place.epochs}
    best = ranked[trial - place.first]
    origin = best.values.get("continues", best.trial)
    return {**best.values, "epochs": place.epochs, "continues": origin}


# Given the config, a trial's number, the records of the trials that have ended and the boxes that
# are known: its values, or None if trials before it must end first.
PROPOSALS: dict[str, Proposal] = {
    "random": _random,
    "grid": _grid,
    "coarse_to_fine": _coarse_to_fine,
    "hyperband": _hyperband,
}
