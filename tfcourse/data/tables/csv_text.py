"""The text of a CSV file: its encoding, and gzip around it."""

import gzip
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from tfcourse.data.tables.table_options import TableOptions
from tfcourse.errors import InputError

if TYPE_CHECKING:
    import pyarrow

__all__ = ["byte_stream", "not_in", "opened", "sample_text", "unreadable"]

GZIP = b"\x1f\x8b"
# What other files begin with, and what they are.
OTHER_FILES = {
    b"PK\x03\x04": "a zip file, as those of Excel are. Unpack it, or save the table as csv",
    b"BZh": "compressed by bzip2. Unpack it, or compress it by gzip",
    b"\xfd7zXZ": "compressed by xz. Unpack it, or compress it by gzip",
    b"\x28\xb5\x2f\xfd": "compressed by Zstandard. Unpack it, or compress it by gzip",
    b"PAR1": 'a Parquet file. Give source = "parquet"',
    b"ARROW1": 'an Arrow file. Give source = "arrow"',
}
BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")


def sample_text(path: Path, options: TableOptions, size: int) -> tuple[str, str]:
    """Return the encoding of a file, and up to ``size`` characters from its beginning.

    UTF-16 is found by its byte order mark, with which no text in UTF-8 begins.

    Raises:
        InputError: It is not in its encoding, which Python may not have, or no text.
    """
    encoding = options.encoding
    try:
        with gzip.open(path) if _is_gzip(path) else path.open("rb") as file:
            start = file.read(64)
    except (EOFError, OSError, zlib.error) as error:
        raise unreadable(path, error) from None
    for begin, what in OTHER_FILES.items():
        if start.startswith(begin):
            raise InputError(f"{path} is no text but {what}.")
    if encoding.lower().replace("-", "").replace("_", "") in ("utf8", "utf8sig"):
        encoding = "utf-16" if start.startswith(BYTE_ORDER_MARKS) else "utf-8-sig"
        if b"\0" in start and encoding != "utf-16":
            little = start.find(b"\0") % 2
            raise not_in(
                path, encoding, "it has zero bytes", "utf-16-le" if little else "utf-16-be"
            )
    try:
        with opened(path, encoding) as text:
            return encoding, text.read(size)
    except UnicodeError as error:
        raise not_in(path, encoding, error) from None
    except LookupError:
        raise InputError(
            f'encoding must be one that Python has, such as "utf-8", "cp1252" or "latin-1". '
            f'Received: "{encoding}".'
        ) from None
    except (EOFError, OSError, zlib.error) as error:
        raise unreadable(path, error) from None


def opened(path: Path, encoding: str) -> TextIO:
    """Return the file as text, with its line ends."""
    if not _is_gzip(path):
        return path.open(encoding=encoding, newline="")
    return gzip.open(path, "rt", encoding=encoding, newline="")


def byte_stream(path: Path) -> "Path | pyarrow.NativeFile":
    """Return the file as pyarrow reads it: the path, or a stream that decompresses it."""
    import pyarrow

    return pyarrow.input_stream(path, compression="gzip") if _is_gzip(path) else path


def not_in(path: Path, encoding: str, what: object, other: str | None = None) -> InputError:
    """Return the error for a file that is not in an encoding.

    Args:
        path: The file.
        encoding: The encoding.
        what: The place that is not in it.
        other: The likely encoding; None for cp1252, or UTF-8 in its place.
    """
    name = "UTF-8" if encoding == "utf-8-sig" else encoding
    other = other or ("cp1252" if name == "UTF-8" else "utf-8")
    of_windows = " of files from Windows in Western languages" * (other == "cp1252")
    return InputError(
        f"{path} is not a file in {name}: {what}. Name its encoding, such as encoding = "
        f'"{other}"{of_windows}.'
    )


def unreadable(path: Path, error: BaseException) -> InputError:
    """Return the error for a file that can't be read, such as a part of one of gzip's."""
    return InputError(f"{path} can't be read to its end: {error}. Is the file whole?")


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(GZIP)) == GZIP
