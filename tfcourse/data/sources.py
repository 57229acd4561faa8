"""The sources of a search's examples: scikit-learn's digits, arrays in a file, keras.datasets.

Everything is checked here, before any training: shapes, NaN, labels.
"""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tfcourse.data.digits import read_digits
from tfcourse.data.examples import Examples, check_examples
from tfcourse.data.npz_file import read_npz
from tfcourse.data.output_names import check_output_names
from tfcourse.data.tables.column_files import check_reader, part_files
from tfcourse.data.tables.table_options import TABLE_SOURCES, TableOptions
from tfcourse.data.weights import check_weight
from tfcourse.errors import InputError, error_text, one_of
from tfcourse.imports import exit_as_error, load_function
from tfcourse.types import Array

__all__ = [
    "FILE_SOURCES",
    "KERAS_DATASETS",
    "OBJECT_SOURCES",
    "SKLEARN_DATASETS",
    "check_source",
    "is_function",
    "load",
    "returned_by",
    "source_files",
]

KERAS_DATASETS = ("mnist", "fashion_mnist", "cifar10", "cifar100")
# Those that are part of scikit-learn, and need no download.
SKLEARN_DATASETS = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine")

# Those that are read from files.
FILE_SOURCES = ("npz", *TABLE_SOURCES)
# Those that are objects in Python, and the arguments that they are.
OBJECT_SOURCES = {
    "arrays": "data=(x, y)",
    "dataframe": "data=dataframe",
    "datasets": "train=train, dev=dev",
}


def source_files(source: str, path: Path) -> list[Path]:
    """Return the files of a source at a path; Parquet and Arrow may have several."""
    if source in ("parquet", "arrow"):
        return part_files(path, source)
    return [path] if path.is_file() else []


def load(
    source: str,
    path: Path | None = None,
    label: str | None = None,
    numbers: bool | Mapping[str, bool] = False,
    apart: Mapping[str, str] | None = None,
    returned: tuple[Any, ...] | None = None,
    options: TableOptions | None = None,
) -> Examples:
    """Return the examples of a source.

    Args:
        source: ``"digits"`` (1797 handwritten digits of 8×8, flat, in [0, 1]), ``"npz"`` (arrays
            x and y, or ``x.NAME`` and ``y.NAME`` of several inputs and outputs), ``"csv"``,
            ``"parquet"`` or ``"arrow"`` (columns, see `tfcourse.data.tables.table.read_table`),
            ``"sklearn:NAME"`` (a data set of scikit-learn's, as its ``load_NAME`` returns it),
            ``"keras:NAME"`` (one that Keras downloads) or ``"package.module:function"`` (gives x
            and y, and sample weights if it likes).
        path: The file of ``"npz"`` and of tables.
        label: The label column of a table; None is the last one.
        numbers: Whether y is no class but numbers to predict, (examples,) or (examples, outputs):
            it becomes one row for each example, and ``outputs`` is the rows' length. A dict says
            it by output.
        apart: The columns of a table, or arrays of ``"npz"``, that are no features but serve
            another purpose, by the setting that names each, such as ``group``.
        returned: What the function returned, if it has been called.
        options: The choices for a table.

    Raises:
        InputError: The source, its file or its contents are not usable.
    """
    check_source(source, path)
    if source in TABLE_SOURCES:
        from tfcourse.data.tables.table import read_table

        of_label = check_output_names((), numbers)[""]  # a table has one column of targets
        options = options or TableOptions()
        return read_table(source, path or Path(), label, options, of_label, apart or {})
    others: Mapping[str, Array] = {}
    apart = apart or {}
    weight = None
    if source == "digits":
        x, y = _digits()
    elif source == "npz":
        x, y, others = read_npz(path or Path(), apart)
    elif source.startswith("sklearn:"):
        x, y = _sklearn(source.removeprefix("sklearn:"))
    elif source.startswith("keras:"):
        x, y = _keras(source.removeprefix("keras:"))
    else:
        x, y, *weights = returned_by(source) if returned is None else returned
        weight = weights[0] if weights else None
    missing = [(key, name) for key, name in apart.items() if name not in others]
    if missing:
        key, name = missing[0]
        raise InputError(
            f'{key}: "{name}" must be a column of a table, or an array of source "npz" beside x '
            f'and y. Received: source "{source}".'
        )
    origin = str(path) if path else source
    part, outputs = check_examples(x, y, origin, numbers)
    if weight is not None:
        part = replace(part, weight=check_weight(weight, part.y, origin))
    return Examples(part, outputs, others)


