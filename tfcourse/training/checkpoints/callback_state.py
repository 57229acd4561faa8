"""The state of callbacks: the attributes that a training has changed.

Keras gives callbacks no way to save their state; they keep it in plain attributes, which most
reset in ``on_train_begin``. So an attribute belongs to the state if it holds numbers, texts,
arrays or collections of them, and differs from what it was after ``on_train_begin``. Arguments
such as a patience stay those of the callback that is passed.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from tfcourse.errors import InputError, warn
from tfcourse.internals.data import process_attributes
from tfcourse.training.checkpoints.record import NotStorableError, encode
from tfcourse.types import Array, Callback, CallbackList

__all__ = ["CallbackStates"]

State = dict[str, Any]
# The length of a CSVLogger's file; the attribute of this name is the file, never a state.
LENGTH = "csv_file"


class CallbackStates:
    """The states of a training's callbacks, by class name and number: ``EarlyStopping 2``.

    The progress bar has none.

    Args:
        callbacks: A ``CallbackList``.
    """

    def __init__(self, callbacks: CallbackList) -> None:
        self.all = callbacks
        self.named: dict[str, Any] = {}
        for callback in callbacks.callbacks:
            name, number = type(callback).__name__, 1
            while (key := f"{name} {number}" if number > 1 else name) in self.named:
                number += 1
            if not isinstance(callback, keras.callbacks.ProgbarLogger):
                self.named[key] = callback
        self.fresh: dict[str, dict[str, str]] = {}
        self.changed: dict[str, set[str]] = {}

    def begin(self, saved: Mapping[str, State] | None) -> None:
        """Call ``on_train_begin``, after which the states ``saved`` can be restored."""
        with self._continued_files(saved or {}):
            self.all.on_train_begin()
        for key, callback in self.named.items():
            values = _attributes(callback).items()
            self.fresh[key] = {name: _digest(value) for name, value in values if _storable(value)}
            # State remains state, even where its value is the initial one again.
            self.changed[key] = set((saved or {}).get(key, {}))

    def restore(self, saved: Mapping[str, State]) -> None:
        """Set the attributes; lists and dicts keep their identity, so others see the change."""
        for key in self.named.keys() & saved.keys():
            attributes = vars(self.named[key])
            for name, value in saved[key].items():
                current = attributes.get(name)
                if name == LENGTH:
                    continue
                if isinstance(current, list) and isinstance(value, list):
                    current[:] = value
                elif isinstance(current, dict) and isinstance(value, dict):
                    current.clear()
                    current.update(value)
                else:
                    attributes[name] = value

    def take(self) -> dict[str, State]:
        """Return the current states, not copied.

        Raises:
            InputError: The history can't be stored.
        """
        return {key: self._state(key, callback) for key, callback in self.named.items()}

    def _state(self, key: str, callback: Callback) -> State:
        state: State = {}
        fresh, changed = self.fresh[key], self.changed[key]
        for name, value in _attributes(callback).items():
            if not _storable(value):
                if isinstance(callback, keras.callbacks.History):
                    raise InputError(
                        f"The history holds what a checkpoint can't: {_refusal(value)}. Leave out "
                        "checkpoint_dir, or let no callback put it into the logs."
                    )
                continue
            if name not in changed and _digest(value) != fresh.get(name):
                changed.add(name)
            if name in changed:
                state[name] = value
        if isinstance(callback, keras.callbacks.CSVLogger):
            state[LENGTH] = _length(callback.filename)
        return state

    @contextmanager
    def _continued_files(self, saved: Mapping[str, State]) -> Iterator[None]:
        """Cut the files of CSVLoggers to their saved length, and have them append to them."""
        overwrite = []
        for key, callback in self.named.items():
            length = saved.get(key, {}).get(LENGTH)
            if length is None:
                continue
            now = _length(callback.filename) or 0
            if now < length:
                warn(
                    f"{callback.filename} has {now} bytes, and had {length} at the checkpoint: "
                    "CSVLogger continues without the missing epochs.",
                )
            elif now > length:
                os.truncate(callback.filename, length)
            if not callback.append:
                overwrite.append(callback)
                callback.append = True
        try:
            yield
        finally:
            for callback in overwrite:
                callback.append = False


def _attributes(callback: Callback) -> State:
    """Return the attributes that may be state."""
    other = {"params", "model", *process_attributes(callback)}
    if hasattr(callback, "monitor_op"):
        # Keras changes the sign of min_delta when it sets monitor_op, which can't be stored.
        other |= {"min_delta"}
    return {name: value for name, value in vars(callback).items() if name not in other}


def _refusal(value: object) -> str:
    """Return the reason for which a value can't be stored, or an empty text."""
    try:
        encode(value, [])
    except (NotStorableError, RecursionError) as error:
        return str(error)
    return ""


def _storable(value: object) -> bool:
    return not _refusal(value)


def _digest(value: object) -> str:
    arrays: list[Array] = []
    digest = hashlib.blake2b(json.dumps(encode(value, arrays)).encode())
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _length(filename: str) -> int | None:
    try:
        return Path(filename).stat().st_size
    except OSError:
        return None
