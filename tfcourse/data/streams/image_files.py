"""Images in folders, one folder for each class, read when a batch needs them."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfcourse.data.streams.image_cache import CachePlace, ImageCache
from tfcourse.data.streams.set_folders import folders_in, listed
from tfcourse.data.streams.stream import EpochBatches, Stream, Transform, shuffled_rows
from tfcourse.errors import InputError
from tfcourse.types import Array, Dataset, Tensor

__all__ = ["CHANNELS", "ImageFiles", "check_readable", "image_files"]

CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
# The formats that Keras's image_dataset_from_directory reads, by the beginning of a file.
_FORMATS = {
    b"\x89PNG\r\n\x1a\n": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"GIF8": ".gif",
    b"BM": ".bmp",
}
_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
# The bytes of each file that its identity has, with its name and size.
HASHED = 4096


@dataclass(frozen=True)
class ImageFiles:
    """Images and their labels.

    Attributes:
        root: The folder that all are in.
        names: Their paths in it, sorted by class and then by name, as Keras sorts them.
        labels: Their labels, (images,): the numbers of their classes.
        classes: The names of the classes.
        image_size: Height and width to which each image is scaled, bilinearly as Keras does.
        channels: The number of channels.
    """

    root: Path
    names: Sequence[str]
    labels: Array
    classes: tuple[str, ...]
    image_size: tuple[int, int]
    channels: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one image."""
        return (*self.image_size, self.channels)

    def rows(self, which: Array) -> "ImageFiles":
        """Return some of the images, by their indices."""
        names = [self.names[row] for row in which]
        return ImageFiles(
            self.root, names, self.labels[which], self.classes, self.image_size, self.channels
        )

    def stream(self, cache: CachePlace | None = None) -> Stream:
        """Return the images as a set.

        Args:
            cache: Where decoded images are kept after the first pass; None for nowhere.
        """
        counts = np.bincount(self.labels, minlength=len(self.classes))
        record = {
            "x": {"shape": [len(self.names), *self.shape], "dtype": "float32"},
            "y": {"shape": [len(self.names)], "dtype": str(self.labels.dtype)},
            "stream": {"kind": "images", "files": len(self.names)},
            "classes": {name: int(n) for name, n in zip(self.classes, counts, strict=True)},
        }
        count, pixels = len(self.names), None
        if cache is not None:
            pixels = ImageCache(self._loading(), (count, *self.shape), cache)

        def batches(size: int, transform: Transform | None = None) -> EpochBatches:
            return self.batches(size, transform, pixels)

        return Stream(batches, self.shape, count, record, self.digest())

    def digest(self) -> str:
        """Return a hash of the names, the sizes and the first `HASHED` bytes of all files."""
        digest = hashlib.sha256(f"{self.shape} ".encode())
        for name in self.names:
            path = self.root / name
            with path.open("rb") as file:
                begin = file.read(HASHED)
            digest.update(f"{name} {path.stat().st_size} ".encode())
            digest.update(begin)
        return digest.hexdigest()

    def batches(
        self, size: int, transform: Transform | None = None, cache: ImageCache | None = None
    ) -> EpochBatches:
        """Return the batches of a size, in an order that each epoch can have for itself.

        Args:
            size: The examples of a batch.
            transform: A function for each batch.
            cache: The decoded images; None decodes them in each epoch.
        """
        import tensorflow as tf

        count, labels = len(self.names), tf.constant(self.labels)
        order = tf.Variable(np.arange(count), dtype=tf.int64, trainable=False)

        def begin(seed: int, epoch: int) -> None:
            order.assign(shuffled_rows(count, seed, epoch))

        dataset: Dataset = tf.data.Dataset.from_tensors(0).flat_map(
            lambda _: tf.data.Dataset.from_tensor_slices(order.read_value())
        )
        load = self._loading() if cache is None else cache.loading()
        if cache is None:
            dataset = dataset.map(lambda row: (load(row), labels[row]), tf.data.AUTOTUNE)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(count)).batch(size)
        if cache is not None:
            dataset = dataset.map(lambda rows: (load(rows), tf.gather(labels, rows)))
        dataset = dataset if transform is None else dataset.map(transform)
        return EpochBatches(dataset.prefetch(1), begin=begin)

    def unreadable(self) -> list[str]:
        """Return the paths of the files that can't be decoded, after reading all of them once."""
        import tensorflow as tf

        decode = self._decoding()
        rows: Dataset = tf.data.Dataset.range(len(self.names))
        sizes = rows.map(lambda row: (row, tf.shape(decode(row))), tf.data.AUTOTUNE)
        readable = {int(row) for row, _ in sizes.ignore_errors().as_numpy_iterator()}
        return [str(self.root / n) for row, n in enumerate(self.names) if row not in readable]

    def _decoding(self) -> Callable[[Tensor], Tensor]:
        import tensorflow as tf

        paths = tf.constant([str(self.root / name) for name in self.names])

        def decode(row: Tensor) -> Tensor:
            contents = tf.io.read_file(paths[row])
            return tf.image.decode_image(contents, self.channels, expand_animations=False)

        return decode

    def _loading(self) -> Callable[[Tensor], Tensor]:
        """Return the function that loads an image by its row, with the operations of Keras's."""
        import tensorflow as tf

        decode = self._decoding()

        def load(row: Tensor) -> Tensor:
            image = tf.image.resize(decode(row), self.image_size, method="bilinear")
            image.set_shape(self.shape)
            return image

        return load


