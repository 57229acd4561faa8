"""Checks of the features of rows that are read in chunks."""

import numpy as np

from tfcourse.data.streams.row_groups import Chunk, RowGroups
from tfcourse.errors import InputError
from tfcourse.types import Array

__all__ = ["check_features"]


def check_features(rows: RowGroups, chunk: Chunk, single: Array) -> None:
    """Raise InputError if a number is not finite, or one of a boolean is not 0 or 1.

    Args:
        rows: The row groups.
        chunk: Some of the rows.
        single: Their x in float32.
    """
    infinite = np.isinf(single)
    if infinite.any():
        row, place = np.argwhere(infinite)[0]
        raise InputError(
            f'{rows.path}: the column "{rows.features[place]}" holds a number that is not finite '
            f"in float32: {chunk.x[row, place]} in {chunk.place(row)}. Correct it, or leave the "
            "column out with drop."
        )
    for place, column in enumerate(rows.columns):
        if column.kind == "boolean":
            values = chunk.x[:, place]
            wrong = np.flatnonzero(~(np.isin(values, (0, 1)) | np.isnan(values)))
            if len(wrong):
                raise InputError(
                    f'{rows.path}: the column "{column.name}" is to be of the type "boolean", '
                    f"which is true or false, 1 or 0. Received in {chunk.place(wrong[0])}: "
                    f"{values[wrong[0]]:g}."
                )
