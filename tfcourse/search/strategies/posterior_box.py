"""Coarse to fine by evidence: the box in which the best point lies, as far as the trials can tell.

A Gaussian process is fitted to the trials, functions are drawn from its posterior, and the box
holds the central share of their minimizers.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tfcourse.search.space.parameters import Choice, Parameter, Range
from tfcourse.search.strategies.boxes import Box, Part, Weighted
from tfcourse.search.strategies.coordinates import Array
from tfcourse.search.strategies.evidence import Evidence
from tfcourse.search.strategies.gaussian_process import Process, draw_processes
from tfcourse.search.strategies.quasi_random import halton_points

__all__ = ["OUTSIDE", "is_outside", "posterior_box", "widen"]

# One trial in this number is drawn from the whole space.
OUTSIDE = 4

FUNCTIONS = 200
PROCESSES = 4
CANDIDATES = 160
# The minimizers of the first stage are searched in the whole space, then in the box before.
STAGES = 2
# The share of a choice's draws that all of its values have alike.
EVEN = 0.1


def is_outside(trial: int) -> bool:
    """Return whether a trial after the first round is drawn from the whole space."""
    return trial % OUTSIDE == OUTSIDE - 1


def posterior_box(
    space: Mapping[str, Parameter],
    evidence: Evidence | None,
    seed: int,
    rounds: int,
    *,
    coverage: float,
    shrink: float,
    floor: float,
) -> Box:
    """Return the box of the round after ``rounds`` finished ones; of none, the whole space.

    *Ranges.* Each drawn function has its smallest value somewhere. In each range the box is the
    central ``coverage`` of these positions, divided by ``coverage``: a range without an effect,
    where they are uniform, is not cut, and a single lucky trial that its neighbours do not confirm
    decides little. The box is never narrower than ``floor``, nor its volume smaller than
    ``shrink ** (2 * rounds)``, which for two ranges is ``shrink`` a round for each.

    *Choices.* A value's weight is its share of the functions' smallest values, a tenth of it being
    the same for all.

    Args:
        space: The parameters by name.
        evidence: What the trials of the finished rounds say; None where none of them has a loss.
        seed: The search's seed.
        rounds: How many rounds are finished.
        coverage: The central share of the minimizers.
        shrink: The square root of the smallest factor on the volume after a round.
        floor: The smallest width.
    """
    if evidence is None or not rounds:
        even = {n: (1 / p.count,) * p.count for n, p in space.items() if isinstance(p, Choice)}
        return {
            n: Weighted(p, even[n]) if isinstance(p, Choice) else Part(p) for n, p in space.items()
        }
    names = evidence.coordinates.names
    random = np.random.default_rng([seed, rounds])
    normals = random.standard_normal((PROCESSES, len(names) + 2))
    processes = draw_processes(evidence.process, evidence.coordinates.columns, normals)
    minimizers = np.empty((0, len(names)))
    low, high = np.zeros(len(names)), np.ones(len(names))
    for stage in range(STAGES):
        minimizers = _minimizers(evidence, processes, low, high, minimizers, (seed, rounds, stage))
        low, high = _central(minimizers, coverage, floor)
    ranges = np.array([isinstance(space[name], Range) for name in names])
    low[ranges], high[ranges] = widen(low[ranges], high[ranges], shrink ** (2 * rounds))
    box: Box = {}
    for column, name in enumerate(names):
        parameter = space[name]
        if isinstance(parameter, Choice):
            box[name] = _weighted(parameter, minimizers[:, column])
        else:
            box[name] = Part(parameter, float(low[column]), float(high[column]))
    return {name: box[name] for name in space}


def _minimizers(
    evidence: Evidence,
    processes: Sequence[Process],
    low: Array,
    high: Array,
    before: Array,
    stream: tuple[int, int, int],
) -> Array:
    """Return where functions drawn from the processes are smallest, among candidates.

    The candidates lie all over the space, in the box, and around the best trials.
    """
    seed, _, stage = stream
    random = np.random.default_rng(stream)
    inside = low + (high - low) * halton_points(seed + 1 + stage, range(CANDIDATES), len(low))
    for column, name in enumerate(evidence.coordinates.names):
        if len(before) and isinstance(evidence.coordinates.space[name], Choice):
            inside[:, column] = random.choice(before[:, column], CANDIDATES)
    near = evidence.units[: max(4, min(len(evidence.units) // 4, 16))].repeat(8, axis=0)
    moved = np.clip(near + 0.05 * random.standard_normal(near.shape), 0.0, np.nextafter(1.0, 0.0))
    whole = halton_points(seed, range(CANDIDATES // (1 + stage)), len(low))
    candidates = np.vstack([whole, inside, near[::8], moved])
    points = evidence.coordinates.points(candidates)
    shape = (FUNCTIONS // PROCESSES, len(candidates))
    functions = np.vstack([p.draw(points, random.standard_normal(shape)) for p in processes])
    return np.asarray(candidates[np.argmin(functions, axis=1)])


def _central(minimizers: Array, coverage: float, floor: float) -> tuple[Array, Array]:
    """Return the ends of the central share in each dimension, widened by its inverse."""
    rest = (1.0 - coverage) / 2
    start, end = np.quantile(minimizers, [rest, 1.0 - rest], axis=0)
    width = np.clip((end - start) / coverage, floor, 1.0)
    low = np.clip((start + end) / 2 - width / 2, 0.0, 1.0 - width)
    return low, np.minimum(low + width, 1.0)


def widen(low: Array, high: Array, volume: float) -> tuple[Array, Array]:
    """Return a box of at least this volume: all widths times one factor, at most 1."""
    width = high - low
    for _ in range(len(width)):
        free = width < 1.0
        missing = volume / float(np.prod(width))
        if missing <= 1.0 or not free.any():
            break
        width = np.where(free, np.minimum(width * missing ** (1 / free.sum()), 1.0), width)
    start = np.clip((low + high) / 2 - width / 2, 0.0, 1.0 - width)
    return start, np.minimum(start + width, 1.0)


def _weighted(choice: Choice, positions: Array) -> Weighted:
    places = np.minimum((positions * choice.count).astype(int), choice.count - 1)
    shares = np.bincount(places, minlength=choice.count) / len(positions)
    return Weighted(choice, tuple((EVEN / choice.count + (1.0 - EVEN) * shares).tolist()))
