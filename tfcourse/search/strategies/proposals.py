"""Which values a trial gets: a function of the config, its number and the records before it.

Nothing is remembered between two calls that would change their result: a search that was
interrupted, or that runs in several processes, proposes the same values. keras-tuner's own
`bayesian` is in `tfcourse.search.engine`.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tfcourse.search.config.load import SearchConfig
from tfcourse.search.records.trial_record import TrialRecord, rank
from tfcourse.search.space.discrete import (
    Configuration,
    configuration_of,
    is_discrete,
    new_sample,
)
from tfcourse.search.space.sampling import sample
from tfcourse.search.strategies.coarse_to_fine import Part, Weighted, as_record, refine
from tfcourse.search.strategies.grid import grid_values
from tfcourse.search.strategies.hyperband import hyperband_round

__all__ = ["PROPOSALS", "Boxes", "Memo", "Records", "by_quality", "drawn", "rounds_on_record"]

Records = Mapping[int, TrialRecord]
Box = dict[str, Part | Weighted]
# The boxes of rounds by number: what is known of them does not change any more.
Boxes = dict[int, Box]


@dataclass(frozen=True)
class Memo:
    """What was computed for earlier proposals of a search; it changes nothing but the time.

    Attributes:
        boxes: Coarse to fine: the boxes of rounds.
        draws: Of a discrete space: the values of the trials that draw some, by number.
        configurations: The configurations of ``draws``.
    """

    boxes: Boxes = field(default_factory=dict)
    draws: dict[int, dict[str, Any] | None] = field(default_factory=dict)
    configurations: set[Configuration] = field(default_factory=set)


Proposal = Callable[[SearchConfig, int, Records, Memo], dict[str, Any] | None]


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
    total = max([config.trials, *(trial + 1 for trial in finished)])
    rounds: list[dict[str, Any]] = []
    boxes = {} if boxes is None else boxes
    for first in range(0, total, size):
        box = _box(config, first // size, finished, boxes)
        if box is None:
            break
        last = min(first + size, total) - 1
        rounds.append({"first_trial": first, "last_trial": last, "box": as_record(box)})
    return rounds


def drawn(
    config: SearchConfig,
    trial: int,
    finished: Records,
    memo: Memo,
    box_of: Callable[[int], Mapping[str, Any] | None] | None = None,
) -> dict[str, Any] | None:
    """The values of a trial that draws them; of a discrete space, none that an earlier one drew.

    A trial on record has the values of its record, also where an earlier version drew them with
    repetition.

    Args:
        config: The search.
        trial: The trial's number, from 0.
        finished: The records of the trials that have ended, by number.
        memo: What was drawn before, for the same search.
        box_of: What a trial draws from, None for one that draws nothing; else all draw from the
            space.
    """
    space, seed = config.space, config.search.seed
    box_of = box_of or (lambda number: space)
    if not is_discrete(space):
        return sample(box_of(trial) or space, seed, trial)
    for number in range(len(memo.draws), trial + 1):
        box = box_of(number)
        if box is None:
            memo.draws[number] = None
            continue
        values = dict(finished[number].values) if number in finished else None
        if values is None:
            values = new_sample(space, box, seed, number, memo.configurations)
        # Beyond the last new one, which is no trial of a search.
        values = sample(box, seed, number) if values is None else values
        memo.draws[number] = {name: value for name, value in values.items() if name in space}
        memo.configurations.add(configuration_of(space, values))
    return memo.draws[trial]


def _random(
    config: SearchConfig, trial: int, finished: Records, memo: Memo
) -> dict[str, Any] | None:
    return drawn(config, trial, finished, memo)


def _grid(config: SearchConfig, trial: int, finished: Records, memo: Memo) -> dict[str, Any] | None:
    return grid_values(config.space, config.search.seed, trial)


def _coarse_to_fine(
    config: SearchConfig, trial: int, finished: Records, memo: Memo
) -> dict[str, Any] | None:
    def box_of(number: int) -> Box | None:
        return _box(config, number // config.settings.trials_per_round, finished, memo.boxes)

    return None if box_of(trial) is None else drawn(config, trial, finished, memo, box_of)


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
    config: SearchConfig, trial: int, finished: Records, memo: Memo
) -> dict[str, Any] | None:
    """Of each round the best go on, for ``factor`` times as many epochs; see `hyperband_round`.

    A trial that goes on is trained anew, from the seed of the trial that it continues: the same run
    for longer. Where more have failed than go on, new ones take their places.
    """
    epochs, factor = config.training.epochs, config.settings.factor
    place = hyperband_round(trial, epochs, factor)

    def box_of(number: int) -> Mapping[str, Any] | None:
        begins = hyperband_round(number, epochs, factor).before is None
        return config.space if begins else None

    if place.before is None:
        values = drawn(config, trial, finished, memo, box_of)
        return {**(values or {}), "epochs": place.epochs}
    before = range(*place.before)
    if any(t not in finished for t in before):
        return None
    ranked, _ = by_quality({t: finished[t] for t in before}, config.direction)
    if trial - place.first >= len(ranked):
        drawn(config, place.first - 1, finished, memo, box_of)
        earlier = [memo.draws.get(number) for number in range(place.first)]
        replaced = range(place.first + len(ranked), trial + 1)
        return {**_replacement(config, replaced, earlier), "epochs": place.epochs}
    best = ranked[trial - place.first]
    origin = best.values.get("continues", best.trial)
    return {**best.values, "epochs": place.epochs, "continues": origin}


def _replacement(
    config: SearchConfig, numbers: Iterable[int], earlier: Iterable[Mapping[str, Any] | None]
) -> dict[str, Any]:
    """The values of the last of these trials; of a discrete space new ones, as far as there are."""
    space, seed = config.space, config.search.seed
    used = {configuration_of(space, values) for values in earlier if values}
    for number in numbers:
        values = sample(space, seed, number)
        if is_discrete(space):
            values = new_sample(space, space, seed, number, used) or values
        used.add(configuration_of(space, values))
    return values


# Given the config, a trial's number, the records of the trials that have ended and what is known
# from earlier proposals: its values, or None if trials before it must end first.
PROPOSALS: dict[str, Proposal] = {
    "random": _random,
    "grid": _grid,
    "coarse_to_fine": _coarse_to_fine,
    "hyperband": _hyperband,
}
