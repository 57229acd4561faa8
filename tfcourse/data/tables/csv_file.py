"""Tables from CSV files, read by pyarrow."""

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from tfcourse.data.tables.csv_text import byte_stream, not_in, opened, sample_text, unreadable
from tfcourse.data.tables.table_options import TableOptions
from tfcourse.errors import InputError

if TYPE_CHECKING:
    import pyarrow
    from pyarrow import csv as arrow_csv

__all__ = ["CsvFormat", "csv_format", "csv_line", "read_csv", "unnamed"]

SEPARATORS = (",", ";", "\t", "|")
# The characters in which the separator and the decimal point are looked for.
SAMPLE = 1 << 16
# The bytes from which on a file is large, and those that are parsed at a time in such a file.
LARGE = 1 << 26
BLOCK = 1 << 22


@dataclass(frozen=True)
class CsvFormat:
    """The format of a CSV file.

    Attributes:
        names: The names in its header.
        separator: The separator.
        decimal: The decimal point.
        encoding: The encoding, as Python names it; its byte order mark is no part of the text.
        header_lines: The lines up to the end of the header.
    """

    names: tuple[str, ...]
    separator: str
    decimal: str
    encoding: str
    header_lines: int


def read_csv(
    path: Path, form: CsvFormat, options: TableOptions, wanted: Sequence[str]
) -> "pyarrow.Table":
    """Return columns of a file.

    A column that is declared a category is read as text, others as pyarrow infers them.

    Args:
        path: The file.
        form: Its format.
        options: The choices.
        wanted: The columns to read.

    Raises:
        InputError: The file has no rows, or some of other lengths, or is not in its encoding.
    """
    import pyarrow
    from pyarrow import csv as arrow_csv

    as_text = [name for name, column in options.columns.items() if column.type == "category"]
    convert = arrow_csv.ConvertOptions(
        decimal_point=form.decimal,
        strings_can_be_null=True,
        column_types={name: pyarrow.string() for name in as_text if name in form.names},
        include_columns=list(wanted),
    )
    convert.null_values = [*convert.null_values, *options.missing_values]
    # With skip_rows and names pyarrow does not depend on blanks in the header.
    read = arrow_csv.ReadOptions(
        encoding="utf8" if form.encoding == "utf-8-sig" else form.encoding,
        column_names=list(form.names),
        skip_rows=form.header_lines,
    )
    parse = arrow_csv.ParseOptions(delimiter=form.separator, newlines_in_values=True)
    try:
        table = _read(path, read, parse, convert)
    except UnicodeError as error:
        raise not_in(path, form.encoding, error) from None
    except pyarrow.ArrowInvalid as error:
        if str(error).startswith("Empty CSV"):
            raise InputError(f"{path} has no rows below its header.") from None
        raise _unreadable_rows(path, form, str(error)) from None
    except OSError as error:
        raise unreadable(path, error) from None
    if not len(table):
        raise InputError(f"{path} has no rows below its header.")
    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        if pyarrow.types.is_binary(kind):
            raise not_in(path, form.encoding, f'the column "{name}"')
    return table


def _read(
    path: Path,
    read: "arrow_csv.ReadOptions",
    parse: "arrow_csv.ParseOptions",
    convert: "arrow_csv.ConvertOptions",
) -> "pyarrow.Table":
    """Return the table of a file, a large one in little more memory than the table's own.

    ``read_csv`` widens a type when a later row needs it, and holds the whole text for that.
    ``open_csv`` has the types of the first block, and fails where a row needs another.
    """
    import pyarrow
    from pyarrow import csv as arrow_csv

    if path.stat().st_size > LARGE:
        read.block_size = BLOCK
        with (
            suppress(pyarrow.ArrowInvalid),
            arrow_csv.open_csv(byte_stream(path), read, parse, convert) as rows,
        ):
            return rows.read_all()
    return arrow_csv.read_csv(byte_stream(path), read, parse, convert)


