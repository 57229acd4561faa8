"""One pass over the rows of Parquet files, before they are streamed."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tfcourse.data.streams.column_ranges import ColumnRanges
from tfcourse.data.streams.row_checks import check_features
from tfcourse.data.streams.row_columns import text_values
from tfcourse.data.streams.row_groups import Chunk, RowGroups
from tfcourse.data.streams.row_levels import RowLevels
from tfcourse.data.tables.table_options import ClassNames, Missing
from tfcourse.data.tables.train_statistics import TrainStatistics
from tfcourse.errors import InputError, shortened

if TYPE_CHECKING:
    import pyarrow

__all__ = ["RowSurvey", "survey_rows"]

# Labels of more different values are no classes.
MOST_CLASSES = 10_000


@dataclass
class RowSurvey:
    """The result of a pass over the rows.

    Attributes:
        rows: The row groups.
        numbers: Whether the label is a number to predict, not a class.
        counts: The rows of each set that are not left out.
        classes: The rows of each label of each set; empty for numbers to predict.
        digests: A hash of the numbers and labels of each set.
        missing: The number of missing values of each feature, and last of the label.
        incomplete: The number of rows that are left out as they lack a value.
        columns: The ranges of the features, and last of a label that is a number to predict.
        texts: The texts of each category, by the number of its column.
        train: Statistics of the train set; None of numbers that a model takes as they are.
    """

    rows: RowGroups
    numbers: bool

    def __post_init__(self) -> None:
        sets, features = self.rows.set_names, len(self.rows.features)
        self.counts = [0 for _ in sets]
        self.classes: list[Counter[str | int]] = [Counter() for _ in sets]
        self.digests = [hashlib.sha256(f"{self.rows.features} ".encode()) for _ in sets]
        self.missing = np.zeros(features + 1, np.int64)
        self.incomplete = 0
        self.first_missing = ""
        self.columns = ColumnRanges(features + self.numbers)
        self.texts = {
            place: RowLevels(column.name, f'{self.rows.path}: the column "{column.name}"')
            for place, column in enumerate(self.rows.columns)
            if column.kind == "category"
        }
        self.train = None if self.rows.is_matrix else TrainStatistics(features)

    def add(self, chunk: Chunk) -> None:
        """Count the rows of a chunk, whose x is float64.

        Raises:
            InputError: A number is not finite in float32, or a label is no class or number.
        """
        complete = chunk.complete
        self.missing[:-1] += np.isnan(chunk.x).sum(axis=0)
        self.missing[-1] += chunk.y.null_count
        if not complete.all():
            self.incomplete += int((~complete).sum())
            self.first_missing = self.first_missing or chunk.place(int(complete.argmin()))
        with np.errstate(over="ignore"):
            single = chunk.x.astype(np.float32)
        check_features(self.rows, chunk, single)
        self._check_label(chunk)
        if complete.any():
            numbers = np.column_stack([chunk.x, chunk.y]) if self.numbers else chunk.x
            self.columns.add(numbers, chunk.columns, complete)
        texts = {place: text_values(chunk.columns.column(place)) for place in self.texts}
        for number in range(len(self.counts)):
            mask = complete & (chunk.sets == number)
            self.counts[number] += int(mask.sum())
            self.digests[number].update(np.ascontiguousarray(single[mask]).data)
            self._add_labels(number, chunk.y.filter(mask))
            for column in texts.values():
                self._hash_texts(number, column.filter(mask))
        if self.train is not None:
            self.train.add(single[complete & (chunk.sets == 0)].astype(np.float64))
        rows = np.flatnonzero(complete)
        for place, levels in self.texts.items():
            values = texts[place].filter(complete)
            levels.add(values, chunk.sets[rows] == 0, lambda row: chunk.place(int(rows[row])))

    def _hash_texts(self, number: int, texts: "pyarrow.Array") -> None:
        encoded = texts.dictionary_encode()
        self.digests[number].update(f"{encoded.dictionary.to_pylist()} ".encode())
        self.digests[number].update(encoded.indices.fill_null(-1).to_numpy().data)

    def _add_labels(self, number: int, y: "pyarrow.Array") -> None:
        if self.numbers:
            self.digests[number].update(y.to_numpy().data)
            return
        labels = y.dictionary_encode()
        values: list[Any] = labels.dictionary.to_pylist()
        levels = [value if isinstance(value, str) else int(value) for value in values]
        places = labels.indices.to_numpy()
        self.digests[number].update(f"{levels} ".encode())
        self.digests[number].update(places.data)
        counts = np.bincount(places, minlength=len(levels)).tolist()
        self.classes[number].update(dict(zip(levels, counts, strict=True)))
        if len(self.classes[number]) > MOST_CLASSES:
            raise InputError(
                f'{self.rows.path}: the label "{self.rows.label}" has more than {MOST_CLASSES} '
                'different values, which are no classes. A regression? [training] loss = "mse".'
            )

    def _check_label(self, chunk: Chunk) -> None:
        from pyarrow import types

        if not types.is_floating(chunk.y.type):
            return
        title = f'{self.rows.path}: the label "{self.rows.label}"'
        values: Any = chunk.y.drop_null().to_numpy()
        with np.errstate(over="ignore"):
            infinite = values[np.isinf(values.astype(np.float32))]
        if len(infinite):
            raise InputError(
                f"{title} holds a number that is not finite in float32: {infinite[0]}. Correct it, "
                "or leave the row out."
            )
        fractions = values[values != np.round(values)]
        if len(fractions) and not self.numbers:
            raise InputError(
                f"{title} holds numbers such as {fractions[0]:g}. A regression? [training] "
                'loss = "mse".'
            )

    def check(self, missing: Missing) -> None:
        """Check the whole.

        Args:
            missing: The rule for missing values.

        Raises:
            InputError: Values are missing, float32 merges numbers, a set is empty, or there are
                fewer than two classes, or some that the train set lacks.
        """
        path = self.rows.path
        total = sum(group.rows for group in self.rows.groups)
        if total in self.missing:
            name = self.names[self.missing.tolist().index(total)]
            raise InputError(
                f'{path}: the column "{name}" has no value in any row. Leave it out with drop, or '
                "write its values."
            )
        if self.incomplete and missing == "error":
            counts = zip(self.names, self.missing, strict=True)
            text = ", ".join(f'"{name}" {count}' for name, count in counts if count)
            raise InputError(
                f"{path}: values are missing: {text} of {total} rows, the first in "
                f'{self.first_missing}. missing = "drop" leaves the rows out, "mean" fills them; '
                '"median" needs stream = false.'
            )
        if not all(self.counts):
            empty = self.rows.set_names[self.counts.index(0)]
            left = total - self.incomplete
            raise InputError(f"{path}: the {empty} set is empty, of {left} rows. Add rows.")
        self._check_digits()
        if not self.numbers:
            self._check_classes()

    def _check_digits(self) -> None:
        """Raise InputError if float32 merges numbers of a column."""
        for place in np.flatnonzero(self.columns.coarse).tolist():
            name = self.names[place]
            drop = "" if name == self.rows.label else ", leave it out with drop"
            raise InputError(
                f'{self.rows.path}: the column "{name}" needs more digits than float32 has, in '
                "which streamed rows are read. Subtract a constant from it, such as "
                f"{self.columns.least(place)}{drop}, or give stream = false."
            )

    def _check_classes(self) -> None:
        title = f'{self.rows.path}: the label "{self.rows.label}"'
        train = self.classes[0]
        for name, other in zip(self.rows.set_names, self.classes, strict=True):
            if names := sorted(str(label) for label in other.keys() - train.keys()):
                raise InputError(
                    f"{title} has classes in the {name} set that the train set lacks: "
                    f"{shortened(', '.join(names), 80)}. Add examples of them, or take them out."
                )
        if len(train) < 2:
            raise InputError(
                f'{title} is "{shortened(str(next(iter(train))), 40)}" in all rows; at least 2 '
                "classes are needed."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the features, and last that of the label."""
        return (*self.rows.features, self.rows.label)

    @property
    def levels(self) -> list[str | int]:
        """The different labels, all of one type, sorted; none of numbers to predict."""
        return sorted(self.classes[0])

    @property
    def class_names(self) -> ClassNames | None:
        """The names of the classes; None if they are 0 … C-1."""
        levels = self.levels
        if not levels or levels == list(range(len(levels))):
            return None
        return tuple(levels)

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """The least and the largest number of each feature by name, without categories."""
        pairs = zip(self.columns.low.tolist(), self.columns.high.tolist(), strict=True)
        named = zip(self.rows.columns, pairs, strict=False)
        return {column.name: pair for column, pair in named if column.kind != "category"}


def survey_rows(rows: RowGroups, numbers: bool, missing: Missing) -> RowSurvey:
    """Return the checked result of a pass over all rows.

    Args:
        rows: The row groups.
        numbers: Whether the label is a number to predict, not a class.
        missing: The rule for missing values.

    Raises:
        InputError: As from `RowSurvey.check`, or a file can't be read.
    """
    survey = RowSurvey(rows, numbers)
    for place in range(len(rows.groups)):
        for chunk in rows.chunks(place, np.float64):
            survey.add(chunk)
    survey.check(missing)
    return survey
