"""The file of a saved model, with its trial and a hash to find damage."""

import hashlib
import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tfcourse.files import check_is_file

__all__ = ["add_classes", "sign_model", "trial_of_model"]

# The comment of the archive: ``trial 7 sha256 HASH``, the hash of all bytes of the file before it.
_HASH, _DIGITS = b" sha256 ", 64
_BLOCK = 2**20


def add_classes(path: Path, classes: Sequence[str | int]) -> None:
    """Write the names of the classes, in the order of the outputs, into the file of a model.

    They are its entry ``classes.json``; Keras passes over it.
    """
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("classes.json", json.dumps(classes, ensure_ascii=False))


def sign_model(path: Path, trial: int) -> None:
    """Write the trial of a saved model into its file, and the hash of the rest of the file."""
    with zipfile.ZipFile(path, "a") as file:
        file.comment = f"trial {trial}".encode() + _HASH + b"0" * _DIGITS
    with path.open("r+b") as file:
        digest = _hash_before_the_end(path)
        file.seek(-_DIGITS, os.SEEK_END)
        file.write(digest)


def trial_of_model(path: Path) -> int | None:
    """Return the trial of a saved model; None if there is no model, or it is damaged."""
    try:
        check_is_file(path)
        with zipfile.ZipFile(path) as file:
            trial, has_hash, digest = file.comment.partition(_HASH)
            # Earlier versions wrote no hash; the archive's own checksums cover most of it.
            if not has_hash and file.testzip() is not None:
                return None
        if has_hash and digest != _hash_before_the_end(path):
            return None
        return int(trial.removeprefix(b"trial "))
    except Exception:  # a damaged archive can raise any of many errors
        return None


def _hash_before_the_end(path: Path) -> bytes:
    remaining = path.stat().st_size - _DIGITS
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while remaining > 0 and (block := file.read(min(remaining, _BLOCK))):
            digest.update(block)
            remaining -= len(block)
    return digest.hexdigest().encode()
