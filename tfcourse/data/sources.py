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
from tfcourse.data.examples import check_examples
from tfcourse.data.splits import Part
from tfcourse.errors import InputError, error_text, one_of
from tfcourse.imports import exit_as_error, load_function
from tfcourse.types import Array

__all__ = ["KERAS_DATASETS", "SKLEARN_DATASETS", "check_source", "load"]

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
