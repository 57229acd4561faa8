"""A folder of checkpoints: each one file that is whole or absent, and checked for damage.

A file is a NumPy archive (``.npz``, no pickle) of ``header``, a JSON text as bytes, and of
``array_0``, ``array_1``, ..., to which the header refers. Every member has a CRC-32.
"""

import io
import json
import re
import zipfile
from collections import deque
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import tensorflow as tf

from tfcourse.errors import error_text, warn
from tfcourse.files import remove_abandoned, replace_atomically
from tfcourse.training.checkpoints.errors import CheckpointError, UnusableCheckpointError
from tfcourse.types import Array, Logs, Nested

__all__ = ["CheckpointFolder", "NotStorableError", "Record", "encode"]

FORMAT = "tfcourse checkpoint 1"
NAME = re.compile(r"checkpoint-(\d+)\.npz")
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


class CheckpointFolder:
    """A folder that keeps the newest few records, and returns the newest that can be read.

    Args:
        path: The folder, which exists.
        keep: The number of checkpoints to keep.
    """

    def __init__(self, path: Path, keep: int) -> None:
        self.path, self.keep = path, keep
        self.unreadable: dict[Path, str] = {}

    def files(self) -> list[Path]:
        """Return the checkpoints, the oldest first; none if the folder does not exist.

        Raises:
            CheckpointError: It can't be read.
        """
        try:
            numbered = {p: match for p in self.path.iterdir() if (match := NAME.fullmatch(p.name))}
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CheckpointError(f"{self.path} can't be read ({error}).") from error
        return sorted(numbered, key=lambda p: int(numbered[p][1]))

    def newest(self) -> tuple[Path, Record] | None:
        """Return the newest readable checkpoint, with a warning if newer ones can't be read.

        Raises:
            UnusableCheckpointError: There are checkpoints, and none can be read.
            CheckpointError: The folder can't be read.
        """
        for path in reversed(files := self.files()):
            try:
                record = _read(path)
            except Exception as error:  # a damaged archive raises any of many
                self.unreadable[path] = error_text(error)
                continue
            if self.unreadable:
                warn(
                    f"{self._damage()} Continuing from the checkpoint before, {path}.",
                )
            return path, record
        if files:
            raise UnusableCheckpointError(
                f"{self._damage()} No other checkpoint is left. Delete {self.path} to start again."
            )
        return None

    def epochs(self) -> dict[int, Path]:
        """Return the readable checkpoints by the number of epochs that are done in them.

        One in the middle of an epoch is left out.

        Raises:
            CheckpointError: The folder can't be read.
        """
        by_epoch = {}
        for path in self.files():
            try:
                epoch, step = _place(path)
            except Exception:  # a damaged archive raises any of many
                continue
            if step == 0:
                by_epoch[epoch] = path
        return by_epoch

    def save(self, record: Record) -> Path:
        """Write a checkpoint, then delete those beyond the number to keep.

        Raises:
            CheckpointError: It can't be written; the earlier ones are intact.
        """
        files = self.files()
        number = int(NAME.fullmatch(files[-1].name)[1]) + 1 if files else 0  # type: ignore[index]
        path = self.path / f"checkpoint-{number:06d}.npz"
        good = [file for file in files if file not in self.unreadable]
        try:
            self._write(path, record)
            for file in [*self.unreadable, *good[: max(0, len(good) + 1 - self.keep)]]:
                file.unlink(missing_ok=True)
        except OSError as error:
            earlier = f"{good[-1].name} is intact" if good else "There is no earlier one"
            then = "the same call continues from it" if good else "call again"
            raise CheckpointError(
                f"Training stopped: the checkpoint {path} can't be written "
                f"({error.strerror or error}). {earlier}: fix that (is the disk full?), and {then}."
            ) from error
        self.unreadable.clear()
        return path

    def _write(self, path: Path, record: Record) -> None:
        """Write a file, a second time if another process deleted it or the folder meanwhile."""
        try:
            replace_atomically(path, lambda temporary: _write(temporary, record))
        except FileNotFoundError:
            self.path.mkdir(parents=True, exist_ok=True)
            replace_atomically(path, lambda temporary: _write(temporary, record))

    def clear(self) -> None:
        """Delete all checkpoints.

        Raises:
            CheckpointError: They can't be deleted.
        """
        for path in self.files():
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise CheckpointError(f"{path} can't be deleted ({error}).") from error

    def tidy(self) -> None:
        """Delete unfinished files of writers that were killed; a running one writes again."""
        remove_abandoned(self.path)

    def _damage(self) -> str:
        return " ".join(f"{path} can't be read ({why})." for path, why in self.unreadable.items())


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


def _write(path: Path, record: Record) -> None:
    arrays: list[Array] = []
    content = {f.name: getattr(record, f.name) for f in fields(record)}
    header = {"format": FORMAT, "record": encode(content, arrays)}
    text = np.frombuffer(json.dumps(header).encode(), "uint8")
    named = {f"array_{number}": array for number, array in enumerate(arrays)}
    np.savez(path, allow_pickle=False, header=text, **named)


def _place(path: Path) -> tuple[int, int]:
    """Return the epoch and the step of a checkpoint, without reading its arrays."""
    with np.load(path, allow_pickle=False) as archive:
        record = dict(json.loads(archive["header"].tobytes())["record"]["dict"])
    return int(record["epoch"]), int(record["step"])


def _read(path: Path) -> Record:
    with zipfile.ZipFile(path) as archive:
        # Each member is read as a whole, and so its CRC compared, before anything is made of it.
        members = {name: archive.read(name) for name in archive.namelist()}

    def array(name: str) -> Array:
        return np.lib.format.read_array(io.BytesIO(members[f"{name}.npy"]), allow_pickle=False)

    header = json.loads(array("header").tobytes())
    if header["format"] != FORMAT:
        raise ValueError(f'its format is "{header["format"]}", not "{FORMAT}"')
    arrays = [array(f"array_{number}") for number in range(len(members) - 1)]
    return Record(**_decode(header["record"], arrays))
