"""Files that are whole or absent, whatever happens while they are written."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

__all__ = ["replace_atomically", "write_atomically"]


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


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
