"""Which worker runs which trial, on record for a chief that takes over from one that died."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tfcourse.files import write_atomically

__all__ = ["Lease", "read_leases", "write_leases"]


@dataclass(frozen=True)
class Lease:
    """A trial that a worker runs.

    Attributes:
        trial: Its number.
        values: Its hyperparameters.
        since: When the worker got it, in seconds since 1970.
    """

    trial: int
    values: Mapping[str, Any]
    since: float


def write_leases(path: Path, leases: Mapping[str, Lease]) -> None:
    """Writes the leases by worker; lost in a power cut they are only run again."""
    text = json.dumps({name: asdict(lease) for name, lease in leases.items()}, indent=2)
    write_atomically(path, text + "\n", durable=False)


def read_leases(path: Path) -> dict[str, Lease]:
    """The leases by worker; none if there are none that can be read."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return TypeAdapter(dict[str, Lease]).validate_python(stored)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