def csv_line(path: Path, form: CsvFormat, row: int) -> int:
    """Return the line of a file in which a row begins; row 0 is the first below the header."""
    with opened(path, form.encoding) as file:
        for number, (line, _) in enumerate(_rows(path, file, form)):
            if number == row:
                return line
    raise ValueError(f"{path} has no row {row}")


def unnamed(place: int) -> str:
    """Return the name of a column that has none in the header."""
    return f"column {place + 1}"


def _rows(path: Path, file: TextIO, form: CsvFormat) -> Iterator[tuple[int, list[str]]]:
    """Yield the first line of each row below the header, and the row."""
    reader = csv.reader(file, delimiter=form.separator)
    line = 0
    try:
        for row in reader:
            if row and line >= form.header_lines:
                yield line + 1, row
            line = reader.line_num
    except csv.Error as error:  # as of a quote that does not end
        raise InputError(f"{path}: line {line + 1} can't be read: {error}.") from None


def _unreadable_rows(path: Path, form: CsvFormat, reason: str) -> InputError:
    try:
        problem = _length_problem(path, form) or reason
    except UnicodeError as error:
        return not_in(path, form.encoding, error)
    return InputError(f"{path} is not a readable csv file: {problem}")


def _length_problem(path: Path, form: CsvFormat) -> str | None:
    """Return the reason why the first row of another length than the header is wrong."""
    names = len(form.names)
    with opened(path, form.encoding) as file:
        for line, row in _rows(path, file, form):
            if len(row) != names:
                remedy = "Quote texts that hold the separator, or correct the line."
                return f"line {line} has {len(row)} values, the header {names} names. {remedy}"
    return None


def csv_format(path: Path, options: TableOptions) -> CsvFormat:
    """Return the format of a file, from its first lines.

    Raises:
        InputError: The file has no header, two columns of a name, or is not in its encoding.
    """
    encoding, sample = sample_text(path, options, SAMPLE)
    whole = sample if len(sample) < SAMPLE else sample[: max(sample.rfind("\n"), 1)]
    separator = options.separator or _separator(whole)
    reader = csv.reader(StringIO(whole, ""), delimiter=separator, skipinitialspace=True)
    names = tuple(cell.strip() for cell in next(filter(None, reader), [""]))
    _check_names(names, path)
    names = tuple(name or unnamed(place) for place, name in enumerate(names))
    lines = reader.line_num
    rows = list(itertools.islice(reader, 100))
    decimal = options.decimal or _decimal(rows, separator)
    return CsvFormat(names, separator, decimal, encoding, lines)


def _separator(sample: str) -> str:
    """Return the separator that gives the rows of a sample the most columns of one number."""

    def columns(separator: str) -> int:
        reader = csv.reader(StringIO(sample, ""), delimiter=separator)
        rows = itertools.islice(filter(None, reader), 20)
        counts = {len(row) for row in rows}
        return counts.pop() if len(counts) == 1 else 0

    counts = {separator: columns(separator) for separator in SEPARATORS}
    best = max(counts.values())
    return next(separator for separator, count in counts.items() if count == best or best < 2)


def _decimal(rows: list[list[str]], separator: str) -> str:
    """Return a comma if numbers are written with it, as where the separator is a semicolon."""
    if separator == ",":
        return "."
    cells = [cell.strip() for row in rows for cell in row]
    commas = sum(re.fullmatch(r"[+-]?\d*,\d+", cell) is not None for cell in cells)
    points = sum(re.fullmatch(r"[+-]?\d*\.\d+", cell) is not None for cell in cells)
    return "," if commas > points else "."


def _check_names(names: tuple[str, ...], path: Path) -> None:
    """Raise InputError if a header is none, or has a name twice."""
    if names == ("",):
        raise InputError(f"{path} has no rows below its header.")
    if all(map(_is_number, names)):
        raise InputError(
            f"{path} must begin with a header, the names of its columns. Received numbers: "
            f"{', '.join(names[:8])}{', …' if len(names) > 8 else ''}."
        )
    twice = [name for name, count in Counter(names).items() if name and count > 1]
    if twice:
        raise InputError(
            f"{path}: the names in the header must differ from each other. Received more than "
            f'once: "{twice[0]}".'
        )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
