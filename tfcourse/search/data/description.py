"""The data of a search as ``tfcourse check`` prints it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfcourse.console import one_line
from tfcourse.data.nested import map_arrays
from tfcourse.data.splits import Split
from tfcourse.data.streams.stream import Stream
from tfcourse.data.tables.columns import Column, Columns
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.class_counts import class_counts
from tfcourse.types import Array

__all__ = ["DataDescription", "describe"]

# The levels of a category, and the classes, that are named.
MOST_NAMES = 6


@dataclass(frozen=True)
class DataDescription:
    """The data of a search.

    Attributes:
        origin: Lines about the file of a table.
        columns: The columns of a table by name: what they hold.
        shape: The shape of an example as the model takes it.
        label: The name of the label's column; None without one.
        classes: The number of examples of each class by its name; None if they have none.
        classes_by_set: The same in each set by its name.
        split: The number of examples of each set by its name.
    """

    origin: tuple[str, ...]
    columns: Mapping[str, str]
    shape: Any
    label: str | None
    classes: Mapping[str, int] | None
    classes_by_set: Mapping[str, Mapping[str, int]] | None
    split: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return the description as JSON has it."""
        return {
            "origin": list(self.origin),
            "columns": dict(self.columns),
            "shape": map_arrays(list, self.shape),
            "label": self.label,
            "classes": None if self.classes is None else dict(self.classes),
            "classes_by_set": self.classes_by_set and {**self.classes_by_set},
            "split": dict(self.split),
        }

    def lines(self) -> list[str]:
        """Return the description in lines."""
        width = max(map(len, self.columns), default=0)
        lines = [*self.origin]
        lines += [f"  {name:<{width}}  {text}" for name, text in self.columns.items()]
        if self.classes is not None and self.classes_by_set is not None:
            title = "classes" if self.label is None else f"label {self.label}"
            lines.append(f"{title}: {_counts(self.classes)} ({len(self.classes)} classes)")
            of_sets = [f"{name} {_counts(of)}" for name, of in self.classes_by_set.items()]
            lines.append(f"classes by set: {'; '.join(of_sets)}")
        elif self.label is not None:
            lines.append(f"label {self.label}: a number to predict")
        sets = ", ".join(f"{name} {count}" for name, count in self.split.items())
        return [*lines, f"split: {sets}; an example has the shape {self.shape}"]


def describe(split: Split, config: SearchConfig) -> DataDescription:
    """Return the description of data.

    Args:
        split: The data, as loaded.
        config: The search.
    """
    columns: dict[str, str] = {}
    origin = () if split.columns is None else split.columns.origin
    if split.columns is not None and isinstance(split.train, Stream):
        for column in split.columns.features:
            columns[one_line(column.name)] = _range_or_levels(split.columns, column)
    elif split.columns is not None:
        rows = np.concatenate([part.x for part in split.parts.values()])
        for place, column in enumerate(split.columns.features):
            columns[one_line(column.name)] = _column(column, rows[:, place])
    origin = (*origin, *_stream_lines(split))
    label = None if split.columns is None else split.columns.label
    counts = {name: part.count for name, part in split.parts.items()}
    by_set = class_counts(split, config)
    classes = None
    if by_set is not None:
        names = by_set["train"]
        classes = {name: sum(of_set[name] for of_set in by_set.values()) for name in names}
    return DataDescription(origin, columns, split.shape, label, classes, by_set, counts)


def _column(column: Column, values: Array) -> str:
    if column.kind == "category":
        missing = int((values < 0).sum())
        what = _levels(column)
    else:
        missing = int(np.isnan(values).sum())
        what = f"{column.kind}, {np.nanmin(values):g} to {np.nanmax(values):g}"
    return f"{what}; {missing} missing" if missing else what


def _range_or_levels(columns: Columns, column: Column) -> str:
    if column.kind == "category":
        return _levels(column)
    low, high = columns.ranges[column.name]
    return f"{column.kind}, {low:g} to {high:g}"


def _levels(column: Column) -> str:
    names = _some([f'"{one_line(level)}"' for level in column.levels])
    return f"category, {column.encoding} of {len(column.levels)} levels: {names}"


def _counts(of_classes: Mapping[str, int]) -> str:
    return _some([f"{one_line(name)} {count}" for name, count in of_classes.items()])


def _some(names: list[str]) -> str:
    return ", ".join([*names[:MOST_NAMES], *(["…"] if len(names) > MOST_NAMES else [])])


def _stream_lines(split: Split) -> list[str]:
    """Return a line about the data if it is streamed."""
    parts = [part for part in split.parts.values() if isinstance(part, Stream)]
    files = [part.record["stream"].get("files", 0) for part in parts]
    if not parts:
        return []
    kind = parts[0].record["stream"]["kind"]
    dtype = map_arrays(str, parts[0].record.get("x", {}).get("dtype", "several inputs"))
    return [f"streamed: {kind}{f', {sum(files)} files' if any(files) else ''}, x {dtype}"]