def image_files(
    root: Path,
    image_size: tuple[int, int],
    channels: int,
    classes: tuple[str, ...] | None = None,
) -> ImageFiles:
    """Return the images of a folder that has a folder for each class.

    Args:
        root: The folder.
        image_size: Height and width to which each image is scaled.
        channels: The number of channels.
        classes: The classes of the train set, of which another set may lack some; None: all
            folders are classes.

    Raises:
        InputError: There are fewer than two classes, one without images, one that the train set
            lacks, or a file that is no image.
    """
    folders = [folder.name for folder in folders_in(root)]
    wanted = tuple(folders) if classes is None else classes
    if len(wanted) < 2:
        raise InputError(
            f"path: {root} must hold at least 2 folders, one for each class, with images in them. "
            f"Received: {listed(folders) or 'none'}."
        )
    if unknown := [name for name in folders if name not in wanted]:
        raise InputError(
            f"path: {root} has a class that the train set lacks: {listed(unknown)}. Add images "
            "of it to the train set, or take the folder out."
        )
    names, labels = list[str](), list[int]()
    for label, name in enumerate(wanted):
        images = _images(root / name) if name in folders else []
        if not images and classes is None:
            raise InputError(
                f"path: the class folder {root / name} holds no image ({', '.join(_SUFFIXES)}). "
                "Add images, or take it out."
            )
        names += [str(image.relative_to(root)) for image in images]
        labels += [label] * len(images)
    if not names:
        raise InputError(f"path: {root} holds no image ({', '.join(_SUFFIXES)}).")
    _check_begins(root, names)
    return ImageFiles(root, names, np.asarray(labels, np.int64), wanted, image_size, channels)


def check_readable(images: ImageFiles) -> None:
    """Read all images once, and raise InputError with the names of those that are damaged."""
    if bad := images.unreadable():
        raise _damaged(bad)


def _check_begins(root: Path, names: Sequence[str]) -> None:
    bad = []
    for name in names:
        with (root / name).open("rb") as file:
            begin = file.read(8)
        if not begin.startswith(tuple(_FORMATS)):
            bad.append(str(root / name))
    if bad:
        raise _damaged(bad)


def _damaged(paths: Sequence[str]) -> InputError:
    more = f" and {len(paths) - 8} more" if len(paths) > 8 else ""
    files = "1 file" if len(paths) == 1 else f"{len(paths)} files"
    return InputError(
        f"path: {files} can't be read as PNG, JPEG, GIF or BMP: "
        f"{', '.join(paths[:8])}{more}. Replace or delete what is damaged."
    )


def _images(folder: Path) -> list[Path]:
    """Return the images of a folder and those inside it, in Keras's order."""
    images = [path for path in folder.rglob("*") if path.name.lower().endswith(_SUFFIXES)]
    return sorted(images, key=lambda path: (path.parent, path.name))
