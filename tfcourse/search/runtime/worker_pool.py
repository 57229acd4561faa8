"""The worker processes of a search on this machine, and the display of what they do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tfcourse.search.config.search_config import SearchConfig

__all__ = ["Chief", "Display", "WorkerPool"]


class Display(Protocol):
    """Shows what a search's processes do."""

    def began(self, worker: str, trial: int) -> None:
        """Show that a worker has begun a trial."""

    def ended(self, worker: str, trial: int | None = None) -> None:
        """Show that a worker runs a trial no more; None for all of them."""

    def say(self, line: str) -> None:
        """Show a line that a worker printed, or about one."""


@dataclass(frozen=True)
class Chief:
    """A chief on another machine.

    Attributes:
        address: Its ``host:port``.
        token: Its token.
        patience: The seconds for which a worker tries to reach it.
    """

    address: str
    token: str
    patience: float


@dataclass(frozen=True)
class WorkerPool:
    """The worker processes of a search on this machine.

    Attributes:
        config: The search.
        out: The folder of the run directory.
        workers: The workers' names.
        chief: Their chief; None where the parent has the scheduler.
    """

    config: SearchConfig
    out: Path
    workers: tuple[str, ...]
    chief: Chief | None = None
