"""Examples in a file of arrays that ``numpy.savez`` writes."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tfcourse.data.nested import Arrays, count_of
from tfcourse.errors import InputError, message_line, one_of, shortened
from tfcourse.types import Array

__all__ = ["read_npz", "read_rows"]

LONGEST_REASON = 300  # zipfile's may quote the whole file


def read_npz(path: Path, apart: Mapping[str, str]) -> tuple[Arrays, Arrays, dict[str, Array]]:
    """Return the arrays x and y of a file, and those in ``apart`` by name.

    Arrays ``x.NAME`` are those of several inputs, and ``y.NAME`` of several outputs, in a dict.

    Args:
        path: The file.
        apart: Arrays of one value for each example, which belong neither to x nor to y, by the
            setting that names each.

    Raises:
        InputError: It is not a whole file of numbers, or lacks an array.
    """
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path} is not a whole .npz file; numpy.savez(path, x=x, y=y) makes one.")
    try:
        # Opened here: numpy leaves a file open that is no whole archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            x, y = (_side(arrays, side, path) for side in "xy")
            others = [name for name in arrays if name[:2] not in ("x", "y", "x.", "y.")]
            for key, name in apart.items():
                if name not in others:
                    what = f"{key}: the array of {path} beside x and y"
                    raise InputError(one_of(what, name, others))
            count, names = count_of(y), apart.values()
            return x, y, {name: _for_each(arrays[name], name, count, path) for name in names}
    # RuntimeError: a damaged archive may seem to be encrypted, or of a later version.
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        reason = shortened(message_line(error), LONGEST_REASON)
        raise InputError(f"{path} is not a readable .npz file of numbers: {reason}") from None


def read_rows(path: Path, names: Mapping[str, str]) -> dict[str, Array]:
    """Return arrays of a file by their titles for messages.

    Args:
        path: The file, which `read_npz` has read.
        names: The name of the array of each set.

    Raises:
        InputError: It lacks one, or that holds objects.
    """
    rows = {}
    with np.load(path, allow_pickle=False) as arrays:
        for of_set, name in names.items():
            title = f'split_rows: the array "{name}" of the {of_set} set'
            if name not in arrays:
                raise InputError(one_of(f"split_rows: the array of {path}", name, arrays))
            try:
                rows[title] = arrays[name]
            except ValueError:  # an array of objects
                raise InputError(f"{title} must hold whole numbers, or a mask.") from None
    return rows


def _side(arrays: Mapping[str, Array], side: str, path: Path) -> Arrays:
    """Return the array of x or y, or a dict of those whose names begin with it and a dot."""
    of_names = [name for name in arrays if name.startswith(f"{side}.")]
    if of_names and side in arrays:
        raise InputError(
            f"{path} must hold {side}, or {side}.NAME for each of several. Received: {side} and "
            f"{of_names[0]}."
        )
    # The examples are counted by y; a single x is checked with it.
    for name in [*of_names, *(["y"] if side == "y" and "y" in arrays else [])]:
        if not arrays[name].ndim:
            raise InputError(f"{path}: {name} must have the shape (examples, ...). Received: ().")
    if of_names:
        return {name.removeprefix(f"{side}."): arrays[name] for name in of_names}
    if side not in arrays:
        several = [name for name in arrays if name.startswith(("x_", "y_"))]
        hint = f" Write {several[0]} as {several[0].replace('_', '.', 1)}." if several else ""
        raise InputError(
            f"{path} must hold the arrays x and y. Received: {', '.join(arrays)}.{hint}"
        )
    return arrays[side]


def _for_each(array: Array, name: str, count: int, path: Path) -> Array:
    """Return an array of one value for each example; raise InputError for another."""
    if array.shape != (count,):
        raise InputError(
            f'{path}: the array "{name}" must have one value for each example, shape ({count},). '
            f"Received: {array.shape}."
        )
    return array
