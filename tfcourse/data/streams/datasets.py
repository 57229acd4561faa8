"""Sets of examples that are the user's own ``tf.data.Dataset`` or ``keras.utils.PyDataset``."""

import hashlib
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tfcourse.data.nested import array_items, count_of, map_arrays
from tfcourse.data.streams.dataset_batches import PyBatches, Reading, TensorBatches, sides_of
from tfcourse.data.streams.stream import Stream, batches_of
from tfcourse.errors import InputError
from tfcourse.types import Array, Nested

__all__ = [
    "Datasets",
    "SetOfDataset",
    "datasets_of",
    "datasets_of_function",
    "is_dataset",
    "read_dataset",
]

# A ``tf.data.Dataset`` or a ``keras.utils.PyDataset``.
AnyDataset: TypeAlias = Any
# The examples of a batch where single examples are read, to look at them.
SIZE = 64


@dataclass(frozen=True)
class Datasets:
    """The train, dev and test set as the user's datasets; test is None if there is none."""

    train: AnyDataset
    dev: AnyDataset
    test: AnyDataset | None = None

    @property
    def parts(self) -> dict[str, AnyDataset]:
        """The datasets by name."""
        sets = {"train": self.train, "dev": self.dev, "test": self.test}
        return {name: dataset for name, dataset in sets.items() if dataset is not None}


def datasets_of(**parts: AnyDataset | None) -> Datasets | None:
    """Return the datasets ``train``, ``dev`` and perhaps ``test``; None if none is a dataset.

    Raises:
        InputError: Some are datasets and others are not, or train or dev is missing.
    """
    existing = {name: part for name, part in parts.items() if part is not None}
    pair = existing.get("data")
    in_pair = isinstance(pair, tuple | list) and any(map(is_dataset, pair))
    if not in_pair and not any(map(is_dataset, existing.values())):
        return None
    others = [name for name, part in existing.items() if not is_dataset(part)]
    missing = [name for name in ("train", "dev") if name not in existing]
    if others or missing or "data" in existing:
        what = [
            *("data is a pair of them" if name == "data" else f"{name} is none" for name in others),
            *(f"{name} is missing" for name in missing),
        ]
        raise InputError(
            "datasets are to be given as train and dev, and perhaps test, each a tf.data.Dataset "
            f"or a keras.utils.PyDataset: {', '.join(what) or 'data is not split'}."
        )
    return Datasets(**existing)


def datasets_of_function(*returned: AnyDataset) -> Datasets | None:
    """Return what a function returned as datasets; None if those are no datasets."""
    return Datasets(*returned) if all(map(is_dataset, returned)) else None


def is_dataset(value: object) -> bool:
    """Return True if the value is a ``tf.data.Dataset`` or a ``keras.utils.PyDataset``."""
    tensorflow, keras = sys.modules.get("tensorflow"), sys.modules.get("keras")
    return (tensorflow is not None and isinstance(value, tensorflow.data.Dataset)) or (
        keras is not None and isinstance(value, keras.utils.PyDataset)
    )


@dataclass(frozen=True)
class SetOfDataset:
    """A set, and what a pass over it told.

    Attributes:
        stream: The set.
        repeats: Whether two passes begin with the same batch.
        y: The targets of its first batch.
        labels: The different labels, None if they are not wanted, or y is neither ``(m,)`` nor
            ``(m, 1)``.
    """

    stream: Stream
    repeats: bool
    y: Any
    labels: Array | None


def read_dataset(
    name: str, dataset: AnyDataset, reading: Reading, with_labels: bool
) -> SetOfDataset:
    """Return a dataset as a set, after one pass over it that counts its examples.

    Args:
        name: The name of the set.
        dataset: The dataset.
        reading: The settings.
        with_labels: Whether the pass collects the different labels.

    Raises:
        InputError: It holds no batches, never ends and ``steps`` is None, has other elements than
            ``(x, y)`` or ``(x, y, sample_weight)``, or numbers that are not finite.
    """
    own = PyBatches(dataset, reading) if hasattr(dataset, "num_batches") else None
    source: PyBatches | TensorBatches = own or TensorBatches(name, dataset, reading)
    source.check(name)
    first, again = (next(batches_of(source.batches(SIZE)), None) for _ in range(2))
    if first is None:
        raise InputError(f"{name}: the dataset holds no batches.")
    x, y, *_ = (map_arrays(np.asarray, side) for side in sides_of(name, first))
    with_labels &= not isinstance(y, Mapping) and math.prod(y.shape[1:]) == 1
    labels: Array = np.empty(0, np.int64)
    count, steps = 0, 0
    for batch in batches_of(source.batches(SIZE)):
        _check_finite(name, steps, batch)
        count, steps = count + count_of(batch[1]), steps + 1
        if with_labels:
            labels = np.union1d(labels, np.asarray(batch[1]))
    same = _hash(first) == _hash(again)
    record = {
        **_described("x", x, count),
        **_described("y", y, count),
        "stream": {"kind": type(dataset).__name__, "batches": steps, "repeats": str(same)},
    }
    shape = map_arrays(lambda array: array.shape[1:], x)
    digest = hashlib.sha256(f"{record} ".encode() + (_hash(first) if same else b"")).hexdigest()
    fixed = steps if source.fixed else None
    stream = Stream(source.batches, shape, count, record, digest, fixed)
    return SetOfDataset(stream, same, y, labels if with_labels else None)


def _check_finite(name: str, number: int, batch: Nested) -> None:
    for side, part in zip("xy", batch, strict=False):
        for key, array in array_items(part):
            values = np.asarray(array)
            # A sum of finite numbers may overflow, but one with NaN or infinity is never finite.
            with np.errstate(all="ignore"):
                finite = values.dtype.kind != "f" or math.isfinite(values.sum(dtype=np.float64))
            if not finite:
                title = f'{side}["{key}"]' if key else side
                raise InputError(
                    f"{name}: {title} holds numbers that are not finite in batch {number}. Remove "
                    "or fill them."
                )


def _hash(batch: Nested | None) -> bytes:
    digest = hashlib.sha256()
    for side in batch or ():
        for key, array in array_items(side):
            digest.update(f"{key} ".encode() + np.ascontiguousarray(array).tobytes())
    return digest.digest()


def _described(side: str, arrays: Array | Mapping[str, Array], count: int) -> dict[str, Any]:
    return {
        f"{side}.{key}" if key else side: {
            "shape": [count, *array.shape[1:]],
            "dtype": str(array.dtype),
        }
        for key, array in array_items(arrays)
    }
