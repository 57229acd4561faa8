"""The texts of a column of a table: categories, or what is no category."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tfcourse.data.tables.table_options import TableOptions
from tfcourse.errors import InputError, shortened

if TYPE_CHECKING:
    import pyarrow

__all__ = [
    "check_levels",
    "check_no_numbers",
    "distinct_texts",
    "mixed_levels",
    "no_number",
    "no_number_error",
    "shared_unit",
    "toml_key",
]

# A column of texts of which more than this share are numbers is one of numbers with errors in it.
NUMBERS_WITH_ERRORS = 0.5
# A column with more different texts than this share of its rows holds names or ids.
ALL_DIFFERENT = 0.5
# 1,000 or 1.000,50 or 1 000 or 1'000.
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([,.' \u00a0\u202f\u2019])\d{3}(\1\d{3})*([.,]\d+)?")
COMMA_OR_POINT = re.compile(r"[+-]?\d+[.,]\d+")
# 12%, 3.5 kg, $1,000.
WITH_UNIT = re.compile(
    r"(?P<before>[$£¥€]?)\s*[+-]?\d[\d.,]*\s*(?P<after>[%‰$£¥€]|°?[^\W\d_]{1,3}[²³]?)?"
)
DATES = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{2,4}([ T]\d{1,2}:\d{2}.*)?")


def distinct_texts(
    values: "pyarrow.ChunkedArray",
) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Return a column's different texts, sorted, and each row's place in them, -1 if missing."""
    import pyarrow
    from pyarrow import compute

    if pyarrow.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if not pyarrow.types.is_string(values.type):
        values = values.cast(pyarrow.string())
    encoded = compute.dictionary_encode(values).combine_chunks()
    if isinstance(encoded, pyarrow.ChunkedArray):  # of no chunk or several
        encoded = encoded.unify_dictionaries().chunk(0)
    texts = encoded.dictionary.to_pylist()
    order = sorted(range(len(texts)), key=texts.__getitem__)
    places = np.empty(len(texts) + 1, np.int64)
    places[order], places[-1] = np.arange(len(texts)), -1
    codes = compute.fill_null(encoded.indices, len(texts)).to_numpy()
    return tuple(texts[place] for place in order), places[codes]


def check_no_numbers(
    values: "pyarrow.ChunkedArray",
    levels: tuple[str, ...],
    codes: npt.NDArray[np.int64],
    title: str,
    row: Callable[[int], str],
    decimal: str | None,
) -> None:
    """Raise InputError if most texts of a column are numbers, also ones otherwise written.

    Args:
        values: The column.
        levels: Its texts, see `distinct_texts`.
        codes: The places of its rows in them.
        title: Names the column in messages.
        row: Names a row in messages.
        decimal: The decimal point of a csv; None of other tables.
    """
    counts = np.bincount(codes[codes >= 0], minlength=len(levels))
    if mixed_levels(levels, counts, decimal):
        raise no_number(values, title, row, decimal)


def mixed_levels(
    levels: tuple[str, ...], counts: npt.NDArray[np.int64], decimal: str | None
) -> tuple[str, ...]:
    """Return the levels that are no numbers, if most rows have numbers, also otherwise written.

    Args:
        levels: The texts.
        counts: The number of rows of each.
        decimal: The decimal point of a csv; None of other tables.
    """
    form = _number_form(decimal)
    plain = np.array([form.fullmatch(level) is not None for level in levels], np.bool_)
    numeric = plain | np.array([_otherwise_written(level) for level in levels], np.bool_)
    if plain.all() or counts[numeric].sum() <= NUMBERS_WITH_ERRORS * counts.sum():
        return ()
    return tuple(level for level, is_plain in zip(levels, plain, strict=True) if not is_plain)


