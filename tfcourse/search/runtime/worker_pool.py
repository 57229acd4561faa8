"""The workers of a search, what starts them, and the display of what they do."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.runtime.output import Output
from tfcourse.search.runtime.shared_objects import SharedObjects

__all__ = ["Chief", "Display", "Launcher", "Worker", "WorkerPool"]


class Display(Protocol):
    """Shows what a search's processes do."""

    def began(self, worker: str, trial: int) -> None:
        """Show that a worker has begun a trial."""

    def ended(self, worker: str, trial: int | None = None) -> None:
        """Show that a worker runs a trial no more; None for all of them."""

    def say(self, line: str) -> None:
        """Show a line that a worker printed, or about one."""


class Worker(Protocol):
    """A process that runs trials, as its supervisor sees it.

    Attributes:
        name: Its name.
        output: What it prints.
    """

    name: str
    output: Output

    def send(self, what: str, **message: object) -> None:
        """Send it a message, unless it has ended."""

    def receive(self) -> Mapping[str, Any] | None:
        """Return its next message; None if it has ended."""

    def kill(self) -> None:
        """End it at once."""

    def how_it_ended(self) -> str:
        """Wait for its end, and return how it ended, in words."""


W = TypeVar("W", bound=Worker)


class Launcher(Protocol[W]):
    """Starts the workers of a search."""

    @property
    def folders(self) -> Sequence[Path]:
        """The folders of temporary files that they need, besides that of their logs."""

    def start(self, settings: Mapping[str, Any], log: Path) -> W:
        """Start a worker.

        Args:
            settings: Its "name", and what it is to do.
            log: The file for what it prints at first.
        """

    def ready(self, workers: Collection[W], timeout: float) -> Collection[W]:
        """Return those that have a message or have ended, after at most `timeout` seconds."""


@dataclass(frozen=True)
class Chief:
    """A chief on another machine.

    Attributes:
        address: Its ``host:port``.
        token: Its token.
        patience: The seconds for which a worker tries to reach it.
        authorities: Certificates in PEM, by one of which its own is signed; None without TLS.
    """

    address: str
    token: str
    patience: float
    authorities: bytes | None = None


@dataclass(frozen=True)
class WorkerPool:
    """The worker processes of a search.

    Attributes:
        config: The search.
        out: The folder of the run directory.
        workers: The workers' names.
        chief: Their chief; None where the parent has the scheduler.
        shared: The objects of the search; None if all that it needs has names.
    """

    config: SearchConfig
    out: Path
    workers: tuple[str, ...]
    chief: Chief | None = None
    shared: SharedObjects | None = None
