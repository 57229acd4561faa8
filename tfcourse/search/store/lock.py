"""One search at a time in a run directory."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout, lock_descriptor, unlock_descriptor

from tfcourse.errors import InputError

__all__ = ["locked"]

_WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
# Of folders that are locked. A child that is forked, as of a pool, must not go on holding them.
_held: set[int] = set()


def _close_held() -> None:
    """Close the descriptors in a forked child, once: their numbers go to other files later."""
    for descriptor in _held:
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_held)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Holds the lock of a run directory; the system frees it when the process dies.

    Its file is beside the directory, which a fresh start deletes: beside the real one, so that all
    paths to it, through links too, have the same lock. It is one of ``flock``, which network file
    systems have as well (NFS on Linux since 2.6.12, between machines too, unless it is mounted with
    ``local_lock``); one without is refused. A process that is forked does not hold it.

    Raises:
        InputError: Another process holds it, or its file can't be made or locked.
    """
    real = Path(os.path.realpath(directory))
    path = real.with_name(f".{real.name}.lock")
    lock = FileLock(path, timeout=0, fallback_to_soft=False, on_acquired=_write_owner)
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise _is_searched(directory, path) from None
    except OSError as error:
        if error.errno in _WITHOUT_LOCKS:
            said = "locked ({}). Choose an --out on a file system that has locks."
        else:
            said = "written ({}). Choose an --out that can."
        raise InputError(f"{path} can't be {said.format(error.strerror)}") from None
    try:
        with _held_itself(directory):
            yield
    finally:
        lock.release()


@contextmanager
def _held_itself(directory: Path) -> Iterator[None]:
    """Also locks the folder itself, which may be mounted in two places."""
    descriptor = None
    # Some file systems have no locks for folders, and a new directory is not there yet.
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        if not lock_descriptor(descriptor, blocking=False):
            os.close(descriptor)
            raise _is_searched(directory, None)
        _held.add(descriptor)
    try:
        yield
    finally:
        if descriptor is not None:
            _held.discard(descriptor)
            with suppress(OSError):
                unlock_descriptor(descriptor)
            os.close(descriptor)


def _write_owner(descriptor: int) -> None:
    with suppress(OSError):  # a full disk: who holds it is then not known to others
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())


def _is_searched(directory: Path, file: Path | None) -> InputError:
    owner = ""
    with suppress(OSError):
        owner = "" if file is None else file.read_text(encoding="utf-8", errors="replace").strip()
    return InputError(
        f"{directory} is being searched by {owner or 'another process'}. Wait for it, end it, or "
        "choose another --out."
    )
