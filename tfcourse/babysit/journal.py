"""The journal: a file to which entries are appended, each on the disk before the next step."""

import os
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from tfcourse.babysit.entries import Entry
from tfcourse.babysit.state import RunState, can_follow, follow
from tfcourse.errors import InputError
from tfcourse.files import check_is_file, read_file, translate_disk_errors

__all__ = ["Journal", "read_journal"]


def read_journal(path: Path) -> list[Entry]:
    """Return the entries of a journal, without a last line that is incomplete.

    A process that is killed while it writes leaves such a line, which counts as not written.

    Raises:
        InputError: It can't be read, or a line that is complete is no entry that can stand there.
    """
    try:
        content = read_file(path)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}.") from None
    return _entries(path, content)


def _entries(path: Path, content: bytes) -> list[Entry]:
    entries: list[Entry] = []
    state = RunState()
    for number, line in enumerate(content[: _end(content)].splitlines(), start=1):
        try:
            entries.append(Entry.model_validate_json(line))
        except ValidationError:
            raise InputError(_damage(path, number, "is not an entry of a journal")) from None
        if not can_follow(state, entries[-1]):
            raise InputError(_damage(path, number, "does not follow from those before it"))
        state = follow(state, entries[-1])
    return entries


def _damage(path: Path, number: int, what: str) -> str:
    return (
        f"{path}: line {number} {what}. Restore the file, or move it and its folder away to start "
        "over."
    )


def _end(content: bytes) -> int:
    """Return the number of bytes up to the end of the last complete line."""
    return content.rfind(b"\n") + 1


class Journal:
    """A journal that one process writes.

    Args:
        path: The file; it is created if it does not exist.

    Attributes:
        entries: All entries.

    Raises:
        InputError: It is no journal.
    """

    @translate_disk_errors()
    def __init__(self, path: Path) -> None:
        self.path = path
        with suppress(FileNotFoundError):
            check_is_file(path)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            content = path.read_bytes()
            self.entries = _entries(path, content)
            self._length = _end(content)
            self._cut()
        except BaseException:
            self.close()
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _cut(self) -> None:
        """Remove what comes after the last complete line."""
        os.ftruncate(self._descriptor, self._length)
        os.fsync(self._descriptor)

    @translate_disk_errors()
    def append(self, entry: Entry) -> None:
        """Write an entry, and return when the disk has it.

        Raises:
            DiskError: It can't be written; the journal is as before.
        """
        line = entry.as_line().encode()
        try:
            written = 0
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
            os.fsync(self._descriptor)
        except OSError as error:
            error.filename = str(self.path)
            self._cut()
            raise
        self._length += len(line)
        self.entries.append(entry)
