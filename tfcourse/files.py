"""Files that are written completely or not at all."""

import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tfcourse.errors import WorkFailedError, encodable

__all__ = [
    "DiskError",
    "NotAFileError",
    "check_is_file",
    "disk_error",
    "is_temporary",
    "read_file",
    "remove_abandoned",
    "replace_atomically",
    "translate_disk_errors",
    "write_atomically",
]

_AGAIN = "run the same command again: the record is kept."
_REMOVED = "It, or its folder, was removed or moved. The same command continues with the rest."
_IN_THE_WAY = f"Remove what is in its place and {_AGAIN}"
# The errors of a disk and not of a program, with their remedies; None: correct what it names.
_DISK = {
    "EACCES": None, "EPERM": None, "EROFS": None, "ENOSPC": None, "EDQUOT": None, "EFBIG": None,
    "EIO": None, "ESTALE": None, "ENODEV": None, "ENXIO": None, "EMFILE": None, "ENFILE": None,
    "ENOENT": _REMOVED, "EISDIR": _IN_THE_WAY, "ENOTDIR": _IN_THE_WAY, "EEXIST": _IN_THE_WAY,
    "ENOTEMPTY": _IN_THE_WAY, "ELOOP": _IN_THE_WAY,
    "ENAMETOOLONG": f"Choose a shorter path and {_AGAIN}",
}  # fmt: skip

# What can be opened as a file can, and may have no end: to read a pipe is to wait for its writer.
_NO_FILES = {
    stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip

# The name of a temporary file: that of its target, hidden and with a random number.
_TEMPORARY = re.compile(r"\..+-[0-9a-f]{8}(\.[^.]*)?")


def replace_atomically(path: Path, write: Callable[[Path], object], durable: bool = True) -> None:
    """Let ``write`` make a temporary file beside ``path``, flush it to disk and rename it.

    A reader, also after a crash, sees the old file or the new one, never a part.

    Args:
        path: The file to make or replace; its folder exists.
        write: Called with the temporary path (which keeps the suffix of ``path``).
        durable: Whether it must survive a power cut, and not only the end of the process: to
            flush it takes milliseconds.
    """
    _check_no_device(path)
    # Not tempfile's, whose files only their owner can read: a run directory may be shared.
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    try:
        write(temporary)
        if durable:
            _flush(temporary)
        temporary.replace(path)
        if durable:
            _flush(path.parent)
    except OSError as error:
        # The message names the target, also where the system names the temporary file or, as
        # for a full disk, none.
        if error.errno is not None:
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError):  # as on a broken disk, of which the error above tells
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, text: str, durable: bool = True) -> None:
    """Write a UTF-8 text file as `replace_atomically` does."""
    replace_atomically(
        path, lambda temporary: temporary.write_text(text, encoding="utf-8"), durable
    )


def is_temporary(path: Path) -> bool:
    """Return whether a file has the name of a temporary file of `replace_atomically`."""
    return _TEMPORARY.fullmatch(path.name) is not None


def remove_abandoned(folder: Path) -> None:
    """Delete the temporary files of killed processes in a folder, if it exists."""
    # A file that can't be deleted does no harm, and one may vanish in the meantime.
    with suppress(OSError):
        for path in filter(is_temporary, folder.iterdir()):
            with suppress(OSError):
                path.unlink()


class DiskError(WorkFailedError, OSError):
    """An error of a disk, such as a full one; the message names the file and the remedy."""

    def __init__(self, message: str, cause: OSError) -> None:
        super().__init__(message)
        self.errno, self.strerror, self.filename = cause.errno, cause.strerror, cause.filename

    def __str__(self) -> str:
        return str(self.args[0])


class NotAFileError(DiskError):
    """A named pipe, a socket or a device in the place of a file; its ``errno`` is a folder's."""


def check_is_file(path: Path) -> None:
    """Check that what is to be read is no named pipe, socket or device, for which it would wait.

    Raises:
        NotAFileError: It is one.
        OSError: There is nothing, or it can't be reached, as when it is opened.
    """
    if what := _NO_FILES.get(stat.S_IFMT(path.stat().st_mode)):
        reason = f"it is {what}, not a file"
        message = f"{encodable(str(path))} can't be read: {reason}. {_IN_THE_WAY}"
        raise NotAFileError(message, OSError(errno.EISDIR, reason, str(path)))


def read_file(path: Path) -> bytes:
    """Return the contents of a file, see `check_is_file`."""
    check_is_file(path)
    return path.read_bytes()


def _check_no_device(path: Path) -> None:
    """Raise NotAFileError for a device such as /dev/null, in whose place root would put a file."""
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except OSError:  # there is none, or what is wrong shows when the file is written
        return
    if kind in (stat.S_IFCHR, stat.S_IFBLK):
        reason = f"it is {_NO_FILES[kind]}, not a file"
        message = f"{encodable(str(path))} can't be written: {reason}. Choose the name of a file."
        raise NotAFileError(message, OSError(errno.EISDIR, reason, str(path)))


def disk_error(error: OSError) -> DiskError | None:
    """Return the `DiskError` for an error of the system; None if the disk is not its cause."""
    if isinstance(error, DiskError):
        return error
    name = errno.errorcode.get(error.errno or 0)
    if name not in _DISK:
        return None
    place = "the disk" if error.filename is None else encodable(os.fsdecode(error.filename))
    # Not error.strerror: HDF5 puts sentences of its own there.
    reason = os.strerror(error.errno or 0)
    remedy = _DISK[name] or f"Correct that and {_AGAIN}"
    return DiskError(f"{place} can't be written or read: {reason}. {remedy}", error)


@contextmanager
def translate_disk_errors() -> Iterator[None]:
    """Raise the system's errors of the disk as a `DiskError`; also a decorator."""
    try:
        yield
    except OSError as error:
        translation = disk_error(error)
        if translation is None or translation is error:
            raise
        raise translation from error


def _flush(path: Path) -> None:
    """Flush a file or, except on Windows, which can't, a folder to disk."""
    if sys.platform == "win32" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
