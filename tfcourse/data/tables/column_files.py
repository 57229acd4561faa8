"""Tables from Parquet and Arrow files, one or several parts, read by pyarrow."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfcourse.errors import InputError, error_line

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.dataset

__all__ = ["check_reader", "column_names", "part_files", "read_columns"]

ENDINGS = {"parquet": (".parquet", ".pq"), "arrow": (".arrow", ".feather", ".ipc")}


def check_reader(source: str) -> None:
    """Raise InputError if the package that reads tables is missing."""
    if importlib.util.find_spec("pyarrow") is None:
        raise InputError(f'source "{source}" needs pyarrow. Install it: pip install pyarrow.')


def part_files(path: Path, source: str) -> list[Path]:
    """Return the files of a path in order: itself, those of a pattern, or of a folder.

    Args:
        path: A file, a folder, or a pattern such as ``data/*.parquet``.
        source: ``"parquet"`` or ``"arrow"``.
    """
    if path.is_file():
        return [path]
    if path.is_dir():
        files = [file for ending in ENDINGS[source] for file in path.rglob(f"*{ending}")]
        return sorted(files)
    parents = [parent for parent in path.parents if parent.is_dir()]
    return sorted(parents[0].glob(str(path.relative_to(parents[0])))) if parents else []


def column_names(path: Path, source: str) -> list[str]:
    """Return the names of the columns of a file or of parts.

    Raises:
        InputError: There is no file, or it can't be read.
    """
    return [str(name) for name in _dataset(path, source).schema.names]


def read_columns(path: Path, source: str, wanted: Sequence[str]) -> "pyarrow.Table":
    """Return columns of a file or of parts, whose rows follow in the order of the files' names.

    Raises:
        InputError: A file can't be read, or the parts differ.
    """
    import pyarrow

    try:
        table = _dataset(path, source).to_table(columns=list(wanted))
        # A damaged Arrow file may point out of itself, which would end the process.
        table.validate(full=True)
    except (pyarrow.ArrowException, OSError, UnicodeError) as error:
        raise InputError(f"{path} can't be read as {source}: {error_line(error)}") from None
    if not len(table):
        raise InputError(f"{path} has no rows.")
    return table


def _dataset(path: Path, source: str) -> "pyarrow.dataset.Dataset":
    import pyarrow
    import pyarrow.dataset

    files = [str(file) for file in part_files(path, source)]
    if not files:
        raise InputError(f"path: no {source} file: {path}.")
    try:
        parts = pyarrow.dataset.dataset(files, format=source)
        names = list(parts.schema.names)
    except (pyarrow.ArrowException, OSError, UnicodeError) as error:
        raise InputError(f"{path} can't be read as {source}: {error_line(error)}") from None
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(
            f"{path}: the names of the columns must differ from each other. Received more than "
            f'once: "{twice[0]}".'
        )
    return parts
