"""The lock of a run directory, which admits one search at a time."""

import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout, lock_descriptor, unlock_descriptor

from tfcourse.errors import InputError
from tfcourse.files import read_file

__all__ = ["lock_directory"]

_WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
# The descriptors of locked folders. A forked child, such as a pool's, must not hold the locks.
_descriptors: set[int] = set()


def _close_descriptors() -> None:
    """Close the descriptors in a forked child, once: their numbers are used again later."""
    for descriptor in _descriptors:
        with suppress(OSError):
            os.close(descriptor)
    _descriptors.clear()


if sys.platform != "win32":  # where no process is forked
    os.register_at_fork(after_in_child=_close_descriptors)


@contextmanager
def lock_directory(directory: Path, work: str = "searched") -> Iterator[None]:
    """Hold the lock of a run directory; the system releases it when the process dies.

    Its file is not in the directory, which a fresh start deletes, but in its parent: that of the
    real path, so that all paths to it, also through links, have the same lock. The lock is one of
    ``flock``, which network file systems have too (NFS on Linux since 2.6.12, also between
    machines, unless it is mounted with ``local_lock``). A forked process does not hold it.

    Args:
        directory: The run directory.
        work: The participle that says in messages what is done with it.

    Raises:
        InputError: Another process holds the lock, its file can't be created, or the file system
            has no locks.
    """
    real = Path(os.path.realpath(directory))
    path = real.with_name(f".{real.name}.lock")
    lock = FileLock(path, timeout=0, fallback_to_soft=False, on_acquired=_write_owner)
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise _is_taken(directory, path, work) from None
    except OSError as error:
        if error.errno in _WITHOUT_LOCKS:
            reason = "locked ({}). Choose an --out on a file system that has locks."
        else:
            reason = "written ({}). Choose an --out that can."
        raise InputError(f"{path} can't be {reason.format(error.strerror)}") from None
    try:
        with _folder_lock(directory, work):
            yield
    finally:
        lock.release()


@contextmanager
def _folder_lock(directory: Path, work: str) -> Iterator[None]:
    """Hold a lock of the folder itself too, which may be mounted in two places."""
    descriptor = None
    # Some file systems have no locks for folders, and a new directory does not exist yet.
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        if not lock_descriptor(descriptor, blocking=False):
            os.close(descriptor)
            raise _is_taken(directory, None, work)
        _descriptors.add(descriptor)
    try:
        yield
    finally:
        if descriptor is not None:
            _descriptors.discard(descriptor)
            with suppress(OSError):
                unlock_descriptor(descriptor)
            os.close(descriptor)


def _write_owner(descriptor: int) -> None:
    with suppress(OSError):  # on a full disk the owner's name is missing in messages
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())


def _is_taken(directory: Path, file: Path | None, work: str) -> InputError:
    owner = ""
    with suppress(OSError):
        owner = "" if file is None else read_file(file).decode("utf-8", "replace").strip()
    return InputError(
        f"{directory} is being {work} by {owner or 'another process'}. Wait for it, end it, or "
        "choose another --out."
    )
