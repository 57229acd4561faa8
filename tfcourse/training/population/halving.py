"""Successive halving: when members are compared, and how many of them continue."""

from dataclasses import dataclass

__all__ = ["Halving"]


@dataclass(frozen=True)
class Halving:
    """Successive halving (Jamieson and Talwalkar 2016): of many members the best continue.

    Attributes:
        factor: One in ``factor`` members continues from each rung, at least one.
        epochs: The first rung; each further one is ``factor`` times as far.
    """

    factor: int
    epochs: int = 1

    def is_rung(self, epochs: int) -> bool:
        """Return True if members are compared after this number of epochs."""
        rung = self.epochs
        while rung < epochs:
            rung *= self.factor
        return rung == epochs

    def survivors(self, count: int) -> int:
        """Return how many of ``count`` members continue."""
        return max(1, count // self.factor)
