"""The texts of a category in rows that are read in chunks."""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tfcourse.data.tables.column_texts import check_levels, mixed_levels, no_number_error
from tfcourse.data.tables.columns import Column
from tfcourse.data.tables.table_options import Encoding, TableOptions
from tfcourse.errors import InputError

if TYPE_CHECKING:
    import pyarrow

__all__ = ["RowLevels"]

# The names of more different texts are not kept in memory.
MOST_LEVELS = 100_000


class RowLevels:
    """The different texts of a column.

    Args:
        name: The name of the column.
        title: Names it in messages.

    Attributes:
        counts: The number of rows of each text.
        first: The first row of each, in words.
        train: The texts that the train set has.
    """

    def __init__(self, name: str, title: str) -> None:
        self.name, self.title = name, title
        self.counts: Counter[str] = Counter()
        self.first: dict[str, str] = {}
        self.train: set[str] = set()

    def add(
        self, texts: "pyarrow.Array", is_train: npt.NDArray[np.bool_], row: Callable[[int], str]
    ) -> None:
        """Add the texts of rows, null where one is missing.

        Args:
            texts: The texts.
            is_train: Whether each is of the train set.
            row: Names a row in messages.

        Raises:
            InputError: There are too many different ones.
        """
        from pyarrow import compute

        encoded = texts.dictionary_encode()
        levels: list[str] = encoded.dictionary.to_pylist()
        codes = compute.fill_null(encoded.indices, -1).to_numpy()
        present, first, counts = np.unique(codes, return_index=True, return_counts=True)
        for code, place, count in zip(*(a.tolist() for a in (present, first, counts)), strict=True):
            if code >= 0:
                self.counts[levels[code]] += count
                if levels[code] not in self.first:
                    self.first[levels[code]] = row(place)
        of_train = np.unique(codes[is_train])
        self.train.update(levels[code] for code in of_train.tolist() if code >= 0)
        if len(self.counts) > MOST_LEVELS:
            raise InputError(
                f"{self.title} holds more than {MOST_LEVELS} different texts. Leave it out with "
                f'drop = ["{self.name}"], or give stream = false.'
            )

    @property
    def levels(self) -> tuple[str, ...]:
        """The texts, sorted."""
        return tuple(sorted(self.counts))

    @property
    def train_places(self) -> npt.NDArray[np.int64]:
        """The places of the texts of the train set among all, sorted."""
        return np.flatnonzero([level in self.train for level in self.levels])

    def column(self, options: TableOptions) -> Column:
        """Return the column with its levels and encoding.

        Raises:
            InputError: Its texts are no categories, unless the config says that they are.
        """
        own, levels = options.of(self.name), self.levels
        if own.type is None:
            counts = np.array([self.counts[level] for level in levels], np.int64)
            rows, decimal = int(counts.sum()), options.decimal
            if wrong := mixed_levels(levels, counts, decimal):
                number = sum(self.counts[text] for text in wrong)
                text = next(text for text in self.first if text in wrong)
                place = self.first[text]
                raise no_number_error(text, place, number, rows, self.title, decimal)
            check_levels(levels, rows, self.name, self.title, options)
        encoding: Encoding = "one_hot" if len(levels) <= options.max_one_hot else "index"
        return Column(self.name, "category", levels, own.encoding or encoding)
