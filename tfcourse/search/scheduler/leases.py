"""Leases: who runs which trial, on record for a chief that replaces one that died."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from tfcourse.files import write_atomically

__all__ = ["Lease", "read_leases", "worker_of", "write_leases"]


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


def write_leases(path: Path, leases: Mapping[str, Lease]) -> None:
    """Write the leases by holder; trials whose leases a power cut loses are run again."""
    text = json.dumps({name: asdict(lease) for name, lease in leases.items()}, indent=2)
    write_atomically(path, text + "\n", durable=False)


def read_leases(path: Path) -> dict[str, Lease]:
    """Return the leases by holder; none if the file is missing or damaged."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return TypeAdapter(dict[str, Lease]).validate_python(stored)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
