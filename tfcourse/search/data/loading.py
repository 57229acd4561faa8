"""A search's data, as its config says; errors name the table."""

from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfcourse.data.csv_file import feature_names
from tfcourse.data.precision import coarse_columns, column_title, merging
from tfcourse.data.sources import check_source, checked, load
from tfcourse.data.splits import Part, Split, split_at, stratified_split
from tfcourse.errors import InputError
from tfcourse.search.config.load import SearchConfig
from tfcourse.search.config.metrics import Targets
from tfcourse.search.store.data_record import check_same_data, data_record

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["as_labels", "at_hand", "check_data", "is_gone", "load_split"]


def load_split(config: SearchConfig) -> Split:
    """Loads, checks and splits the examples; y is what the loss takes.

    x and y are float32; x that float32 would spoil is float64 if it is to be normalized.

    Raises:
        InputError: The source, its file, its shapes, values or labels are wrong.
    """
    data, given, numbers = config.data, config.arrays, config.targets == "numbers"
    try:
        if given is None:
            with chdir("."):  # a function of the user's may leave it, and the record is there
                whole, outputs = load(data.source, _path(config), data.label, numbers)
        else:
            whole, outputs = checked(given.x, given.y, "the arrays", numbers)
        whole, notes = _in_precision(whole, config)
        if given is not None and given.starts is not None:
            split = split_at(whole, given.starts, outputs)
        else:
            split = stratified_split(whole, data.split, outputs, data.seed)
        return replace(_encoded(split, config), notes=notes)
    except InputError as error:
        raise InputError(f"{config.origin}: [data] {error}") from error


def as_labels(y: "npt.NDArray[np.generic]", targets: Targets) -> "npt.NDArray[np.int64]":
    """The class numbers behind what `load_split` made of them; 0 for every row of numbers."""
    import numpy as np

    if targets == "labels":
        return y.astype(np.int64)
    if targets == "numbers":
        return np.zeros(len(y), dtype=np.int64)
    return y[:, 0].astype(np.int64) if targets == "binary" else y.argmax(axis=1)


def check_data(config: SearchConfig) -> tuple[str, ...]:
    """`load_split` and the folds for data at hand; for other sources whether they can be had.

    Returns:
        Warnings about data at hand, a line each.

    Raises:
        InputError: As `load_split`, or there are fewer examples than folds.
    """
    if at_hand(config):
        from tfcourse.search.data.folds import check_folds
        from tfcourse.search.data.warnings import data_warnings

        split = load_split(config)
        check_folds(split, config)
        return data_warnings(split, config)
    check_source(config.data.source, _path(config))
    return ()


def check_unchanged(directory: Path, record: Mapping[str, Any], config: SearchConfig) -> None:
    """Refuse to go on in a run directory with other data than it began with.

    Args:
        directory: The run directory.
        record: The `data_record` of today's data.
        config: The search.

    Raises:
        InputError: The data is another; for a function that gives other data at each call, or in
            each process, with the remedy.
    """
    try:
        check_same_data(directory, record)
    except InputError as error:
        source = config.data.source
        if config.arrays is not None or ":" not in source or source.startswith("keras:"):
            raise
        if data_record(load_split(config)) != record:
            raise InputError(
                f"{config.origin}: [data] {source} gives other data at each call, so that no "
                "process could go on with what another began. Draw it from a seed, as from "
                "np.random.default_rng(0)."
            ) from error
        raise InputError(
            f"{error} If nothing was changed, {source} gives other data in each process: draw it "
            "from a seed, and sort what has no order, such as a set or the files of a folder."
        ) from error


def at_hand(config: SearchConfig) -> bool:
    """Whether the data is in memory or a file: quickly read, and without code of others."""
    return config.arrays is not None or config.data.source in ("npz", "csv")


def is_gone(config: SearchConfig) -> bool:
    """Whether the file of the data no longer exists."""
    path = _path(config)
    return config.arrays is None and path is not None and not path.is_file()


def _encoded(split: Split, config: SearchConfig) -> Split:
    """The split with rows for labels, where the loss takes rows."""
    import numpy as np

    loss, targets = config.training.loss, config.targets
    if targets in ("labels", "numbers"):
        return split
    if targets == "binary" and split.classes != 2:
        raise InputError(
            f'y: the loss "{loss}" takes 2 classes. Received: {split.classes}; use '
            '"sparse_categorical_crossentropy".'
        )

    def rows(part: Part) -> Part:
        y = part.y[:, None] if targets == "binary" else np.eye(split.classes)[part.y]
        return Part(part.x, y.astype(np.float32))

    outputs = 1 if targets == "binary" else split.classes
    return Split(rows(split.train), rows(split.dev), rows(split.test), outputs)


def _in_precision(whole: Part, config: SearchConfig) -> tuple[Part, tuple[str, ...]]:
    """Return the examples in the precision of the training, and a warning where that is coarse."""
    import numpy as np

    x, y, notes = whole.x, whole.y, []
    if y.dtype == np.float64:
        column = coarse_columns(y)[0]
        values = merging(y[:, column])
        notes.append(
            f"y needs more digits than float32 has, in which models train: {values}. Subtract a "
            "constant from y first, such as its mean."
        )
        y = y.astype(np.float32)
    if x.dtype == np.float64:
        first, *others = coarse_columns(x)
        name = column_title(first, _column_names(config))
        more = f" (and {len(others)} more)" if others else ""
        need = f"{name}{more} needs more digits than float32 has: {merging(x[..., first])}."
        if config.data.normalize == "none":
            way = 'Give normalize = "standardize", which scales in float64 first.'
            x = x.astype(np.float32)
        else:
            way = (
                "The search and its best model scale in float64, but Keras's predict and evaluate "
                "make float32 of float64 arrays before any layer sees them: give best.keras whole "
                "numbers as int64, and others in a tf.data.Dataset."
            )
        notes.append(f"{need} {way}")
    return Part(x, y), tuple(notes)


def _column_names(config: SearchConfig) -> Sequence[str] | None:
    if config.arrays is not None:
        return config.arrays.names
    path = _path(config)
    if config.data.source != "csv" or path is None:
        return None
    return feature_names(path, config.data.label)


def _path(config: SearchConfig) -> Path | None:
    return Path(config.data.path) if config.data.path else None
