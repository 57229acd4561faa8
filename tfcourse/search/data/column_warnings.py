"""Warnings about the columns of a table."""

from collections.abc import Iterator

import numpy as np

from tfcourse.console import one_line
from tfcourse.data.splits import Split
from tfcourse.data.streams.stream import Stream
from tfcourse.data.tables.column_texts import shared_unit
from tfcourse.data.tables.columns import Columns
from tfcourse.errors import shortened
from tfcourse.search.config.search_config import SearchConfig

__all__ = ["column_warnings"]

# Numbers that are larger make the first steps of a training diverge if they are not normalized.
LARGE = 1000


def column_warnings(split: Split, config: SearchConfig) -> Iterator[str]:
    """Yield a line for each column of a table that is likely not as it was meant."""
    if split.columns is None:
        return
    yield from _numbers_as_categories(split.columns, config)
    if config.data.normalize == "none" and not split.columns.encoded:
        yield from _large_numbers(split, split.columns)


def _numbers_as_categories(columns: Columns, config: SearchConfig) -> Iterator[str]:
    for column in columns.features:
        own = config.data.columns.get(column.name)
        unit = shared_unit(column.levels)
        if unit is not None and (own is None or own.type is None):
            yield (
                f'the column "{one_line(column.name)}" holds numbers with "{unit}" beside them, '
                f'such as "{one_line(column.levels[0])}", and is a category. Write the numbers '
                'alone, or give it type = "category".'
            )


def _large_numbers(split: Split, columns: Columns) -> Iterator[str]:
    """Yield a line if numbers are large and are not normalized."""
    largest = {}
    for place in columns.numbers:
        name = columns.features[place].name
        if name in columns.ranges:
            largest[name] = max(map(abs, columns.ranges[name]))
        elif not isinstance(split.train, Stream):
            values = np.abs(split.train.x[:, place])
            largest[name] = float(np.fmax.reduce(values))  # without NaN
    large = {name: value for name, value in largest.items() if value > LARGE}
    if large:
        listed = ", ".join(f'"{one_line(name)}" to {value:g}' for name, value in large.items())
        yield (
            f"numbers are large, and normalize is not set: {shortened(listed, 200)}. Trainings "
            'on such inputs often diverge: give normalize = "standardize".'
        )