def check_source(source: str, path: Path | None) -> None:
    """Check a source as far as is possible without reading the data.

    Raises:
        InputError: The source is unknown, or its package, file or function is missing.
    """
    if source == "images":
        if path is None or not path.is_dir():
            received = "nothing" if path is None else path
            raise InputError(
                f'source "images" needs the key path, a folder with a folder of images for each '
                f"class. Received: {received}."
            )
    elif source == "tfrecord":
        if path is None:
            raise InputError('source "tfrecord" needs the key path, a folder or a pattern.')
    elif source in FILE_SOURCES:
        if path is None:
            raise InputError(f'source "{source}" needs the key path, the file to read.')
        if not source_files(source, path):
            raise InputError(_no_file(source, path))
        if source != "npz":
            check_reader(source)
    elif source == "digits" or source.startswith("sklearn:"):
        _check_name(source, "sklearn:", SKLEARN_DATASETS)
        if importlib.util.find_spec("sklearn") is None:
            raise InputError(
                f'source "{source}" needs scikit-learn. Install it: pip install scikit-learn.'
            )
    elif source.startswith("keras:"):
        _check_name(source, "keras:", KERAS_DATASETS)
    elif ":" in source:
        load_function(source, "source")
    elif source in OBJECT_SOURCES:
        call = OBJECT_SOURCES[source]
        what = "a DataFrame" if source == "dataframe" else source
        raise InputError(
            f'source "{source}" stands for {what} in Python, which no file holds: '
            f"tfcourse.Search({call}, ...)."
        )
    else:
        choices = (
            "digits",
            *FILE_SOURCES,
            "images",
            "tfrecord",
            "sklearn:NAME",
            "keras:NAME",
            "package.module:function",
        )
        raise InputError(one_of("source", source, choices) + _path_hint(source))


def _no_file(source: str, path: Path) -> str:
    """Return the message for a path at which a source has no file."""
    if source in ("parquet", "arrow") and path.is_dir():
        return f"path: no {source} file in {path}."
    if path.is_dir() or (path.parent.is_dir() and any(path.parent.glob(path.name))):
        what = "a folder" if path.is_dir() else "a pattern"
        parts = ', or write them as Parquet, of which source = "parquet" reads all parts'
        return (
            f'path: source "{source}" is read from one file. Received {what}: {path}. Join its '
            f"files{parts * (source in TABLE_SOURCES)}."
        )
    return f"path: no such file: {path}."


def _path_hint(source: str) -> str:
    """Return the keys to give for a path, with a blank before; nothing for another text."""
    ending = Path(source).suffix.removeprefix(".")
    kind = ending if ending in FILE_SOURCES else "csv"
    return f' Give source = "{kind}" and path = "{source}".' if ending else ""


def _check_name(source: str, prefix: str, names: tuple[str, ...]) -> None:
    """Raise InputError if the source begins with the prefix and no data set's name follows."""
    name = source.removeprefix(prefix)
    if source != name and name not in names:
        raise InputError(one_of(f"source: the data set after {prefix}", name, names))


def _sklearn(name: str) -> tuple[Array, Array]:
    from sklearn import datasets

    pair: tuple[Array, Array] = getattr(datasets, f"load_{name}")(return_X_y=True)
    return pair


def _digits() -> tuple[Array, Array]:
    x, y = read_digits()
    return x / 16.0, y


def _keras(name: str) -> tuple[Array, Array]:
    import keras

    try:
        (x, y), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    except Exception as error:
        raise InputError(
            f'source "keras:{name}" could not be downloaded ({error}). Connect to the internet '
            "once (Keras keeps the file), or give the data as a .npz file."
        ) from None
    x, y = np.concatenate([x, x_test]), np.concatenate([y, y_test])
    return x / np.float32(255), y.reshape(-1)


def is_function(source: str) -> bool:
    """Return True if a source is a function of the user's."""
    return ":" in source and not source.startswith(("sklearn:", "keras:"))


def returned_by(source: str) -> tuple[Any, ...]:
    """Return what a function of the user's returns as data.

    Raises:
        InputError: It can't be called, or returns something else.
    """
    function: Callable[[], Any] = load_function(source, "source")
    try:
        with exit_as_error():
            result = function()
    except Exception as error:
        raise InputError(f"{source} failed: {error_text(error)}") from error
    if not isinstance(result, tuple) or len(result) not in (2, 3):
        raise InputError(
            f"{source} must return (x, y) or (x, y, sample_weight), or datasets, (train, dev) or "
            f"(train, dev, test). Received: {type(result).__name__}."
        )
    return result
