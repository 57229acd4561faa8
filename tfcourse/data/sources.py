"""The sources of a search's examples: scikit-learn's digits, arrays in a file, keras.datasets.

Everything is checked here, before any training: shapes, NaN, labels.
"""

import importlib.util
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tfcourse.data.csv_file import read_csv
from tfcourse.data.frames import as_array
from tfcourse.data.precision import check_whole_numbers, coarse_columns
from tfcourse.data.splits import Part
from tfcourse.errors import InputError, error_text, one_of
from tfcourse.imports import exit_as_error, load_function
from tfcourse.types import Array, TensorLike

__all__ = ["KERAS_DATASETS", "SKLEARN_DATASETS", "check_examples", "check_source", "load"]

KERAS_DATASETS = ("mnist", "fashion_mnist", "cifar10", "cifar100")
# Those that are part of scikit-learn, and need no download.
SKLEARN_DATASETS = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine")


def load(
    source: str, path: Path | None = None, label: str | None = None, numbers: bool = False
) -> tuple[Part, int]:
    """Return the examples of a source, and the number of their classes.

    Args:
        source: ``"digits"`` (1797 handwritten digits of 8×8, flat, in [0, 1]), ``"npz"`` (arrays
            x and y), ``"csv"`` (a header, numbers, one label column), ``"sklearn:NAME"`` (a data
            set of scikit-learn's, as its ``load_NAME`` returns it), ``"keras:NAME"`` (one that
            Keras downloads) or ``"package.module:function"`` (gives x and y).
        path: The file of ``"npz"`` and ``"csv"``.
        label: The label column of ``"csv"``; None is the last one.
        numbers: Whether y is no class but numbers to predict, (examples,) or (examples, outputs):
            it becomes one row for each example, and the second result is the rows' length.

    Raises:
        InputError: The source, its file or its contents are not usable.
    """
    check_source(source, path)
    if source == "digits":
        x, y = _digits()
    elif source == "npz":
        x, y = _npz(path or Path())
    elif source == "csv":
        x, y = read_csv(path or Path(), label)
    elif source.startswith("sklearn:"):
        x, y = _sklearn(source.removeprefix("sklearn:"))
    elif source.startswith("keras:"):
        x, y = _keras(source.removeprefix("keras:"))
    else:
        x, y = _function(source)
    return check_examples(x, y, str(path) if path else source, numbers)


def check_source(source: str, path: Path | None) -> None:
    """Check a source as far as is possible without reading the data.

    Raises:
        InputError: The source is unknown, or its package, file or function is missing.
    """
    if source in ("npz", "csv"):
        if path is None:
            raise InputError(f'source "{source}" needs the key path, the file to read.')
        if not path.is_file():
            raise InputError(f"path: no such file: {path}.")
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
    elif source == "arrays":
        raise InputError(
            'source "arrays" stands for arrays in Python, which no file holds: '
            "tfcourse.Search(data=(x, y), ...)."
        )
    else:
        choices = ("digits", "npz", "csv", "sklearn:NAME", "keras:NAME", "package.module:function")
        raise InputError(one_of("source", source, choices))


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
    from sklearn.datasets import load_digits  # half a second, and an extra

    x, y = load_digits(return_X_y=True)
    return x / 16.0, y


def _npz(path: Path) -> tuple[Array, Array]:
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path} is not a whole .npz file; numpy.savez(path, x=x, y=y) makes one.")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            missing = [name for name in ("x", "y") if name not in arrays]
            if missing:
                raise InputError(
                    f"{path} must hold the arrays x and y. Received: {', '.join(arrays)}."
                )
            return arrays["x"], arrays["y"]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is not a readable .npz file of numbers: {error}") from None


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


def _function(source: str) -> tuple[Array, Array]:
    function: Callable[[], Any] = load_function(source, "source")
    try:
        with exit_as_error():
            result = function()
    except Exception as error:
        raise InputError(f"{source} failed: {error_text(error)}") from error
    if not isinstance(result, tuple) or len(result) != 2:
        raise InputError(f"{source} must return (x, y). Received: {type(result).__name__}.")
    return result


def check_examples(
    x: TensorLike, y: TensorLike, origin: str, numbers: bool = False
) -> tuple[Part, int]:
    """Return x and y as examples, and the number of classes (or with ``numbers`` of outputs).

    They become float32, or float64 if float32 would round a column by 1e-5 of its range.

    Raises:
        InputError: Their shapes, types or values are not usable; ``origin`` names them.
    """
    x, y = as_array(x, f"{origin}: x"), as_array(y, f"{origin}: y")
    # bool is no number to NumPy.
    x, y = (array.astype(np.int8) if array.dtype == bool else array for array in (x, y))
    if not numbers and y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if x.ndim < 2 or y.ndim not in (1, 1 + numbers) or len(x) != len(y) or not x.size * y.size:
        wanted = "(examples,) or (examples, outputs)" if numbers else "(examples,)"
        raise InputError(
            f"{origin}: x must have the shape (examples, ...) and y {wanted}, with at least one "
            f"example, and a number in each. Received: x of shape {x.shape}, y of shape {y.shape}."
            + (" Of rows with a 1 for the class, give y.argmax(axis=1)." * (y.ndim == 2))
        )
    if x.dtype.kind not in "iuf" or y.dtype.kind not in "iuf":
        remedy = " Number the classes: np.unique(y, return_inverse=True)[1]."
        raise InputError(
            f"{origin}: x and y must be numbers. Received: {x.dtype}, {y.dtype}."
            + remedy * (y.dtype.kind in "OUST")
        )
    for name, array in (("x", x), ("y", y)):
        _check_large(array, name, origin)
    examples = _floats(x, "x", origin)
    if numbers:
        rows = _floats(y.reshape(len(y), -1), "y", origin)
        return Part(examples, rows), rows.shape[1]
    labels = np.unique(y)
    classes = int(labels[-1]) + 1 if np.isfinite(labels[-1]) else 0
    if not np.array_equal(labels, np.arange(classes)) or classes < 2:
        first = ", ".join(f"{v:g}" for v in labels[:8]) + (", …" if len(labels) > 8 else "")
        raise InputError(
            f"{origin}: the labels y must be 0, 1, … C-1, each of at least 2 classes present. "
            f"Received: {first}."
        )
    return Part(examples, y.astype(np.int64)), classes


def _check_large(array: Array, name: str, origin: str) -> None:
    """Raise InputError if float64 merges some whole numbers of an array."""
    if array.dtype.kind in "iu":
        columns = array.reshape(-1, array.shape[-1] if array.ndim > 1 else 1).T
        titles = [f"column {n} of {name}" for n in range(len(columns))]
        check_whole_numbers(columns, origin, titles)


def _floats(array: Array, name: str, origin: str) -> Array:
    """Return the array as floats; raise InputError if a value of it is not finite in float32."""
    with np.errstate(over="ignore"):
        single = array.astype(np.float32)
    bad = np.argwhere(~np.isfinite(single))
    if len(bad):
        where = tuple(int(i) for i in bad[0])
        raise InputError(
            f"{origin}: {name} holds {len(bad)} values that are not finite, the first at {where}: "
            f"{array[where]}. Remove or fill them."
        )
    return array.astype(np.float64) if coarse_columns(array) else single
