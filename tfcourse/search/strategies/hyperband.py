"""Hyperband's plan (Li et al. 2018), with the sizes and epochs that keras-tuner's has.

A bracket begins with many trials of few epochs; each round after it keeps the best of the one
before and trains them for ``factor`` times as many, up to all of them. The brackets go from the
most trials and fewest epochs to a plain random search, and then from the start again.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Round", "hyperband_round"]


@dataclass(frozen=True)
class Round:
    """One round of a bracket.

    Attributes:
        first: Its first trial.
        size: How many trials it has.
        epochs: How many epochs each of them trains.
        before: The first trial of the round before in the bracket, and the one after its last;
            None for a bracket's first round.
    """

    first: int
    size: int
    epochs: int
    before: tuple[int, int] | None


@lru_cache(maxsize=256)  # one that waits for the round before is asked for again and again
def hyperband_round(trial: int, max_epochs: int, factor: int) -> Round:
    """The round that trial number ``trial`` belongs to.

    Args:
        trial: The trial's number, from 0.
        max_epochs: The most epochs that a trial gets.
        factor: How many trials there are for one that is kept.
    """
    return next(r for r in _rounds(max_epochs, factor) if trial < r.first + r.size)


def _rounds(max_epochs: int, factor: int) -> Iterator[Round]:
    brackets, epochs = 0, float(max_epochs)
    while epochs >= 1:
        epochs, brackets = epochs / factor, brackets + 1
    last_size = math.ceil(1 + math.log(max_epochs, factor))
    first = 0
    for bracket in itertools.cycle(reversed(range(brackets))):
        before = None
        for number in range(bracket + 1):
            halvings = factor ** (bracket - number)
            size = math.ceil(last_size / (bracket + 1) * halvings)
            yield Round(first, size, math.ceil(max_epochs / halvings), before)
            before, first = (first, first + size), first + size
