"""scikit-learn's handwritten digits, without the import of scikit-learn."""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from tfcourse.types import Array

__all__ = ["digits_file", "read_digits"]


def read_digits() -> tuple[Array, Array]:
    """Return what ``sklearn.datasets.load_digits(return_X_y=True)`` returns.

    The import takes half a second or more, the file 20 ms.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    file = digits_file()
    if file is None:
        from sklearn.datasets import load_digits

        pair: tuple[Array, Array] = load_digits(return_X_y=True)
        return pair
    with gzip.open(file, "rt", encoding="ascii") as text:
        columns = np.loadtxt(text, delimiter=",")
    return columns[:, :-1], columns[:, -1].astype(int)


def digits_file() -> Path | None:
    """Return the file of the installed scikit-learn; None if that keeps it elsewhere."""
    package = find_spec("sklearn")
    for folder in (package and package.submodule_search_locations) or ():
        file = Path(folder, "datasets", "data", "digits.csv.gz")
        if file.is_file():
            return file
    return None
