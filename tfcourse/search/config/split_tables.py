"""The keys of ``[data]`` that say how the examples become sets."""

from typing import Annotated, Literal

from pydantic import Strict

from tfcourse.data.splitting.array_columns import COLUMN_KEYS
from tfcourse.errors import shown
from tfcourse.search.config.table import Table

__all__ = ["SplitKeys", "split_problems"]


class SplitKeys(Table):
    """The sets of the examples, and the folds of train and dev set together.

    Attributes:
        split: The shares of train, dev and test, or of train and dev alone.
        order: ``"time"``: the rows are in the order of time, and earlier ones in the earlier sets.
        order_by: The column with the times, by which ``order = "time"`` sorts the rows.
        group: The column with the group of each row; no group is in two sets.
        split_by: The column that names the set of each row; it replaces ``split``.
        split_rows: The names of the arrays of an npz with the rows of train, dev and, if any, test,
            their numbers or a mask, by these names of the sets; they replace ``split``.
        stratify: Whether each class has the same share in all sets; None is true for classes, if
            the rows have neither an order nor sets of their own.
    """

    split: Annotated[tuple[float, ...], Strict(False)] = (0.6, 0.2, 0.2)
    order: Literal["time"] | None = None
    order_by: str | None = None
    group: str | None = None
    split_by: str | None = None
    split_rows: dict[str, str] | None = None
    stratify: bool | None = None


# The sources without columns; their sets have shares of each class.
WITHOUT_COLUMNS = ("digits", "sklearn:", "keras:", "images", "datasets", "tfrecord")
STREAMED = ("images", "datasets", "tfrecord")
REASONS = {
    ("order", "group"): "a group may have examples early and late. Remove one of them.",
    ("order", "split_by"): "the column already says which rows are in which set. Remove one.",
    ("order", "stratify = true"): "sets of earlier and later rows have the classes of their time. "
    "Remove stratify.",
    ("split_by", "split"): "the column already says which rows are in which set. Remove split.",
    ("split_rows", "split"): "the arrays already say which rows are in which set. Remove split.",
    ("split_rows", "split_by"): "both say which rows are in which set. Remove one of them.",
    ("split_rows", "stratify = true"): "the sets have the classes of their rows. Remove stratify.",
    ("order", "split_rows"): "the arrays already say which rows are in which set. Remove one.",
}


def split_problems(source: str, label: str | None, keys: SplitKeys) -> list[str]:
    """Return a line for each pair of keys that can't both say how the examples are split.

    And for each key that the source has no use for.

    Args:
        source: ``[data] source``.
        label: ``[data] label``.
        keys: The keys of ``[data]``.
    """
    values = {
        "order": keys.order,
        "group": keys.group,
        "split_by": keys.split_by,
        "split_rows": keys.split_rows,
        "split": keys.split if "split" in keys.model_fields_set else None,
        "stratify = true": keys.stratify or None,
    }
    lines = [
        f"[data] {first} and {second} exclude each other: {reason}"
        for (first, second), reason in REASONS.items()
        if values[first] is not None and values[second] is not None
    ]
    rows = keys.split_rows
    if rows is not None and {*rows} not in ({"train", "dev"}, {"train", "dev", "test"}):
        lines.append(
            "[data] split_rows must name the arrays of train, dev and, for a test set, test: "
            f'{{ train = "train_rows", dev = "dev_rows" }}. Received: {shown(rows)}.'
        )
    if rows is not None and source != "npz":
        lines.append(
            f'[data] split_rows names arrays of source "npz". Received: source "{source}"; '
            "split_by names a column of train, dev and test, and Search takes "
            "split=(train_rows, dev_rows)."
        )
    if keys.order_by is not None and keys.order is None:
        lines.append(f'[data] order_by = {shown(keys.order_by)} needs order = "time". Add it.')
    named = [key for key in COLUMN_KEYS if getattr(keys, key) is not None]
    columns = [*(getattr(keys, key) for key in named), label]
    lines += [
        f"[data] {', '.join(named)} and label must name different columns. Received twice: "
        f"{shown(column)}."
        for column in dict.fromkeys(columns)
        if column is not None and columns.count(column) > 1
    ]
    if named and source.startswith(WITHOUT_COLUMNS):
        lines.append(
            f'[data] {named[0]} names a column, and source "{source}" has none. Use source "csv", '
            '"parquet", "arrow" or "npz".'
        )
    if source in STREAMED and (keys.order is not None or keys.stratify is False):
        lines.append(f'[data] source "{source}" is read as it is. Remove order and stratify.')
    return lines
