"""The shapes and the hash of the data of a search: ``data.json`` in its run directory."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfcourse.data.nested import array_items
from tfcourse.data.sparse import stored_arrays
from tfcourse.data.splits import Split
from tfcourse.data.streams.stream import Stream
from tfcourse.errors import InputError
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.loading import load_split
from tfcourse.search.store.reading import read_json_as, write_json

__all__ = [
    "check_same_data",
    "check_unchanged",
    "data_record",
    "is_stream_record",
    "read_data_record",
    "write_data_record",
]

_NAME = "data.json"
# The shape and type of each array by its name, the names of the classes, and the hash.
_Stored = dict[str, dict[str, list[int] | int | str] | list[str | int] | str]


def data_record(split: Split) -> dict[str, Any]:
    """Return the shapes and types of train, dev and test set, and a hash of their contents.

    If the classes have names in a table, ``classes`` are these in the order of their numbers;
    ``features`` are the columns of x.
    """
    digest = hashlib.sha256()
    record: dict[str, Any] = {}
    for name, part in split.parts.items():
        if isinstance(part, Stream):
            record |= {f"{name}_{key}": entry for key, entry in part.record.items()}
            digest.update(f"{name} {part.digest} ".encode())
            continue
        for side in ("x", "y", "weight"):
            arrays = getattr(part, side)
            for key, values in [] if arrays is None else array_items(arrays):
                full = f"{side}.{key}" if key else side
                shape, dtype = tuple(values.shape), str(values.dtype)
                record[f"{name}_{full}"] = {"shape": list(shape), "dtype": dtype}
                digest.update(f"{name} {full} {shape} {dtype} ".encode())
                for array in stored_arrays(values):
                    digest.update(np.ascontiguousarray(array).data)
    if not split.is_encoded:
        # The numbers of levels say nothing without their names.
        features = [dataclasses.asdict(column) for column in getattr(split.columns, "features", ())]
        digest.update(json.dumps(features).encode())
    if split.class_names is not None:
        digest.update(json.dumps(split.class_names).encode())
        record["classes"] = list(split.class_names)
    if split.columns is not None:
        record["features"] = list(split.columns.names)
    for name in ("groups", "times"):  # of the folds
        if (keys := getattr(split, name)) is not None:
            digest.update(f"{name} {keys.shape} ".encode())
            digest.update(np.ascontiguousarray(keys, dtype="<i8").data)
    return {**record, "sha256": digest.hexdigest()}


def is_stream_record(record: Mapping[str, Any] | None) -> bool:
    """Return True if the data of a record was streamed."""
    return record is not None and "train_stream" in record


def write_data_record(directory: Path, record: Mapping[str, Any]) -> None:
    """Write ``data.json`` into a run directory."""
    write_json(directory / _NAME, record)


def read_data_record(directory: Path) -> dict[str, Any] | None:
    """Return the record of a run directory; None if there is none that can be read."""
    record = read_json_as(directory / _NAME, _Stored) or {}
    return record if len(record.get("sha256", "")) == 64 else None


def check_same_data(directory: Path, record: Mapping[str, Any], work: str = "search") -> None:
    """Raise InputError if a search began with other data.

    Args:
        directory: The run directory.
        record: The `data_record` of today's data.
        work: The noun for what began.
    """
    stored = read_data_record(directory)
    if stored is None or stored.get("sha256") == record["sha256"]:
        return
    changes = [
        f"{name} is {_described(stored.get(name))} there and {_described(record[name])} now"
        for name in record
        if name != "sha256" and stored.get(name) != record[name]
    ]
    difference = "; ".join(changes) or "the shapes are the same, the values are not"
    raise InputError(
        f"{directory}: the data is another than when the {work} began ({difference}). "
        "Start over with --fresh, or choose another --out or another name."
    )


def check_unchanged(directory: Path, record: Mapping[str, Any], config: SearchConfig) -> None:
    """Raise InputError as `check_same_data`, with the remedy if the data comes from a function.

    Such a function may return other data at each call, or in each process.

    Args:
        directory: The run directory.
        record: The `data_record` of today's data.
        config: The search.
    """
    try:
        check_same_data(directory, record)
    except InputError as error:
        source = config.data.source
        if config.arrays is not None or ":" not in source or source.startswith("keras:"):
            raise
        if data_record(load_split(config)) != record:
            raise InputError(
                f"{config.origin}: [data] {source} gives other data at each call, so that no "
                "process can continue the search of another. Draw it from a seed, as from "
                "np.random.default_rng(0)."
            ) from error
        raise InputError(
            f"{error} If nothing was changed, {source} gives other data in each process: draw it "
            "from a seed, and sort what has no order, such as a set or the files of a folder."
        ) from error


def _described(entry: object) -> str:
    if isinstance(entry, list):
        return ", ".join(map(str, entry))
    if not isinstance(entry, dict):
        return "not known"
    return f"{entry.get('dtype')} {tuple(entry.get('shape', ()))}"
