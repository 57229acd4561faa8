"""Sets whose rows are read from Parquet files batch by batch."""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias, TypeVar

import numpy as np

from tfcourse.data.streams.row_groups import RowGroups
from tfcourse.data.streams.row_survey import RowSurvey
from tfcourse.data.streams.stream import EpochBatches, Stream, Transform, shuffled_rows
from tfcourse.types import Array

__all__ = ["RowSet", "shuffled_pieces", "streams_of"]

T = TypeVar("T")
# x and y of some examples.
Piece: TypeAlias = tuple[Array, Array]
# The row groups that take turns.
CYCLE = 4


@dataclass(frozen=True)
class RowSet:
    """The rows of a set.

    Attributes:
        rows: The row groups of all sets.
        number: The number of the set.
        count: Its number of examples.
        levels: The different labels of the train set, sorted; none of numbers to predict.
        shuffle_buffer: The least number of examples among which the next ones are drawn.
    """

    rows: RowGroups
    number: int
    count: int
    levels: tuple[str | int, ...]
    shuffle_buffer: int

    @property
    def places(self) -> list[int]:
        """The numbers of the row groups that may have rows of the set."""
        groups = enumerate(self.rows.groups)
        return [place for place, group in groups if group.set in (None, self.number)]

    def pieces(self, place: int) -> Iterator[Piece]:
        """Yield the examples of a row group in order; x is as `Columns` has it."""
        import pyarrow
        from pyarrow import compute

        kinds = [column.kind for column in self.rows.columns]
        categories = [n for n, kind in enumerate(kinds) if kind == "category"]
        for chunk in self.rows.chunks(place):
            mask = (chunk.sets == self.number) & chunk.complete
            x = chunk.x[mask]
            if categories:
                x[:, categories] = np.nan_to_num(x[:, categories], nan=-1)
            y = chunk.y.filter(mask)
            if self.levels:
                places = compute.index_in(y, pyarrow.array(self.levels, chunk.y.type))
                yield x, places.to_numpy().astype(np.int64)
            else:
                yield x, y.to_numpy().astype(np.float32)[:, None]

    def in_order(self) -> Iterator[Piece]:
        """Yield the examples in the order of the files."""
        for place in self.places:
            yield from self.pieces(place)

    def shuffled(self, seed: int, epoch: int) -> Iterator[Piece]:
        """Yield the examples in an order drawn from (seed, epoch)."""
        places = self.places
        order = shuffled_rows(len(places), seed, epoch)
        pieces = in_turns((self.pieces(places[row]) for row in order), CYCLE)
        rng = np.random.default_rng([seed, epoch, 1])
        return shuffled_pieces(pieces, self.shuffle_buffer, rng)

    def batches(self, size: int, transform: Transform | None = None) -> EpochBatches:
        """Return the batches of a size, in an order that each epoch can have for itself."""
        import tensorflow as tf

        key: list[tuple[int, int]] = []

        def begin(seed: int, epoch: int) -> None:
            key[:] = [(seed, epoch)]

        def generate() -> Iterator[Piece]:
            return self.shuffled(*key[0]) if key else self.in_order()

        y = tf.TensorSpec((None,), tf.int64) if self.levels else tf.TensorSpec((None, 1))
        spec = (tf.TensorSpec((None, len(self.rows.features))), y)
        dataset = (
            tf.data.Dataset.from_generator(generate, output_signature=spec)
            .rebatch(size)
            .apply(tf.data.experimental.assert_cardinality(math.ceil(self.count / size)))
        )
        dataset = dataset if transform is None else dataset.map(transform)
        return EpochBatches(dataset.prefetch(1), begin=begin)


def streams_of(survey: RowSurvey, rows: RowGroups, shuffle_buffer: int) -> dict[str, Stream]:
    """Return the sets by name.

    Args:
        survey: The result of the pass over the rows.
        rows: Its row groups, with the levels of categories.
        shuffle_buffer: See `RowSet`.
    """
    levels = survey.levels
    names = survey.class_names or range(len(levels))
    groups = {"kind": "parquet", "row_groups": len(rows.groups)}
    streams = {}
    for number, name in enumerate(rows.set_names):
        count = survey.counts[number]
        y = ([count], "int64") if levels else ([count, 1], "float32")
        record = {
            "x": {"shape": [count, len(rows.features)], "dtype": "float32"},
            "y": dict(zip(("shape", "dtype"), y, strict=True)),
            "stream": groups,
        }
        if levels:
            counter = survey.classes[number]
            record["classes"] = {
                str(title): counter[level] for title, level in zip(names, levels, strict=True)
            }
        of_set = RowSet(rows, number, count, tuple(levels), shuffle_buffer)
        digest = survey.digests[number].hexdigest()
        streams[name] = Stream(of_set.batches, (len(rows.features),), count, record, digest)
    return streams


def in_turns(iterators: Iterator[Iterator[T]], cycle: int) -> Iterator[T]:
    """Yield the items of several iterators, of which ``cycle`` at a time take turns."""
    active = deque(islice(iterators, cycle))
    while active:
        current = active.popleft()
        try:
            item = next(current)
        except StopIteration:
            active.extend(islice(iterators, 1))
            continue
        active.append(current)
        yield item


def shuffled_pieces(
    pieces: Iterator[Piece], buffer: int, rng: np.random.Generator
) -> Iterator[Piece]:
    """Yield the examples of pieces in a drawn order.

    Each piece joins a pool of ``buffer`` examples, and as many are drawn from both; with 1 all
    stay in their order.

    Args:
        pieces: x and y of some examples.
        buffer: The number of examples in the pool.
        rng: Draws the order.
    """
    if buffer == 1:
        yield from pieces
        return
    pool: Piece | None = None
    for piece in pieces:
        both = piece if pool is None else tuple(map(np.concatenate, zip(pool, piece, strict=True)))
        order = rng.permutation(len(both[0]))
        stay, leave = order[:buffer], order[buffer:]
        pool = both[0][stay], both[1][stay]
        if len(leave):
            yield both[0][leave], both[1][leave]
    if pool is not None:
        yield pool
