"""Files that are whole or absent, whatever happens while they are written."""

import errno
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tfcourse.errors import WorkFailedError, encodable

__all__ = [
    "DiskError",
    "disk_error",
    "disk_errors_told",
    "is_temporary",
    "remove_abandoned",
    "replace_atomically",
    "write_atomically",
]

_AGAIN = "give the same command again: what is on record is kept."
_REMOVED = "It, or its folder, was removed or moved. The same command goes on with what is left."
_IN_THE_WAY = f"Remove what is in its place and {_AGAIN}"
# What is wrong with a disk, and not with a program; ``None`` if it is to be mended.
_DISK = {
    "EACCES": None, "EPERM": None, "EROFS": None, "ENOSPC": None, "EDQUOT": None, "EFBIG": None,
    "EIO": None, "ESTALE": None, "ENODEV": None, "ENXIO": None, "EMFILE": None, "ENFILE": None,
    "ENOENT": _REMOVED, "EISDIR": _IN_THE_WAY, "ENOTDIR": _IN_THE_WAY, "EEXIST": _IN_THE_WAY,
    "ENOTEMPTY": _IN_THE_WAY, "ELOOP": _IN_THE_WAY,
    "ENAMETOOLONG": f"Choose a shorter path and {_AGAIN}",
}  # fmt: skip

# The name of a temporary file: that of the file it is to become, hidden and with a random number.
_TEMPORARY = re.compile(r"\..+-[0-9a-f]{8}(\.[^.]*)?")


def replace_atomically(path: Path, write: Callable[[Path], object], durable: bool = True) -> None:
    """Lets ``write`` make a temporary file beside ``path``, flushes it to disk and renames it.

    A reader, also after a crash, sees the old file or the new one, never a part.

    Args:
        path: The file to make or replace; its folder exists.
        write: Called with the temporary path (which keeps the suffix of ``path``).
        durable: Whether it must outlast a power cut, and not only the process: flushing takes
            milliseconds.
    """
    # Not tempfile's: its files are readable by their owner alone, and a record is to be shared.
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    try:
        write(temporary)
        if durable:
            _flush(temporary)
        temporary.replace(path)
        if durable:
            _flush(path.parent)
    except OSError as error:
        # A message names what was to be written, also where the system names the temporary file
        # or, as for a full disk, none.
        if error.errno is not None:
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError):  # as on a disk that just broke; the error above says it
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, text: str, durable: bool = True) -> None:
    """Writes a UTF-8 text file as `replace_atomically` does."""
    replace_atomically(
        path, lambda temporary: temporary.write_text(text, encoding="utf-8"), durable
    )


def is_temporary(path: Path) -> bool:
    """Whether a file has a name such as `replace_atomically` gives to its temporary ones."""
    return _TEMPORARY.fullmatch(path.name) is not None


def remove_abandoned(folder: Path) -> None:
    """Deletes the temporary files in a folder, which need not exist: their writers were killed."""
    # What can't be deleted harms nobody, and a file may go while it is looked at.
    with suppress(OSError):
        for path in filter(is_temporary, folder.iterdir()):
            with suppress(OSError):
                path.unlink()


class DiskError(WorkFailedError, OSError):
    """A file can't be written or read, as on a full disk; the message names it and the remedy."""

    def __init__(self, message: str, cause: OSError) -> None:
        super().__init__(message)
        self.errno, self.strerror, self.filename = cause.errno, cause.strerror, cause.filename

    def __str__(self) -> str:
        return str(self.args[0])


def disk_error(error: OSError) -> DiskError | None:
    """Return what the system refused as a `DiskError`; None if it is no matter of the disk."""
    if isinstance(error, DiskError):
        return error
    name = errno.errorcode.get(error.errno or 0)
    if name not in _DISK:
        return None
    place = "the disk" if error.filename is None else encodable(os.fsdecode(error.filename))
    # Not strerror: HDF5 puts sentences of its own there.
    said = os.strerror(error.errno or 0)
    remedy = _DISK[name] or f"Mend that and {_AGAIN}"
    return DiskError(f"{place} can't be written or read: {said}. {remedy}", error)


@contextmanager
def disk_errors_told() -> Iterator[None]:
    """Raises what the system refuses of the disk as a `DiskError`; also a decorator."""
    try:
        yield
    except OSError as error:
        told = disk_error(error)
        if told is None or told is error:
            raise
        raise told from error


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
