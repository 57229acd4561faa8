"""A child process as its parent sees it."""

import os
import signal
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, get_context, resource_tracker
from pathlib import Path
from typing import Any

from tfcourse.search.runtime.entry import run_child
from tfcourse.search.runtime.output import Output

__all__ = ["Child", "how_it_ended"]

# On Linux children are forked from a process that has TensorFlow imported, and begin at once.
METHOD = "forkserver" if sys.platform == "linux" else "spawn"


class Child:
    """Starts `run_child` in a process of its own, which dies with the parent.

    Args:
        name: Its name.
        settings: What it is to do.
        log: The file for what it prints at first.
    """

    def __init__(self, name: str, settings: Mapping[str, Any], log: Path) -> None:
        self.name, self.output = name, Output(log)
        context: Any = get_context(METHOD)
        if METHOD == "forkserver":
            context.set_forkserver_preload(["tfcourse.search.runtime.preload"])
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=run_child, args=(dict(settings), theirs, log))
        with _without_main():
            if sys.platform != "win32" and METHOD == "forkserver":
                _start_server()
            self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """The process number."""
        return int(self._process.pid)

    def send(self, what: str, **message: object) -> None:
        """Send it a message, unless it has ended."""
        with suppress(OSError):
            self._connection.send({"what": what, **message})

    @property
    def signs(self) -> list[Any]:
        """The objects that `multiprocessing.connection.wait` waits for: a message, and its end."""
        return [self._connection, self._process.sentinel]

    def receive(self) -> dict[str, Any] | None:
        """Return its next message; None if it has ended, with all that it has started."""
        # The connection stays open after its end if a process that it started has it too.
        with suppress(EOFError, OSError):
            if self._connection.poll():
                message: dict[str, Any] = self._connection.recv()
                return message
        self.kill()
        return None

    def kill(self) -> None:
        """End it at once, with all that it has started."""
        if sys.platform != "win32":  # which has no groups: what it has started may stay there
            with suppress(OSError):  # before it has a group of its own
                os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()

    def wait(self) -> int:
        """Wait for its end, and return its exit status: negative for a signal."""
        self._process.join()
        return int(self._process.exitcode)

    def how_it_ended(self) -> str:
        """Wait for its end, and return how it ended, in words."""
        return how_it_ended(self.wait())


if sys.platform != "win32":

    def _start_server() -> None:
        """Start the process that the children are forked from, if it does not run.

        Ctrl-C reaches it too, and is blocked there from its first instruction on, as the blocked
        signals are inherited; here it is delivered after the start. `run_child` ends the block.
        """
        resource_tracker.ensure_running()  # the server's start would start it, and end the block
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@contextmanager
def _without_main() -> Iterator[None]:
    """Keep multiprocessing from running the user's script again in each child.

    Nothing of it is needed there, and a script without ``if __name__ == "__main__"`` would start
    the search once more.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def how_it_ended(status: int) -> str:
    """Return how a process ended, in words."""
    if status >= 0:
        return f"with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:  # one without a name
        return f"by signal {-status}"
    memory = ": perhaps the system was out of memory" if name == "SIGKILL" else ""
    return f"by {name}{memory}"