def check_levels(
    levels: tuple[str, ...], rows: int, name: str, title: str, options: TableOptions
) -> None:
    """Raise InputError if texts are no categories: dates, names or ids."""
    if all(DATES.fullmatch(level.strip()) for level in levels[:100]):
        in_csv = options.decimal is not None
        how = "write them as 2026-01-31" if in_csv else "convert them as pandas.to_datetime does"
        raise InputError(
            f'{title} holds dates, such as "{levels[0]}". Leave it out with drop = ["{name}"], '
            f'{how} and give type = "date", or give type = "category".'
        )
    if len(levels) > options.max_one_hot and len(levels) > ALL_DIFFERENT * rows:
        unit = shared_unit(levels)
        if unit is not None:
            raise InputError(
                f'{title} holds numbers with "{unit}" beside them, such as '
                f'"{shortened(levels[0], 40)}". Write the numbers alone, or leave it out with '
                f'drop = ["{name}"].'
            )
        raise InputError(
            f"{title} holds {len(levels)} different texts in {rows} rows, as names and ids do, "
            f'such as "{shortened(levels[0], 40)}". Leave it out with drop = ["{name}"], or give '
            f'it type = "category" in [data.columns.{toml_key(name)}].'
        )


def toml_key(name: str) -> str:
    """Return a name as a key of TOML."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'


def _number_form(decimal: str | None) -> re.Pattern[str]:
    point = re.escape(decimal or ".")
    return re.compile(rf"\s*[+-]?(\d+{point}?\d*|{point}\d+)([eE][+-]?\d+)?\s*")


def _otherwise_written(text: str) -> bool:
    return any(form.fullmatch(text.strip()) for form in (THOUSANDS, COMMA_OR_POINT))


def no_number(
    values: "pyarrow.ChunkedArray", title: str, row: Callable[[int], str], decimal: str | None
) -> InputError:
    """Return the error for a column of numbers and other texts."""
    texts, form = values.to_pylist(), _number_form(decimal)
    wrong = [
        place for place, text in enumerate(texts) if text is not None and not form.fullmatch(text)
    ]
    if not wrong:
        return InputError(
            f"{title} holds numbers that are texts. Convert the column, as pandas.to_numeric does."
        )
    first = wrong[0]
    return no_number_error(str(texts[first]), row(first), len(wrong), len(texts), title, decimal)


def no_number_error(
    text: str, place: str, wrong: int, rows: int, title: str, decimal: str | None
) -> InputError:
    """Return the error for a column of numbers and other texts.

    Args:
        text: The first text that is no number.
        place: Its row in words.
        wrong: The number of rows that have such texts.
        rows: The number of all rows.
        title: Names the column in messages.
        decimal: The decimal point of a csv; None of other tables.
    """
    text = shortened(text, 40)
    name = title.rpartition(' "')[2].rstrip('"')
    how = "written otherwise" if _otherwise_written(text) else "not"
    return InputError(
        f"{title} holds numbers, but {how} in {wrong} of {rows} rows, the first in "
        f'{place}: "{text}". {_remedy(text.strip(), decimal)}, or give type = "category" in '
        f"[data.columns.{toml_key(name)}]."
    )


def _remedy(text: str, decimal: str | None) -> str:
    """Return what to do about a text that is no number."""
    if decimal is None:
        return (
            "Convert the column to numbers, as pandas.to_numeric does, with a missing value in the "
            "place of texts that are none"
        )
    other = "." if decimal == "," else ","
    if COMMA_OR_POINT.fullmatch(text) and other in text:
        thousands = f", write {text.replace(other, '')} if it is a separator of thousands"
        return f'Give decimal = "{other}"' + thousands * bool(THOUSANDS.fullmatch(text))
    if THOUSANDS.fullmatch(text):
        return (
            "Write numbers without separators of thousands, which pandas.read_csv reads with "
            f'thousands = "{re.sub(r"[+-]?[0-9]", "", text)[0]}"'
        )
    return f'Correct it, give missing_values = ["{text}"] if it stands for a missing value'


def shared_unit(levels: tuple[str, ...]) -> str | None:
    """Return the unit or currency that all texts have beside a number; None without one."""
    found = [WITH_UNIT.fullmatch(level.strip()) for level in levels]
    units = {None if match is None else match["before"] or match["after"] for match in found}
    return units.pop() or None if len(units) == 1 else None
