"""The function that a child process begins with."""

import os
import signal
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tfcourse.errors import InputError, WorkFailedError, error_text
from tfcourse.files import disk_error
from tfcourse.search.runtime.child import Parent, redirect_output

__all__ = ["run_child", "sendable"]


def sendable(error: Exception) -> InputError | WorkFailedError:
    """Return the error as one that the parent can raise."""
    error = (isinstance(error, OSError) and disk_error(error)) or error
    if isinstance(error, InputError):
        return InputError(str(error))
    if isinstance(error, WorkFailedError):
        return WorkFailedError(str(error))
    return WorkFailedError(f"A process of the search failed: {error_text(error)}")


def run_child(settings: Mapping[str, Any], connection: Connection, log: Path) -> None:
    """Do the work of a child; exit with 1 after an error that was sent to the parent.

    Args:
        settings: See `tfcourse.search.runtime.supervisor`; under "environ" the environment.
        connection: The connection to the parent.
        log: The file for what the child prints at first.
    """
    if sys.platform != "win32":
        os.setsid()  # Ctrl-C is for the parent, which ends its children
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    redirect_output(log)
    os.environ.clear()
    os.environ.update(settings["environ"])
    parent = Parent(connection, log)
    try:
        # Imported here, as the parent imports this module, and must not import TensorFlow.
        from tfcourse.search.runtime.roles import work

        work(settings, parent)
    except Exception as error:
        parent.send("error", error=sendable(error))
        is_expected = isinstance(error, InputError | WorkFailedError)
        if not is_expected and not (isinstance(error, OSError) and disk_error(error)):
            raise
        sys.exit(1)
