"""A split in a file, which several processes map into their memory and share."""

import mmap
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tfcourse.data.nested import map_arrays
from tfcourse.data.splits import Part, Split

__all__ = ["StoredSplit"]

# Arrays begin at multiples of this, as TensorFlow wants them to.
ALIGNMENT = 64


@dataclass(frozen=True)
class StoredSplit:
    """A file that holds a split: its arrays in full, and the pickle of the rest at the end.

    Attributes:
        path: The file.
    """

    path: Path

    @staticmethod
    def write(split: Split, path: Path) -> "StoredSplit":
        """Write a split into a file."""
        buffers: list[pickle.PickleBuffer] = []
        rest = pickle.dumps(split.map(_contiguous), protocol=5, buffer_callback=buffers.append)
        with path.open("wb") as file:
            places = [_write_aligned(file, buffer.raw()) for buffer in buffers]
            begin = file.tell()
            pickle.dump((places, rest), file)
            file.write(begin.to_bytes(8, "little"))
        return StoredSplit(path)

    def read(self) -> Split:
        """Return the split; its arrays are views of the file, and can't be written to."""
        with self.path.open("rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        begin = int.from_bytes(mapped[-8:], "little")
        places, rest = pickle.loads(mapped[begin:-8])
        split: Split = pickle.loads(rest, buffers=[mapped[a:b] for a, b in places])
        return split


def _contiguous(part: Part) -> Part:
    def rows(arrays: object) -> object:
        return map_arrays(np.ascontiguousarray, arrays)

    return Part(rows(part.x), rows(part.y), None if part.weight is None else rows(part.weight))


def _write_aligned(file: BinaryIO, buffer: memoryview) -> tuple[int, int]:
    """Write a buffer, and return where it begins and ends."""
    file.write(bytes(-file.tell() % ALIGNMENT))
    begin = file.tell()
    file.write(buffer)
    return begin, file.tell()
