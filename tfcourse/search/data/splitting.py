"""Examples as train, dev and test set, as ``[data]`` says."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tfcourse.data.examples import Examples
from tfcourse.data.nested import Arrays, count_of
from tfcourse.data.splits import Split, split_at, split_by_sets
from tfcourse.data.splitting.array_columns import COLUMN_KEYS
from tfcourse.data.splitting.assignment import SET_NAMES, RowKeys, assign_sets
from tfcourse.data.splitting.split_columns import group_numbers, set_numbers, time_numbers
from tfcourse.errors import InputError
from tfcourse.search.config.tables import DataTable
from tfcourse.types import Array

__all__ = ["columns_apart", "split_examples"]

Numbers = npt.NDArray[np.int64]


def columns_apart(table: DataTable) -> dict[str, str]:
    """Return the columns, or arrays, of the data that are no features, by their keys."""
    columns = {key: getattr(table, key) for key in (*COLUMN_KEYS, "sample_weight")}
    return {key: column for key, column in columns.items() if column is not None}


def split_examples(
    examples: Examples, table: DataTable, starts: Sequence[int] | None = None
) -> Split:
    """Return the sets of the examples.

    Args:
        examples: All examples, with the columns that `columns_apart` names.
        table: ``[data]``.
        starts: The rows with which dev and, if any, test begin; None if the examples are to be
            split.

    Raises:
        InputError: The columns are not usable, a set would be empty, or a group is in two sets.
    """
    whole, columns = examples.part, {key: getattr(table, key) for key in COLUMN_KEYS}
    titled = {
        key: (examples.apart[column], f'{key}: the column "{column}"')
        for key, column in columns.items()
        if column is not None
    }
    keys = RowKeys(
        _strata(whole.y, table),
        group_numbers(*titled["group"]) if "group" in titled else None,
        _times(whole.count, table, titled),
    )
    if starts is not None:
        which = np.searchsorted(np.asarray(starts), np.arange(whole.count), side="right")
    elif "split_by" in titled:
        which = set_numbers(*titled["split_by"])
    else:
        which = assign_sets(keys, table.split, table.seed)
    if keys.groups is not None:
        _check_groups_apart(keys.groups, which, *titled["group"])
    if starts is None:
        split = split_by_sets(whole, which, examples.outputs)
    else:
        split = split_at(whole, starts, examples.outputs)
    of_folds = np.concatenate([np.flatnonzero(which == number) for number in (0, 1)])
    groups, times = (
        None if key is None else np.unique(key[of_folds], return_inverse=True)[1]
        for key in (keys.groups, keys.times)
    )
    return replace(split, groups=groups, times=times)


def _strata(y: Arrays, table: DataTable) -> Numbers:
    """Return the classes that have the same share in all sets, zeros if they need not."""
    labels = None if isinstance(y, Mapping) else np.asarray(y)
    if table.stratify and (labels is None or labels.ndim != 1):
        raise InputError(
            "stratify = true needs one output of classes. The targets are numbers, or those of "
            "several outputs: remove stratify."
        )
    if labels is None or labels.ndim != 1 or table.stratify is False:
        return np.zeros(count_of(y), dtype=np.int64)
    return labels.astype(np.int64)


def _times(count: int, table: DataTable, titled: Mapping[str, tuple[Array, str]]) -> Numbers | None:
    """Return the order of the rows; None if they have none."""
    if table.order is None:
        return None
    return time_numbers(*titled["order_by"]) if "order_by" in titled else np.arange(count)


def _check_groups_apart(groups: Numbers, which: Numbers, values: Array, title: str) -> None:
    """Raise InputError if a group is in two sets, of those that the data names itself."""
    pairs = np.unique(np.stack([groups, which]), axis=1)
    twice = np.flatnonzero(np.bincount(pairs[0]) > 1)
    if len(twice):
        sets = " and ".join(SET_NAMES[number] for number in pairs[1][pairs[0] == twice[0]])
        value = values[np.flatnonzero(groups == twice[0])[0]]
        raise InputError(
            f"{title}: a group must be in one set. Received: {value!s} in {sets}, and "
            f"{len(twice)} such groups in all. Move its examples to one of them."
        )
