"""Leases: who runs which trial."""

from dataclasses import dataclass

__all__ = ["Lease", "worker_of"]


@dataclass(frozen=True)
class Lease:
    """A trial that a worker runs.

    Attributes:
        trial: The trial's number.
        since: The time at which the worker got it, in seconds since 1970.
    """

    trial: int
    since: float


def worker_of(holder: str) -> str:
    """Return the worker that holds a lease: one that holds several is ``NAME/0``, ``NAME/1``..."""
    return holder.partition("/")[0]
