"""Decoded images that are kept for later epochs, in memory or in a temporary file."""

import tempfile
from collections.abc import Callable
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from tfcourse.errors import InputError, error_line
from tfcourse.types import Array, Tensor

__all__ = ["CachePlace", "ImageCache"]

CachePlace: TypeAlias = Literal["memory", "disk"]
# The images that are decoded at once.
BATCH = 64


class ImageCache:
    """The decoded images of a set, read once when the first batches are made.

    Args:
        load: Returns an image by its row, as float32.
        shape: The number of images, and the shape of one.
        place: ``"disk"`` keeps them in a file of the system's temporary folder that has no name,
            and is gone with the process; its pages leave the memory when it is short.
    """

    def __init__(
        self, load: Callable[[Tensor], Tensor], shape: tuple[int, ...], place: CachePlace
    ) -> None:
        self.load, self.shape, self.place = load, shape, place

    @cached_property
    def pixels(self) -> npt.NDArray[np.float32]:
        """All images.

        Raises:
            InputError: There is no room for them.
        """
        import tensorflow as tf

        loaded = tf.data.Dataset.range(self.shape[0]).map(self.load, tf.data.AUTOTUNE).batch(BATCH)
        batches = loaded.prefetch(1).as_numpy_iterator()
        try:
            if self.place == "disk":
                with tempfile.TemporaryFile() as file:
                    for batch in batches:
                        file.write(np.ascontiguousarray(batch).data)
                    file.flush()
                    return np.memmap(file, np.float32, "r", shape=self.shape)
            pixels = np.empty(self.shape, np.float32)
        except (MemoryError, OSError) as error:
            size = 4 * np.prod(self.shape, dtype=float) / 1e9
            folder = f" in {tempfile.gettempdir()}" if self.place == "disk" else ""
            raise InputError(
                f"cache: {size:.1f} GB for {self.shape[0]} images are not free{folder}: "
                f"{error_line(error)}. Leave cache out, or give a smaller image_size."
            ) from error
        for number, batch in enumerate(batches):
            pixels[number * BATCH : number * BATCH + len(batch)] = batch
        return pixels

    def loading(self) -> Callable[[Tensor], Tensor]:
        """Return the function that loads images by their rows, after reading all of them once."""
        import tensorflow as tf

        pixels = self.pixels

        def gather(rows: Array) -> Array:
            return np.asarray(pixels[rows])

        def load(rows: Tensor) -> Tensor:
            images = tf.numpy_function(gather, [rows], tf.float32)
            images.set_shape((None, *self.shape[1:]))
            return images

        return load
