"""A child process of a search: its connection to the parent, and its output.

It receives and sends dicts. The end of the connection is the parent's death, and the child's.
"""

import io
import os
import queue
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

__all__ = ["Parent", "redirect_output"]

Message = dict[str, Any]


class Parent:
    """The parent process, as its child sees it.

    Args:
        connection: The connection to it.
        log: The file for what the child prints at first, in a folder of the parent's.
    """

    def __init__(self, connection: Connection, log: Path) -> None:
        self._connection, self._log = connection, log
        self._received: queue.Queue[Message] = queue.Queue()
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, what: str, **message: object) -> None:
        """Send a message; from any thread."""
        with self._lock:
            self._connection.send({"what": what, **message})

    def receive(self) -> Message:
        """Wait for the next message, and return it."""
        return self._received.get()

    def _listen(self) -> None:
        try:
            while True:
                self._received.put(self._connection.recv())
        except (EOFError, OSError):
            # Without the parent there is nothing to do, and everything is on record. Processes
            # that a builder or the data has started end too.
            with suppress(OSError):  # the folder has the files of other children
                self._log.unlink()
                self._log.parent.rmdir()
            if sys.platform != "win32":
                os.killpg(0, signal.SIGKILL)
            os._exit(1)


def redirect_output(log: Path) -> int:
    """Send what is printed to the end of a file, and return where that was."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    begin = os.fstat(file).st_size
    for number in (1, 2):
        os.dup2(file, number)
    os.close(file)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a print is in the log though a kill follows
    return begin
