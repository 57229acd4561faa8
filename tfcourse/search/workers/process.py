"""A child process as its parent sees it: started, heard, ended."""

import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from typing import Any

__all__ = ["Child"]

LINES_OF_A_LOG = 12


class Child:
    """Starts ``python -m tfcourse.search.workers.child``; it dies with this process.

    Args:
        name: Its name.
        settings: What it is to do.
        environ: Its environment.
        heard: Gets its messages, as (child, message); None as the last one, when it has ended.
    """

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        environ: Mapping[str, str],
        heard: "queue.Queue[tuple[Child, dict[str, Any] | None]]",
    ) -> None:
        self.name = name
        self._heard = heard
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the child)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tfcourse.search.workers.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=dict(environ),
            start_new_session=True,  # Ctrl-C is for the parent, which ends its children
        )
        self.tell(settings)
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    def tell(self, message: Mapping[str, Any]) -> None:
        """Sends it a message; one that has ended hears nothing."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass

    def kill(self) -> None:
        """Ends it at once."""
        self._process.kill()

    def wait(self) -> int:
        """Waits for its end; gives its exit status, negative for a signal."""
        return self._process.wait()

    def end_of_log(self) -> str:
        """The last lines that it wrote to stderr."""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return "\n".join(lines[-LINES_OF_A_LOG:])

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._heard.put((self, json.loads(line)))
        self._process.wait()
        self._heard.put((self, None))
