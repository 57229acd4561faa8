"""The data of a search as ``tfcourse check`` prints it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfcourse.console import one_line
from tfcourse.data.nested import map_arrays
from tfcourse.data.splits import Part, Split
from tfcourse.data.streams.stream import Stream
from tfcourse.data.tables.columns import Column
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.targets import as_labels
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
        split: The number of examples of each set by its name.
    """

    origin: tuple[str, ...]
    columns: Mapping[str, str]
    shape: Any
    label: str | None
    classes: Mapping[str, int] | None
    split: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return the description as JSON has it."""
        return {
            "origin": list(self.origin),
            "columns": dict(self.columns),
            "shape": map_arrays(list, self.shape),
            "label": self.label,
            "classes": None if self.classes is None else dict(self.classes),
            "split": dict(self.split),
        }

    def lines(self) -> list[str]:
        """Return the description in lines."""
        width = max(map(len, self.columns), default=0)
        lines = [*self.origin]
        lines += [f"  {name:<{width}}  {text}" for name, text in self.columns.items()]
        if self.classes is not None:
            counts = [f"{one_line(name)} {count}" for name, count in self.classes.items()]
            title = "classes" if self.label is None else f"label {self.label}"
            lines.append(f"{title}: {_some(counts)} ({len(counts)} classes)")
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
        for name, (low, high) in split.columns.ranges.items():
            columns[one_line(name)] = f"number, {low:g} to {high:g}"
    elif split.columns is not None:
        rows = np.concatenate([part.x for part in split.parts.values()])
        for place, column in enumerate(split.columns.features):
            columns[one_line(column.name)] = _column(column, rows[:, place])
    origin = (*origin, *_stream_lines(split))
    label = None if split.columns is None else split.columns.label
    counts = {name: part.count for name, part in split.parts.items()}
    return DataDescription(
        origin, columns, split.shape, label, _class_counts(split, config), counts
    )


def _column(column: Column, values: Array) -> str:
    if column.kind == "category":
        missing = int((values < 0).sum())
        names = _some([f'"{one_line(level)}"' for level in column.levels])
        what = f"category, {column.encoding} of {len(column.levels)} levels: {names}"
    else:
        missing = int(np.isnan(values).sum())
        what = f"{column.kind}, {np.nanmin(values):g} to {np.nanmax(values):g}"
    return f"{what}; {missing} missing" if missing else what


def _some(names: list[str]) -> str:
    return ", ".join([*names[:MOST_NAMES], *(["…"] if len(names) > MOST_NAMES else [])])


def _class_counts(split: Split, config: SearchConfig) -> dict[str, int] | None:
    """Return the number of examples of each class; None if the targets are no classes."""
    parts: list[Part] = list(split.parts.values())
    if isinstance(split.train, Stream):
        return _stream_counts([part for part in parts if isinstance(part, Stream)])
    several = any(isinstance(part.y, Mapping) for part in parts)
    if several or config.targets not in ("labels", "one_hot", "binary"):
        return None
    labels = np.concatenate([as_labels(part.y, config.targets) for part in parts])
    counts = np.bincount(labels)
    names = split.class_names or tuple(range(len(counts)))
    return {str(name): int(count) for name, count in zip(names, counts, strict=False)}


def _stream_counts(parts: list[Stream]) -> dict[str, int] | None:
    """Return the number of examples of each class as the sets' records have it."""
    if not all("classes" in part.record for part in parts):
        return None
    names = parts[0].record["classes"]
    return {name: sum(part.record["classes"][name] for part in parts) for name in names}


def _stream_lines(split: Split) -> list[str]:
    """Return a line about the data if it is streamed."""
    parts = [part for part in split.parts.values() if isinstance(part, Stream)]
    files = [part.record["stream"].get("files", 0) for part in parts]
    if not parts:
        return []
    kind = parts[0].record["stream"]["kind"]
    dtype = map_arrays(str, parts[0].record.get("x", {}).get("dtype", "several inputs"))
    return [f"streamed: {kind}{f', {sum(files)} files' if any(files) else ''}, x {dtype}"]
