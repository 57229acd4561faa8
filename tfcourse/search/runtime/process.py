"""A child process as its parent sees it."""

import os
import signal
import sys
import time
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, get_context, resource_tracker, util
from pathlib import Path
from typing import Any

from tfcourse.errors import WorkFailedError
from tfcourse.search.runtime.entry import run_child
from tfcourse.search.runtime.output import Output

__all__ = ["FOLDERS", "Child", "folders_of_sockets", "how_it_ended", "without_main"]

# On Linux children are forked from a process that has TensorFlow imported, and begin at once.
METHOD = "forkserver" if sys.platform == "linux" else "spawn"
# The variable of the environment in which that process finds the temporary folders of its parent.
FOLDERS = "TFCOURSE_TEMPORARY_FOLDERS"
# Of the start of a child, while what it is forked from dies.
MAX_ATTEMPTS, SECONDS_BETWEEN = 3, 0.2


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
        with without_main():
            _start(self._process, log.parent)
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


def folders_of_sockets() -> list[Path]:
    """Return the temporary folders with the socket to the process that children are forked from."""
    return [Path(util.get_temp_dir())] if METHOD == "forkserver" else []


def _start(process: Any, folder: Path) -> None:
    """Start a process, again if what it is forked from dies on the way.

    Args:
        process: The process.
        folder: The temporary folder of its parent.

    Raises:
        WorkFailedError: That dies each time.
    """
    for _ in range(MAX_ATTEMPTS):
        if sys.platform != "win32" and METHOD == "forkserver":
            _start_server([folder, *folders_of_sockets()])
        try:
            process.start()
        except (EOFError, ConnectionError):
            time.sleep(SECONDS_BETWEEN)  # until the system lists it as dead
        else:
            return
    raise WorkFailedError(
        f"The process that workers are forked from died {MAX_ATTEMPTS} times: perhaps the system "
        "was out of memory. The same command continues after the finished trials."
    )


if sys.platform != "win32":

    def _start_server(folders: Sequence[Path] = ()) -> None:
        """Start the process that the children are forked from, if it does not run.

        Ctrl-C reaches it too, and is blocked there from its first instruction on, as the blocked
        signals are inherited; here it is delivered after the start. `run_child` ends the block.

        Args:
            folders: The temporary folders of this process; that one deletes them if this one is
                killed, also before it has a child.
        """
        resource_tracker.ensure_running()  # the server's start would start it, and end the block
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        os.environ[FOLDERS] = os.pathsep.join(map(str, folders))
        try:
            forkserver.ensure_running()
        finally:
            del os.environ[FOLDERS]
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@contextmanager
def without_main() -> Iterator[None]:
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
