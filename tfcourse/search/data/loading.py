"""The data of a search, as its config describes it."""

from collections.abc import Sequence
from contextlib import chdir
from dataclasses import replace
from typing import Any

import numpy as np

from tfcourse.data.arrays import ArrayData
from tfcourse.data.examples import Examples, check_examples
from tfcourse.data.nested import map_arrays
from tfcourse.data.npz_file import read_rows
from tfcourse.data.sources import FILE_SOURCES, is_function, load, returned_by, source_files
from tfcourse.data.splits import Split
from tfcourse.data.splitting.assignment import SET_NAMES
from tfcourse.data.splitting.row_sets import row_sets
from tfcourse.data.splitting.stored_split import StoredSplit
from tfcourse.data.streams.datasets import datasets_of_function
from tfcourse.data.tables.table_data import TableData
from tfcourse.data.weights import check_weight
from tfcourse.errors import InputError
from tfcourse.search.config.arguments import by_argument
from tfcourse.search.config.column_tables import table_options
from tfcourse.search.config.data import is_function_name
from tfcourse.search.config.named_data import check_named_data
from tfcourse.search.config.search_config import DataInMemory, SearchConfig
from tfcourse.search.config.tables import DataTable
from tfcourse.search.data.paths import data_path
from tfcourse.search.data.precision import in_precision
from tfcourse.search.data.splitting import columns_apart, split_examples
from tfcourse.search.data.table_sizes import with_sizes
from tfcourse.search.data.targets import encode_targets
from tfcourse.search.data.weights import check_class_weights, check_set_weights, weight_column

__all__ = ["is_local", "is_missing", "load_split"]


def load_split(config: SearchConfig) -> Split:
    """Load, check and split the examples; y is what the loss takes.

    x and y are float32. x that loses digits in float32 stays float64 if it will be normalized.

    Raises:
        InputError: The source, its file, its shapes, values or labels are wrong.
    """
    if isinstance(config.arrays, StoredSplit):
        return config.arrays.read()
    returned = None if config.is_streamed else _returned(config)
    datasets = None if returned is None else datasets_of_function(*returned)
    if config.is_streamed or datasets is not None:
        from tfcourse.search.data.streaming import load_streams

        return load_streams(config, datasets)
    data, arrays = config.data, config.arrays
    try:
        examples, starts = _examples(config, returned)
        columns = examples.columns
        names = arrays.names if isinstance(arrays, ArrayData) else None
        names = names if columns is None else columns.names
        is_table = columns is not None and not columns.is_ready
        part, notes = in_precision(examples.part, is_table or data.normalize != "none", names)
        split = split_examples(replace(examples, part=part), data, starts)
        split = replace(
            encode_targets(split, config.training.loss, config.targets),
            notes=(*examples.notes, *notes),
            columns=columns,
            class_names=examples.classes,
        )
        check_set_weights(split)
        split = with_sizes(split, config)
    except InputError as error:
        if isinstance(arrays, TableData):
            raise InputError(f"{config.origin}: {by_argument(str(error))}") from error
        raise InputError(f"{config.origin}: [data] {error}") from error
    check_named_data(config, split.train.x, split.train.y)
    try:
        check_class_weights(config, split)
    except InputError as error:
        raise InputError(f"{config.origin}: [training] {error}") from error
    return split


def _examples(
    config: SearchConfig, returned: tuple[Any, ...] | None
) -> tuple[Examples, Sequence[int] | None]:
    """Return the examples, and the rows with which dev and test begin if they are in that order.

    Args:
        config: The search.
        returned: What the function of the data returned, if it has been called.

    Raises:
        InputError: The source, its file, its shapes, values or labels are wrong.
    """
    data, arrays = config.data, config.arrays
    numbers = map_arrays(lambda targets: targets == "numbers", config.targets)
    if isinstance(arrays, ArrayData):
        examples = Examples(*check_examples(arrays.x, arrays.y, "the arrays", numbers))
        part = replace(examples.part, weight=arrays.weight)
        return replace(examples, part=part, apart=arrays.apart), arrays.starts
    options, apart = table_options(data), columns_apart(data)
    with chdir("."):  # a function of the user's may change the working directory
        path = data_path(data)
        if isinstance(arrays, TableData):
            examples = arrays.examples(data.label, options, numbers, apart)
        else:
            examples = load(data.source, path, data.label, numbers, apart, returned, options)
    if data.sample_weight is not None:
        weight = weight_column(examples.apart[data.sample_weight], data.sample_weight)
        weight = check_weight(weight, examples.part.y, data.sample_weight)
        examples = replace(examples, part=replace(examples.part, weight=weight))
    if isinstance(arrays, TableData):
        return examples, _starts(arrays, examples)
    if data.split_rows is None:
        return examples, None
    assert path is not None, "checked with the config"
    names = {name: data.split_rows[name] for name in SET_NAMES if name in data.split_rows}
    rows, starts = row_sets(read_rows(path, names), examples.part.count, "split_rows")
    return examples.rows(rows), starts


def _starts(table: TableData, examples: Examples) -> tuple[int, ...] | None:
    """Return the examples with which dev and test begin, of those that lack no value."""
    if table.starts is None or examples.places is None:
        return table.starts
    starts = np.searchsorted(examples.places, table.starts)
    sizes = np.diff([0, *starts, len(examples.places)])
    for name, size in zip(SET_NAMES, sizes, strict=False):
        if not size:
            raise InputError(f"every row of {name} lacks a value. Leave a column out with drop.")
    return tuple(starts.tolist())


def _returned(config: SearchConfig) -> tuple[Any, ...] | None:
    """Return what the function of the data returns; None for another source."""
    if config.arrays is not None or not is_function(config.data.source):
        return None
    try:
        with chdir("."):  # it may change the working directory
            return returned_by(config.data.source)
    except InputError as error:
        raise InputError(f"{config.origin}: [data] {error}") from error


def is_local(data: DataTable, arrays: DataInMemory | None) -> bool:
    """Return True if the data is in memory or in a file: quickly read, and without others' code."""
    if data.path is not None and is_function_name(data.path):
        return False
    if arrays is not None:
        return True
    return data.source in (*FILE_SOURCES, "images") and not data.stream


def is_missing(data: DataTable, arrays: DataInMemory | None) -> bool:
    """Return True if the data is to come from a file that does not exist."""
    path = data_path(data)
    if arrays is not None or path is None or data.source == "tfrecord":
        return False
    return not (path.is_dir() if data.source == "images" else source_files(data.source, path))
