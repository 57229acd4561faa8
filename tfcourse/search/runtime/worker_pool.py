"""The processes of a search on one machine, and who shows what they do."""

import math
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tfcourse.search.config.load import SearchConfig

__all__ = ["Display", "WorkerPool"]

PATIENCE = math.inf  # the parent knows whether the chief here lives


class Display(Protocol):
    """Shows what a search's processes do."""

    def began(self, worker: str, trial: int) -> None:
        """A worker has begun a trial."""

    def ended(self, worker: str, trial: int | None = None) -> None:
        """A worker runs a trial no more; None for all of them."""

    def advance(self, best: float | None) -> None:
        """One more trial is done; the best score so far."""

    def say(self, line: str) -> None:
        """A line that a worker printed, or that is of one."""


@dataclass(frozen=True)
class WorkerPool:
    """The processes of a search on this machine.

    Attributes:
        config: The search.
        out: The folder of the run directory.
        workers: The workers' names.
        fresh: Whether the chief is to delete the run directory once it has checked the rest.
        accept_changes: Whether the chief is to go on although the code of the models changed.
        chief: The ``host:port`` of a chief elsewhere; None starts one here.
        token: That chief's token.
        patience: For how many seconds a worker tries to reach the chief.
    """

    config: SearchConfig
    out: Path
    workers: tuple[str, ...]
    fresh: bool = False
    accept_changes: bool = False
    chief: str | None = None
    token: str = field(default_factory=secrets.token_hex)
    patience: float = PATIENCE
