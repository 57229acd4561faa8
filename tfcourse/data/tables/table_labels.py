"""The label of a table: classes of any names, or numbers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tfcourse.data.tables.column_texts import check_no_numbers, distinct_texts
from tfcourse.data.tables.column_values import number_values
from tfcourse.data.tables.table_options import ClassNames, TableOptions
from tfcourse.errors import InputError, shortened

if TYPE_CHECKING:
    import pyarrow

__all__ = ["class_labels", "numeric_labels"]

# Texts of more classes than this share of the rows are names.
MOST_CLASSES = 0.5


def numeric_labels(
    values: "pyarrow.ChunkedArray",
    name: str,
    options: TableOptions,
    origin: str,
    row: Callable[[int], str],
) -> tuple[npt.NDArray[np.floating[Any]], None]:
    """Return labels that are numbers to predict.

    Raises:
        InputError: They are no numbers.
    """
    declared = options.of(name).type
    if declared not in (None, "number"):
        raise InputError(
            f'{origin}: the label "{name}" is of the type "{declared}", but the loss takes numbers.'
        )
    title = f'{origin}: the column "{name}"'
    return number_values(values, title, row, options.decimal), None


def class_labels(
    values: "pyarrow.ChunkedArray",
    name: str,
    options: TableOptions,
    origin: str,
    row: Callable[[int], str],
) -> tuple[npt.NDArray[np.int64], ClassNames | None]:
    """Return labels as classes 0 … C-1 in the order of their values, and the classes' names.

    The names are None if the labels are 0 … C-1 in the file.

    Raises:
        InputError: They are no classes.
    """
    from pyarrow import types

    title, declared = f'{origin}: the label "{name}"', options.of(name).type
    kind = values.type.value_type if types.is_dictionary(values.type) else values.type
    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    if types.is_nested(kind) and not types.is_dictionary(kind):
        raise InputError(f"{title} is of the type {kind}. Name a column of one class in each row.")
    if not is_number or declared == "category":
        texts, codes = distinct_texts(values)
        if declared != "category":
            column = f'{origin}: the column "{name}"'
            check_no_numbers(values, texts, codes, column, row, options.decimal)
        if len(texts) > max(2, MOST_CLASSES * len(codes)):
            raise InputError(
                f"{title} holds {len(texts)} different texts in {len(codes)} rows, as names do, "
                f'such as "{shortened(texts[0], 40)}". Name the column of the classes.'
            )
        names: ClassNames = texts
    else:
        numbers = number_values(values, f'{origin}: the column "{name}"', row)
        distinct, codes = np.unique(numbers, return_inverse=True)
        if (distinct != np.round(distinct)).any():
            fraction = float(distinct[distinct != np.round(distinct)][0])
            raise InputError(
                f"{title} holds numbers such as {fraction:g}. A regression? [training] loss = "
                f'"mse". Of classes, give type = "category" in [data.columns].'
            )
        names = tuple(int(number) for number in distinct)
        if np.array_equal(distinct, np.arange(len(distinct))):
            _check_classes(names, title)
            return codes.astype(np.int64), None
    _check_classes(names, title)
    return codes, names


def _check_classes(names: ClassNames, title: str) -> None:
    if len(names) < 2:
        raise InputError(
            f'{title} is "{shortened(str(names[0]), 40)}" in all rows; at least 2 classes are '
            "needed."
        )
