"""Where a search's examples come from: scikit-learn's digits, arrays in a file, keras.datasets.

Everything is checked here, before any training: shapes, NaN, labels. NumPy is imported by what
reads data, so that the check of a config is quick.
"""

import importlib.util
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tfcourse.data.csv_file import read_csv
from tfcourse.data.frames import as_array
from tfcourse.data.precision import check_whole_numbers, coarse_columns
from tfcourse.data.splits import Part
from tfcourse.errors import InputError, error_text, one_of
from tfcourse.imports import exit_as_error, load_function
from tfcourse.types import Array, TensorLike

__all__ = ["KERAS_DATASETS", "check_source", "checked", "load"]

KERAS_DATASETS = ("mnist", "fashion_mnist", "cifar10", "cifar100")


def load(
    source: str, path: Path | None = None, label: str | None = None, numbers: bool = False
) -> tuple[Part, int]:
    """The examples of a source, and how many classes they have.

    Args:
        source: ``"digits"`` (1797 handwritten digits of 8×8, flat, in [0, 1]), ``"npz"`` (arrays
            x and y), ``"csv"`` (a header, numbers, one label column), ``"keras:NAME"`` (a data
            set that Keras downloads) or ``"package.module:function"`` (gives x and y).
        path: The file of ``"npz"`` and ``"csv"``.
        label: The label column of ``"csv"``; None is the last one.
        numbers: Whether y is no class but numbers to predict, (examples,) or (examples, outputs):
            it becomes a row an example, and the second result their length.

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
    elif source.startswith("keras:"):
        x, y = _keras(source.removeprefix("keras:"))
    else:
        x, y = _function(source)
    return checked(x, y, str(path) if path else source, numbers)


def check_source(source: str, path: Path | None) -> None:
    """Finds what can be found without reading the data.

    Raises:
        InputError: An unknown source, a missing package, file or function.
    """
    if source in ("npz", "csv"):
        if path is None:
            raise InputError(f'source "{source}" needs the key path, the file to read.')
        if not path.is_file():
            raise InputError(f"path: no such file: {path}.")
    elif source == "digits":
        if importlib.util.find_spec("sklearn") is None:
            raise InputError(
                'source "digits" needs scikit-learn. Install it: pip install scikit-learn.'
            )
    elif source.startswith("keras:"):
        name = source.removeprefix("keras:")
        if name not in KERAS_DATASETS:
            raise InputError(one_of("source: the data set after keras:", name, KERAS_DATASETS))
    elif ":" in source:
        load_function(source, "source")
    elif source == "arrays":
        raise InputError(
            'source "arrays" stands for data given in Python, which no file holds: '
            "tfcourse.Search(data=(x, y), ...)."
        )
    else:
        known = ("digits", "npz", "csv", "keras:NAME", "package.module:function")
        raise InputError(one_of("source", source, known))


def _digits() -> tuple[Any, Any]:
    from sklearn.datasets import load_digits  # half a second, and an extra

    x, y = load_digits(return_X_y=True)
    return x / 16.0, y


def _npz(path: Path) -> tuple[Any, Any]:
    import numpy as np

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


def _keras(name: str) -> tuple[Any, Any]:
    import keras
    import numpy as np

    try:
        (x, y), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    except Exception as error:
        raise InputError(
            f'source "keras:{name}" could not be downloaded ({error}). Connect to the internet '
            "once (Keras keeps the file), or give the data as a .npz file."
        ) from None
    x, y = np.concatenate([x, x_test]), np.concatenate([y, y_test])
    return x / np.float32(255), y.reshape(-1)


def _function(source: str) -> tuple[Any, Any]:
    function: Callable[[], Any] = load_function(source, "source")
    try:
        with exit_as_error():
            given = function()
    except Exception as error:
        raise InputError(f"{source} failed: {error_text(error)}") from error
    if not isinstance(given, tuple) or len(given) != 2:
        raise InputError(f"{source} must return (x, y). Received: {type(given).__name__}.")
    return given


def checked(x: TensorLike, y: TensorLike, origin: str, numbers: bool = False) -> tuple[Part, int]:
    """x and y as examples, and how many classes (or with ``numbers`` outputs) they have.

    They become float32; but float64 if float32 would round a column by a part of its range.

    Raises:
        InputError: Their shapes, types or values are not usable; ``origin`` names them.
    """
    import numpy as np

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
        way = " Number the classes: np.unique(y, return_inverse=True)[1]."
        raise InputError(
            f"{origin}: x and y must be numbers. Received: {x.dtype}, {y.dtype}."
            + way * (y.dtype.kind in "OUST")
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
        shown = ", ".join(f"{v:g}" for v in labels[:8]) + (", …" if len(labels) > 8 else "")
        raise InputError(
            f"{origin}: the labels y must be 0, 1, … C-1, each of at least 2 classes present. "
            f"Received: {shown}."
        )
    return Part(examples, y.astype(np.int64)), classes


def _check_large(array: TensorLike, name: str, origin: str) -> None:
    """Refuse whole numbers of which float64 merges some."""
    if array.dtype.kind in "iu":
        columns = array.reshape(-1, array.shape[-1] if array.ndim > 1 else 1).T
        titles = [f"column {n} of {name}" for n in range(len(columns))]
        check_whole_numbers(columns, origin, titles)


def _floats(array: Array, name: str, origin: str) -> Any:
    """The array as floats, see `checked`; an error if a value of it is not finite in float32."""
    import numpy as np

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
