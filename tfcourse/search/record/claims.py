"""Which worker runs which trial, on record for a chief that takes over from one that died."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tfcourse.files import write_atomically

__all__ = ["Claim", "read_claims", "write_claims"]


@dataclass(frozen=True)
class Claim:
    """A trial that a worker runs.

    Attributes:
        trial: Its number.
        values: Its hyperparameters.
        since: When the worker got it, in seconds since 1970.
    """

    trial: int
    values: Mapping[str, Any]
    since: float


def write_claims(path: Path, claims: Mapping[str, Claim]) -> None:
    """Writes the claims by worker; lost in a power cut they are only run again."""
    text = json.dumps({name: asdict(claim) for name, claim in claims.items()}, indent=2)
    write_atomically(path, text + "\n", durable=False)


def read_claims(path: Path) -> dict[str, Claim]:
    """The claims by worker; none if there are none that can be read."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return TypeAdapter(dict[str, Claim]).validate_python(stored)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
