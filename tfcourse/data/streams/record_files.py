"""TFRecord files as datasets of single examples."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfcourse.data.streams.image_files import HASHED
from tfcourse.data.streams.set_folders import sets_of_folder
from tfcourse.data.streams.stream import shuffled_rows
from tfcourse.errors import InputError, message_line
from tfcourse.types import Dataset, Tensor

__all__ = ["Feature", "RecordFiles", "parse_features", "record_sets"]

# The files whose records take turns.
CYCLE = 4
SUFFIXES = (".tfrecord", ".tfrecords", ".tfrec")


@dataclass(frozen=True)
class Feature:
    """One feature of a ``tf.train.Example``.

    Attributes:
        shape: Its shape.
        type: ``"float32"`` or ``"int64"``; ``"uint8"`` for bytes that are the numbers themselves,
            ``"image"`` for bytes of a PNG, JPEG, GIF or BMP of this shape.
    """

    shape: tuple[int, ...]
    type: str


@dataclass(frozen=True)
class RecordFiles:
    """The TFRecord files of a set."""

    paths: tuple[Path, ...]

    def dataset(self, parse: Callable[[Tensor], Any]) -> tuple[Dataset, Callable[[int, int], None]]:
        """Return the examples, and what brings the files into an order drawn from (seed, epoch).

        The records of `CYCLE` files take turns.
        """
        import tensorflow as tf

        order = tf.Variable(np.arange(len(self.paths)), dtype=tf.int64, trainable=False)
        paths = tf.constant([str(path) for path in self.paths])

        def begin(seed: int, epoch: int) -> None:
            order.assign(shuffled_rows(len(self.paths), seed, epoch))

        dataset = (
            tf.data.Dataset.from_tensors(0)
            .flat_map(lambda _: tf.data.Dataset.from_tensor_slices(order.read_value()))
            .interleave(lambda row: tf.data.TFRecordDataset(paths[row]), CYCLE)
            .map(parse, tf.data.AUTOTUNE)
        )
        return dataset, begin

    def digest(self) -> str:
        """Return a hash of the names, the sizes and the first bytes of the files."""
        digest = hashlib.sha256()
        for path in self.paths:
            digest.update(f"{path.name} {path.stat().st_size} ".encode())
            with path.open("rb") as file:
                digest.update(file.read(HASHED))
        return digest.hexdigest()

    def check(self) -> None:
        """Read all records once, and raise InputError with the names of damaged files."""
        import tensorflow as tf

        problems = []
        for path in self.paths:
            try:
                for _ in tf.data.TFRecordDataset(str(path)):
                    pass
            except tf.errors.OpError as error:
                problems.append(f"{path} ({message_line(error)})")
        if problems:
            raise InputError(
                f"path: not whole TFRecord files: {', '.join(problems)}. Write them again, or "
                "take them out."
            )


def record_sets(path: str, split: Sequence[float], seed: int) -> dict[str, RecordFiles]:
    """Return the files of each set.

    Args:
        path: A folder of files, a folder with folders of them for train, dev and test, or a
            pattern such as ``"records/*.tfrecord"``.
        split: The shares of the files in train, dev and perhaps test, if there are no such folders.
        seed: The seed from which the files of each set are drawn.

    Raises:
        InputError: There is no file, or there are fewer files than sets.
    """
    folder = Path(path)
    sets = sets_of_folder(folder) if folder.is_dir() else None
    if sets is not None:
        return {name: RecordFiles(_files(str(place))) for name, place in sets.items()}
    files = _files(path)
    edges = np.round(np.cumsum(split)[:-1] * len(files)).astype(int)
    drawn = np.split(np.random.default_rng(seed).permutation(len(files)), edges)
    if not all(len(rows) for rows in drawn):
        raise InputError(
            f"split: {list(split)} of {len(files)} TFRecord files leaves a set without one. Write "
            "more and smaller files, or put those of each set into folders train, dev and test."
        )
    names = ("train", "dev", "test")[: len(drawn)]
    return {
        name: RecordFiles(tuple(files[row] for row in sorted(rows)))
        for name, rows in zip(names, drawn, strict=True)
    }


def parse_features(
    features: Mapping[str, Feature], label: str
) -> Callable[[Tensor], tuple[Any, Any]]:
    """Return the function that makes (x, y) of a serialized ``tf.train.Example``.

    Args:
        features: The features by name; those beside the label are x, in a dict if there are
            several.
        label: The feature that is y.
    """
    import tensorflow as tf

    names = [name for name in features if name != label]
    spec = {name: _spec(feature) for name, feature in features.items()}

    def parse(record: Tensor) -> tuple[Any, Any]:
        raw = tf.io.parse_single_example(record, spec)
        values = {name: _decoded(raw[name], feature) for name, feature in features.items()}
        x = {name: values[name] for name in names} if len(names) > 1 else values[names[0]]
        return x, values[label]

    return parse


def _spec(feature: Feature) -> Any:
    import tensorflow as tf

    if feature.type in ("uint8", "image"):
        return tf.io.FixedLenFeature([], tf.string)
    return tf.io.FixedLenFeature(feature.shape, feature.type)


def _decoded(value: Tensor, feature: Feature) -> Tensor:
    import tensorflow as tf

    if feature.type == "uint8":
        return tf.reshape(tf.io.decode_raw(value, tf.uint8), feature.shape)
    if feature.type == "image":
        image = tf.image.decode_image(value, feature.shape[-1], expand_animations=False)
        return tf.ensure_shape(image, feature.shape)
    return value


def _files(path: str) -> tuple[Path, ...]:
    folder = Path(path)
    if folder.is_dir():
        files = [file for file in folder.iterdir() if file.name.endswith(SUFFIXES)]
    else:
        root = Path(folder.anchor)
        files = list(root.glob(str(folder.relative_to(root))))
    if not files:
        what = f"no file {', '.join(SUFFIXES)} in" if folder.is_dir() else "no file of"
        raise InputError(f"path: {what} {path}.")
    return tuple(sorted(files))
