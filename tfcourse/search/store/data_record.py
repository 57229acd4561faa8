"""Which data a search ran on: ``data.json`` in its run directory."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfcourse.data.splits import Split
from tfcourse.errors import InputError
from tfcourse.files import write_atomically

__all__ = ["check_same_data", "data_record", "read_data_record", "write_data_record"]

_NAME = "data.json"


def data_record(split: Split) -> dict[str, Any]:
    """The shapes and types of train, dev and test, and a hash of all that is in them."""
    import numpy as np

    digest = hashlib.sha256()
    record: dict[str, Any] = {}
    for name in ("train", "dev", "test"):
        part = getattr(split, name)
        for side in ("x", "y"):
            array = np.ascontiguousarray(getattr(part, side))
            record[f"{name}_{side}"] = {"shape": list(array.shape), "dtype": str(array.dtype)}
            digest.update(f"{name} {side} {array.shape} {array.dtype} ".encode())
            digest.update(array.data)
    return {**record, "sha256": digest.hexdigest()}


def write_data_record(directory: Path, record: dict[str, Any]) -> None:
    """Writes ``data.json`` into a run directory."""
    write_atomically(directory / _NAME, json.dumps(record, indent=2) + "\n")


def read_data_record(directory: Path) -> dict[str, Any] | None:
    """What is there; None if there is nothing that can be read."""
    try:
        raw = json.loads((directory / _NAME).read_text(encoding="utf-8"))
        parts = [part for name, part in raw.items() if name != "sha256"]
        whole = isinstance(raw["sha256"], str) and len(raw["sha256"]) == 64
        whole = whole and all(isinstance(p["shape"], list) and p["dtype"] for p in parts)
        return dict(raw) if whole else None
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


def check_same_data(directory: Path, record: Mapping[str, Any]) -> None:
    """Refuses to go on with a search on other data than it began with.

    Raises:
        InputError: The data is another.
    """
    kept = read_data_record(directory)
    if kept is None or kept.get("sha256") == record["sha256"]:
        return
    changes = [
        f"{name} is {_shown(kept.get(name))} there and {_shown(record[name])} now"
        for name in record
        if name != "sha256" and kept.get(name) != record[name]
    ]
    what = "; ".join(changes) or "the shapes are the same, the values are not"
    raise InputError(
        f"{directory}: the data is another than when the search began ({what}). "
        "Start over with --fresh, or choose another --out or another name."
    )


def _shown(entry: Any) -> str:
    if not isinstance(entry, dict):
        return "not known"
    return f"{entry.get('dtype')} {tuple(entry.get('shape', ()))}"
