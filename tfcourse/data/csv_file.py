"""Examples from a CSV file: a header, numbers, and one column that is the label."""

import csv
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import numpy as np

from tfcourse.data.precision import check_whole_numbers
from tfcourse.errors import InputError, one_of
from tfcourse.types import Array

__all__ = ["feature_names", "read_csv"]


def read_csv(
    path: Path, label: str | None, apart: Collection[str] = ()
) -> tuple[Array, Array, dict[str, Array]]:
    """Return the columns of a UTF-8 file as x and y; its cells may be in double quotes.

    Args:
        path: The file.
        label: The column that is y; None is the last one that is not in ``apart``.
        apart: Columns that belong neither to x nor to y; they may hold texts. They are the third
            result, by name.

    Raises:
        InputError: The file has no header, no rows, no such column, or a cell that is no number.
    """
    try:
        # Not splitlines: that also cuts at characters that a name may hold, such as U+2028.
        header, *lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a UTF-8 file: {error}.") from None
    rows = {number: line for number, line in enumerate(lines, start=2) if line.strip()}
    if not rows:
        raise InputError(f"{path} has no rows below its header.")
    names = _names(header, path)
    for name in apart:
        if name not in names:
            raise InputError(one_of(f"a column of {path}", name, names))
    rows, others = _without(rows, names, apart) if apart else (rows, {})
    names = [name for name in names if name not in apart]
    column = label if label is not None or not names else names[-1]
    if column not in names:
        raise InputError(one_of(f"label: the column of {path}", column, names))
    try:
        table = _numbers(list(rows.values()))
    except ValueError as error:
        problem = _first_problem(rows, len(names)) or str(error)
        remedy = " Write numbers for words and gaps; classes are 0 to C-1."
        raise InputError(f"{path} must hold numbers below its header: {problem}{remedy}") from None
    index = names.index(column)
    if table.shape[1] != len(names):
        raise InputError(f"{path}: {len(names)} names in the header, {table.shape[1]} columns.")
    _check_large(table, list(rows.values()), names, path)
    return np.delete(table, index, axis=1), table[:, index], others


def _without(
    rows: dict[int, str], names: list[str], apart: Collection[str]
) -> tuple[dict[int, str], dict[str, Array]]:
    """Return the lines without some columns, and the texts of these."""
    cells = {number: next(csv.reader([line])) for number, line in rows.items()}
    others = {}
    for name in apart:
        index = names.index(name)
        values = [row[index].strip() if index < len(row) else "" for row in cells.values()]
        others[name] = np.array(values)
    features = [index for index, name in enumerate(names) if name not in apart]
    lines = {n: ",".join(row[i] for i in features if i < len(row)) for n, row in cells.items()}
    return lines, others


def feature_names(path: Path, label: str | None, apart: Collection[str] = ()) -> list[str]:
    """Return the names of the columns of x in a file that `read_csv` can read."""
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        names = [name for name in _names(file.readline().rstrip("\n"), path) if name not in apart]
    names.remove(names[-1] if label is None else label)
    return names


def _check_large(table: Array, lines: list[str], names: list[str], path: Path) -> None:
    """Raise InputError if float64, the type of the table, merges whole numbers of the file."""
    large = [int(i) for i in np.flatnonzero((np.abs(table) > 2**53).any(axis=0))]
    if not large:
        return
    cells = np.loadtxt(
        lines, dtype=str, delimiter=",", ndmin=2, comments=None, quotechar='"', usecols=large
    )
    for number, column in zip(large, cells.T, strict=True):
        try:
            whole = np.array([int(cell) for cell in column], dtype=object)
        except ValueError:  # such as 1e300, which is meant as a float
            continue
        check_whole_numbers([whole], str(path), [f'the column "{names[number]}"'])


def _names(header: str, path: Path) -> list[str]:
    """Return the names of the columns, which must be a header of names that differ."""
    cells = next(csv.reader([header], skipinitialspace=True), None) or [""]
    names = [cell.strip() for cell in cells]
    if all(map(_is_number, names)):
        raise InputError(
            f"{path} must begin with a header, the names of its columns. Received numbers: "
            f"{', '.join(names[:8])}{', …' if len(names) > 8 else ''}."
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(
            f"{path}: the names in the header must differ from each other. Received more than "
            f'once: "{twice[0]}".'
        )
    return names


def _numbers(lines: list[str]) -> Array:
    return np.loadtxt(lines, delimiter=",", ndmin=2, comments=None, quotechar='"')


def _first_problem(rows: dict[int, str], columns: int) -> str | None:
    """Return the reason why the first wrong line of the file is wrong, with its number."""
    for number, line in rows.items():
        try:
            count = _numbers([line]).size
        except ValueError as error:
            return str(error).replace("at row 0", f"in line {number}")
        if count != columns:
            return f"line {number} has {count}, the header {columns} names."
    return None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
