"""Files that are whole or absent, whatever happens while they are written."""

import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["is_temporary", "remove_abandoned", "replace_atomically", "write_atomically"]

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
    finally:
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


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
