"""The file of a checkpoint: the state of a training, and how it is written and read.

It is a NumPy archive (``.npz``, no pickle) of ``header``, a JSON text as bytes, and of ``array_0``,
``array_1``, ..., to which the header refers. Every member has a CRC-32. The archive's comment is a
hash of these, so that a file which was changed since, and not only damaged, is found too.
"""

import hashlib
import io
import json
import zipfile
from collections import deque
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import tensorflow as tf

from tfcourse.files import check_is_file
from tfcourse.types import Array, Logs, Nested

__all__ = ["NotStorableError", "Record", "encode", "place_of", "read_record", "write_record"]

FORMAT = "tfcourse checkpoint 2"
# Its files have no comment.
EARLIER_FORMAT = "tfcourse checkpoint 1"
SEQUENCES: dict[str, Any] = {"list": list, "tuple": tuple, "set": set, "deque": deque}


@dataclass(frozen=True)
class Record:
    """The state of a training between two of its steps.

    Attributes:
        epoch: The epoch to continue with, from 0.
        step: The number of its steps that are done.
        stopped: Whether a callback has stopped the training.
        seed: The seed of the shuffling; None for data that has none.
        fingerprint: Of the model and the data, see `tfcourse.training.checkpoints.fingerprint`.
        logs: Of the last epoch.
        callbacks: The callbacks' attributes by the callbacks' names.
        guard: The copies of the state for a rollback, if the training makes them.
        variables: The values of the model's variables.
    """

    epoch: int
    step: int
    stopped: bool
    seed: int | None
    fingerprint: dict[str, str]
    logs: Logs | None
    callbacks: dict[str, dict[str, Any]]
    guard: dict[str, Any] | None
    variables: list[Array]


class NotStorableError(TypeError):
    """A value that is not a number, a text, an array or a collection of them."""


def encode(value: Nested, arrays: list[Array]) -> Nested:
    """Return a value as JSON with references to its arrays, which are added to ``arrays``.

    Raises:
        NotStorableError: It, or a part of it, is not a number, text, array or collection.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, tf.Tensor) and hasattr(value, "numpy"):
        value = value.numpy()
    if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
        encoded: dict[str, Any] = {
            "array" if isinstance(value, np.ndarray) else "number": len(arrays)
        }
        if hasattr(ml_dtypes, value.dtype.name):
            # NumPy's files don't know TensorFlow's types, such as bfloat16: their bytes are kept.
            encoded |= {"dtype": value.dtype.name, "shape": list(value.shape)}
            value = np.ascontiguousarray(value).reshape(-1).view("uint8")
        arrays.append(np.asarray(value))
        return encoded
    if isinstance(value, dict):
        return {"dict": [[encode(k, arrays), encode(v, arrays)] for k, v in value.items()]}
    for name, kind in SEQUENCES.items():
        if type(value) is kind:
            return {name: [encode(item, arrays) for item in value]}
    raise NotStorableError(f"a checkpoint can't hold a {type(value).__name__}")


def _decode(value: object, arrays: list[Array]) -> Nested:
    if not isinstance(value, dict):
        return value
    kind, content = next(iter(value.items()))
    if kind in ("array", "number"):
        array = arrays[content]
        if "dtype" in value:
            array = array.view(getattr(ml_dtypes, value["dtype"])).reshape(value["shape"])
        return array if kind == "array" else array[()]
    if kind == "dict":
        return {_decode(k, arrays): _decode(v, arrays) for k, v in content}
    return SEQUENCES[kind](_decode(item, arrays) for item in content)


def write_record(path: Path, record: Record) -> None:
    """Write the file of a checkpoint."""
    arrays: list[Array] = []
    content = {f.name: getattr(record, f.name) for f in fields(record)}
    header = {"format": FORMAT, "record": encode(content, arrays)}
    text = np.frombuffer(json.dumps(header).encode(), "uint8")
    named = {f"array_{number}": array for number, array in enumerate(arrays)}
    np.savez(path, allow_pickle=False, header=text, **named)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = _hash_of(archive)


def read_record(path: Path) -> Record:
    """Return the record of a checkpoint's file.

    Raises:
        Exception: The file is damaged, or can't be read: any of many errors.
    """
    check_is_file(path)
    with zipfile.ZipFile(path) as archive:
        header = _header(archive)
        # Each member is read as a whole, and so its CRC compared, before anything is made of it.
        members = {name: archive.read(name) for name in archive.namelist()}
    arrays = [_array(members[f"array_{number}.npy"]) for number in range(len(members) - 1)]
    return Record(**_decode(header["record"], arrays))


def place_of(path: Path) -> tuple[int, int]:
    """Return the epoch and the step of a checkpoint, without reading its arrays.

    Raises:
        Exception: The file is damaged, or can't be read: any of many errors.
    """
    check_is_file(path)
    with zipfile.ZipFile(path) as archive:
        record = dict(_header(archive)["record"]["dict"])
    return int(record["epoch"]), int(record["step"])


def _header(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Return the header of an archive, whose members must be those that were written with it."""
    header: dict[str, Any] = json.loads(_array(archive.read("header.npy")).tobytes())
    found = header["format"]
    if found not in (FORMAT, EARLIER_FORMAT):
        raise ValueError(f'its format is "{found}", not "{FORMAT}"')
    if found == FORMAT and archive.comment != _hash_of(archive):
        raise ValueError("it was changed after it was written")
    return header


def _array(member: bytes) -> Array:
    return np.lib.format.read_array(io.BytesIO(member), allow_pickle=False)


def _hash_of(archive: zipfile.ZipFile) -> bytes:
    """Return a hash of the names, the sizes and the CRC-32 of all members."""
    members = [(member.filename, member.file_size, member.CRC) for member in archive.infolist()]
    return hashlib.sha256(json.dumps(members).encode()).hexdigest().encode()
