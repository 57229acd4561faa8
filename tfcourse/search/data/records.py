"""The sets of a search that are in TFRecord files."""

import hashlib
from collections.abc import Callable
from contextlib import chdir
from dataclasses import replace
from typing import Any

from tfcourse.data.splits import Part, Split
from tfcourse.data.streams.datasets import Datasets
from tfcourse.data.streams.record_files import Feature, RecordFiles, parse_features, record_sets
from tfcourse.data.streams.stream import Stream
from tfcourse.errors import InputError, message_line
from tfcourse.imports import load_function
from tfcourse.quiet import quiet_start
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.config.tables import DataTable
from tfcourse.search.data.own_datasets import split_of_datasets
from tfcourse.search.data.paths import data_path
from tfcourse.types import Tensor

__all__ = ["split_of_records"]

# The examples among which the next one is drawn, if the config says nothing.
BUFFER = 1000


def split_of_records(config: SearchConfig) -> Split:
    """Return the sets, after one pass over all files.

    Raises:
        InputError: As from `split_of_datasets`, or a file or record can't be read.
    """
    data = config.data
    path = data_path(data)
    assert path is not None  # checked with the config
    files = record_sets(str(path), data.split, data.seed)
    with quiet_start():
        import tensorflow as tf
    parse = _parse(data)
    sets, begin = {}, None
    for name, part in files.items():
        sets[name], of_set = part.dataset(parse)
        begin = of_set if name == "train" else begin
    if data.shuffle_buffer is None:
        table = data.model_copy(update={"shuffle_buffer": BUFFER})
        config = replace(config, data=table)
    try:
        split = split_of_datasets(config, Datasets(**sets), begin)
    except tf.errors.OpError as error:
        for part in files.values():
            part.check()
        raise InputError(f"path: a record can't be parsed: {message_line(error)}.") from error
    return Split(
        _with_files(split.train, files["train"]),
        _with_files(split.dev, files["dev"]),
        None if split.test is None else _with_files(split.test, files["test"]),
        split.classes,
        split.notes,
    )


def _parse(data: DataTable) -> Callable[[Tensor], tuple[Any, Any]]:
    if data.parse is not None:
        with chdir("."):
            function: Callable[[Tensor], tuple[Any, Any]] = load_function(data.parse, "parse")
        return function
    features = {
        name: Feature(table.shape, table.type) for name, table in (data.feature_spec or {}).items()
    }
    return parse_features(features, data.label or "label")


def _with_files(part: Part, files: RecordFiles) -> Part:
    """Return a set whose identity is also that of its files."""
    assert isinstance(part, Stream)
    both = f"{part.digest} {files.digest()}".encode()
    stream = {**part.record["stream"], "kind": "tfrecord", "files": len(files.paths)}
    record = {**part.record, "stream": stream}
    return part.identified(record, hashlib.sha256(both).hexdigest())
