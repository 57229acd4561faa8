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

__all__ = ["check_levels", "check_no_numbers", "distinct_texts", "no_number", "toml_key"]

# A column of texts of which more than this share are numbers is one of numbers with errors in it.
NUMBERS_WITH_ERRORS = 0.5
# A column with more different texts than this share of its rows holds names or ids.
ALL_DIFFERENT = 0.5
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
) -> None:
    """Raise InputError if the texts of a column are numbers with errors in it.

    Args:
        values: The column.
        levels: Its texts, see `distinct_texts`.
        codes: The places of its rows in them.
        title: Names the column in messages.
        row: Names a row in messages.
    """
    numeric = np.array([_number(level) for level in levels])
    if not numeric.all() and numeric[codes[codes >= 0]].mean() > NUMBERS_WITH_ERRORS:
        raise no_number(values, title, row)


def check_levels(
    levels: tuple[str, ...], rows: int, name: str, title: str, options: TableOptions
) -> None:
    """Raise InputError if texts are no categories: dates, names or ids."""
    if all(DATES.fullmatch(level.strip()) for level in levels[:100]):
        raise InputError(
            f'{title} holds dates, such as "{levels[0]}". Leave it out with drop = ["{name}"], '
            'write them as 2026-01-31 and give type = "date", or give type = "category".'
        )
    if len(levels) > options.max_one_hot and len(levels) > ALL_DIFFERENT * rows:
        raise InputError(
            f"{title} holds {len(levels)} different texts in {rows} rows, as names and ids do, "
            f'such as "{shortened(levels[0], 40)}". Leave it out with drop = ["{name}"], or give '
            f'it type = "category" in [data.columns.{toml_key(name)}].'
        )


def toml_key(name: str) -> str:
    """Return a name as a key of TOML."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'


def _number(text: str) -> bool:
    return re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", text) is not None


def no_number(values: "pyarrow.ChunkedArray", title: str, row: Callable[[int], str]) -> InputError:
    """Return the error for a column of numbers and other texts."""
    texts = values.to_pylist()
    wrong = [place for place, text in enumerate(texts) if text is not None and not _number(text)]
    first = wrong[0]
    text = shortened(str(texts[first]), 40)
    name = title.rpartition(' "')[2].rstrip('"')
    comma = ' (a decimal comma? decimal = ",")' * bool(re.fullmatch(r"[+-]?\d+,\d+", text))
    return InputError(
        f"{title} holds numbers, but not in {len(wrong)} of {len(texts)} rows, the first in "
        f'{row(first)}: "{text}"{comma}. Correct it, give missing_values = ["{text}"] if it stands '
        f'for a missing value, or type = "category" in [data.columns.{toml_key(name)}].'
    )
