"""The data of a search, as its config describes it."""

from collections.abc import Sequence
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import numpy as np

from tfcourse.data.arrays import ArrayData
from tfcourse.data.csv_file import feature_names
from tfcourse.data.examples import check_examples
from tfcourse.data.precision import coarse_columns, column_title, describe_merging
from tfcourse.data.sources import load
from tfcourse.data.splits import Part, Split, split_at, stratified_split
from tfcourse.errors import InputError
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.config.tables import DataTable
from tfcourse.search.data.targets import encode_targets

__all__ = ["data_path", "is_local", "is_missing", "load_split"]


def load_split(config: SearchConfig) -> Split:
    """Load, check and split the examples; y is what the loss takes.

    x and y are float32. x that loses digits in float32 stays float64 if it will be normalized.

    Raises:
        InputError: The source, its file, its shapes, values or labels are wrong.
    """
    data, arrays, numbers = config.data, config.arrays, config.targets == "numbers"
    try:
        if arrays is None:
            with chdir("."):  # a function of the user's may change the working directory
                examples = load(data.source, data_path(data), data.label, numbers)
            whole, outputs = examples.part, examples.outputs
        else:
            whole, outputs = check_examples(arrays.x, arrays.y, "the arrays", numbers)
        whole, notes = _in_precision(whole, data, arrays)
        if arrays is not None and arrays.starts is not None:
            split = split_at(whole, arrays.starts, outputs)
        else:
            split = stratified_split(whole, data.split, outputs, data.seed)
        return replace(encode_targets(split, config.training.loss, config.targets), notes=notes)
    except InputError as error:
        raise InputError(f"{config.origin}: [data] {error}") from error


def is_local(data: DataTable, arrays: ArrayData | None) -> bool:
    """Return True if the data is in memory or in a file: quickly read, and without others' code."""
    return arrays is not None or data.source in ("npz", "csv")


def is_missing(data: DataTable, arrays: ArrayData | None) -> bool:
    """Return True if the data is to come from a file that does not exist."""
    path = data_path(data)
    return arrays is None and path is not None and not path.is_file()


def data_path(data: DataTable) -> Path | None:
    """Return the file of the data; None for a source without a file."""
    return Path(data.path) if data.path else None


def _in_precision(
    whole: Part, data: DataTable, arrays: ArrayData | None
) -> tuple[Part, tuple[str, ...]]:
    """Return the examples in the precision of the training, and a warning where that is coarse."""
    x, y, notes = whole.x, whole.y, []
    if y.dtype == np.float64:
        column = coarse_columns(y)[0]
        values = describe_merging(y[:, column])
        notes.append(
            f"y needs more digits than float32 has, in which models train: {values}. Subtract a "
            "constant from y first, such as its mean."
        )
        y = y.astype(np.float32)
    if x.dtype == np.float64:
        first, *others = coarse_columns(x)
        name = column_title(first, _column_names(data, arrays))
        more = f" (and {len(others)} more)" if others else ""
        need = (
            f"{name}{more} needs more digits than float32 has: {describe_merging(x[..., first])}."
        )
        if data.normalize == "none":
            advice = 'Give normalize = "standardize", which scales in float64 first.'
            x = x.astype(np.float32)
        else:
            advice = (
                "The search and its best model scale in float64, but Keras's predict and evaluate "
                "make float32 of float64 arrays before any layer sees them: give best.keras whole "
                "numbers as int64, and others in a tf.data.Dataset."
            )
        notes.append(f"{need} {advice}")
    return Part(x, y), tuple(notes)


def _column_names(data: DataTable, arrays: ArrayData | None) -> Sequence[str] | None:
    if arrays is not None:
        return arrays.names
    path = data_path(data)
    if data.source != "csv" or path is None:
        return None
    return feature_names(path, data.label)
