"""A split in a file, which several processes map into their memory and share."""

import mmap
import pickle
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tfcourse.data.nested import map_arrays
from tfcourse.data.splits import Part, Split
from tfcourse.errors import WorkFailedError

__all__ = ["StoredSplit"]

# Arrays begin at multiples of this, as TensorFlow wants them to.
ALIGNMENT = 64


@dataclass(frozen=True)
class StoredSplit:
    """A file that holds a split: its arrays in full, and the pickle of the rest at the end.

    Attributes:
        path: The file.
        digest: The SHA-256 of its pickle. Only the process that wrote it knows it: a file that
            another program has put there is not unpickled.
    """

    path: Path
    digest: bytes

    @staticmethod
    def write(split: Split, path: Path) -> "StoredSplit":
        """Write a split into a file."""
        buffers: list[pickle.PickleBuffer] = []
        rest = pickle.dumps(split.map(_contiguous), protocol=5, buffer_callback=buffers.append)
        with path.open("wb") as file:
            places = [_write_aligned(file, buffer.raw()) for buffer in buffers]
            begin, end = file.tell(), pickle.dumps((places, rest))
            file.write(end)
            file.write(begin.to_bytes(8, "little"))
        return StoredSplit(path, sha256(end).digest())

    def read(self) -> Split:
        """Return the split; its arrays are views of the file, and can't be written to.

        Raises:
            WorkFailedError: The file is not the one that was written.
        """
        with self.path.open("rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        begin = int.from_bytes(mapped[-8:], "little")
        end = mapped[begin:-8]
        if sha256(end).digest() != self.digest:
            raise WorkFailedError(
                f"{self.path} is not the file that the search wrote: another program changed it. "
                "Run the same command again."
            )
        places, rest = pickle.loads(end)
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
