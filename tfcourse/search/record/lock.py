"""One search at a time in a run directory."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfcourse.errors import InputError

__all__ = ["locked"]


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Holds the lock of a run directory; the system frees it when the process dies.

    Its file is beside the directory, which a fresh start deletes.

    Raises:
        InputError: Another process holds it, or its file can't be made.
    """
    path = directory.parent / f".{directory.name}.lock"
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        opened = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path} can't be written ({error.strerror}). Choose an --out that can."
        ) from None
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise InputError(
                f"{directory} is being searched by {file.read().strip() or 'another process'}. "
                "Wait for it, end it, or choose another --out."
            ) from None
        except OSError as error:
            raise InputError(
                f"{path} can't be locked ({error.strerror}). Choose an --out on a file system "
                "that has locks."
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
