"""The batches of an epoch, from arrays in memory or a stream of batches."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeAlias

import keras
import tensorflow as tf

from tfcourse.errors import InputError, warn
from tfcourse.training.data.arrays import Arrays, epoch_order
from tfcourse.training.data.purity import is_pure
from tfcourse.training.programs.direct import DirectCalls
from tfcourse.training.programs.result import ProgramResult
from tfcourse.training.programs.tree import gather_rows
from tfcourse.types import DatasetIterator, KerasTensor, Nested, Tensor

__all__ = ["ArrayFeed", "Chunk", "Feed", "Program", "StreamFeed"]

# Takes some steps of an epoch in one call: see `EpochProgram` and `StreamProgram`.
Program: TypeAlias = Callable[..., ProgramResult]


@dataclass
class Chunk:
    """Some steps of an epoch that a program takes in one call.

    Attributes:
        start: The number of its first step in the epoch, from 0.
        steps: The number of its steps, unless the data end before.
        call: Runs them with a program.
        result: The result of `run`.
    """

    start: int
    steps: int
    call: Callable[[Program], ProgramResult]
    result: ProgramResult = field(default_factory=lambda: ProgramResult(0, True, None))

    def run(self, program: Program) -> ProgramResult:
        """Run the steps, and keep and return the result."""
        self.result = self.call(program)
        return self.result


class Feed(Protocol):
    """The batches of every epoch.

    Attributes:
        stream: Whether its programs take an iterator.
        repeatable: Whether the same epoch can be run again, from any step of it.
        sample: Symbols or tensors of a batch's shapes.
        known_shapes: Whether all shapes but the batch's size are known, as XLA needs them.
        steps: The steps of an epoch; None if unknown.
        batch_size: The examples of a step; None if unknown.
    """

    stream: bool
    repeatable: bool
    known_shapes: bool
    sample: Nested

    steps: int | None
    batch_size: int | None

    def chunks(self, epoch: int, stride: int, start: int = 0) -> Iterator[Chunk]:
        """Yield the epoch from step ``start``, in chunks of at most ``stride`` steps."""


class ArrayFeed(Feed):
    """Batches gathered from arrays, in an order that comes from (seed, epoch) alone.

    With ``steps_per_epoch`` an epoch is that number of steps, and the next one continues where it
    ended; as in Keras an epoch never holds the end of one pass and the beginning of another.
    """

    stream = False
    repeatable = True
    known_shapes = True

    def __init__(
        self,
        arrays: Arrays,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        steps_per_epoch: int | None = None,
        first_epoch: int = 0,
    ) -> None:
        self.arrays, self.batch_size = arrays, batch_size
        self.shuffle, self.seed = shuffle, seed
        self.sample = arrays.first(batch_size)
        self.available = arrays.batches(batch_size)
        self.steps = steps_per_epoch or self.available
        self.first_epoch = first_epoch
        self._calls = DirectCalls()
        self._unshuffled = None if shuffle else epoch_order(arrays.count, False, seed, 0)

    def chunks(self, epoch: int, stride: int, start: int = 0) -> Iterator[Chunk]:
        """Yield the epoch from step ``start``, in chunks of at most ``stride`` steps."""
        epochs_in_a_pass = math.ceil(self.available / self.steps)
        passes, part = divmod(epoch - self.first_epoch, epochs_in_a_pass)
        begin = part * self.steps
        end = min(begin + self.steps, self.available)
        if end - begin < self.steps:
            _warn_of_the_end(end - begin, self.steps)
        order = self._unshuffled
        if order is None:
            order = epoch_order(self.arrays.count, True, self.seed, self.first_epoch + passes)
        for first in range(begin + start, end, stride):
            last = min(first + stride, end)

            yield Chunk(first - begin, last - first, partial(self._call, order, first, last))

    def _call(self, order: Tensor, first: int, last: int, program: Program) -> ProgramResult:
        return program(self.arrays.data, order, self.batch_size, first, last, self._calls)

    def batch(self, epoch: int, step: int) -> Nested:
        """Return one batch of an epoch, as the program receives it."""
        batches: list[Nested] = []

        def take(
            data: Nested, order: Tensor, size: int, first: int, last: int, _: object
        ) -> ProgramResult:
            rows = order[first * size : last * size]
            batches.append(gather_rows(data, rows))
            return ProgramResult(1, True, None)

        next(self.chunks(epoch, 1, step)).run(take)
        return batches[0]


class StreamFeed(Feed):
    """Batches from a ``tf.data`` dataset, a ``PyDataset`` or a generator, as Keras adapts them."""

    stream = True
    repeatable = False

    def __init__(
        self,
        adapter: Any,
        steps_per_epoch: int | None = None,
        reset: bool = True,
        once: bool = False,
        begin: Callable[[int], None] | None = None,
        transform: Callable[..., Nested] | None = None,
    ) -> None:
        self.adapter = adapter
        self.begin = begin
        dataset = adapter.get_tf_dataset()
        if transform is not None:
            dataset = dataset.map(transform)
        self.sample = _symbols(dataset.element_spec)
        self.known_shapes = all(map(_is_static, tf.nest.flatten(dataset.element_spec)))
        self.batch_size = adapter.batch_size
        self.steps = steps_per_epoch or adapter.num_batches
        # A dataset of known length is repeated, and its iterator serves all epochs: to end one
        # costs milliseconds, in which its threads stop. But it reads ahead over the end of an
        # epoch: what a callback changes there would come too late.
        self.repeated = (
            isinstance(dataset, tf.data.Dataset)
            and steps_per_epoch is None
            and not (once or self.begin)
            and int(dataset.cardinality()) > 0
            and is_pure(dataset)
        )
        if self.repeated:
            dataset = dataset.repeat()
        self.continued = self.repeated or (steps_per_epoch is not None and self.begin is None)
        self.endless = (
            isinstance(dataset, tf.data.Dataset)
            and int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY
        )
        self.dataset = dataset
        self._iterator: DatasetIterator | None = None
        self._used = False
        self._first_length: int | None = None
        # As model.fit does before its first epoch: a PyDataset may shuffle here.
        if reset:
            adapter.on_epoch_end()

    def chunks(self, epoch: int, stride: int, start: int = 0) -> Iterator[Chunk]:
        """Yield the epoch in chunks of at most ``stride`` steps; ``start`` must be 0."""
        if self.begin is not None:
            self.begin(epoch)
        self.adapter.on_epoch_begin()
        self._used = True
        continues = self._iterator is not None and self.continued
        if not continues:
            self._iterator = iter(self.dataset)
        position = 0
        try:
            while self.steps is None or position < self.steps:
                size = stride if self.steps is None else min(stride, self.steps - position)
                chunk = Chunk(position, size, partial(self._call, size, continues and not position))
                yield chunk
                position += chunk.result.used
                if chunk.result.steps < size and chunk.result.finite:
                    self._iterator = None
                    self._first_length = self._first_length or position
                    wanted = self.steps or self._first_length
                    if position < wanted:
                        _warn_of_the_end(position, wanted)
                    break
        finally:  # also when the training is stopped inside the epoch
            if self.repeated and position != self.steps:
                self._iterator = None
            self.adapter.on_epoch_end()

    def restart(self) -> None:
        """Let the next epoch begin with the first batch, as every validation does."""
        if self._used:
            # Once more, as model.evaluate does before each of its epochs.
            self.adapter.on_epoch_end()
        if not self.repeated:
            self._iterator = None

    def _call(self, steps: int, continues: bool, program: Program) -> ProgramResult:
        """Run the next steps, from the first batch if the data ended with the last epoch."""
        result: ProgramResult = program(self._iterator, steps, self.endless)
        if continues and not result.steps:
            self._iterator = iter(self.dataset)
            result = program(self._iterator, steps, self.endless)
        return result


def _warn_of_the_end(steps: int, wanted: int) -> None:
    warn(
        f"The data ended after {steps} of the {wanted} steps of an epoch. Give it more batches "
        "(a dataset's .repeat()), or ask for fewer steps.",
    )


def _is_static(spec: Nested) -> bool:
    if isinstance(spec, tf.OptionalSpec):
        return True
    return isinstance(spec, tf.TensorSpec) and spec.shape[1:].is_fully_defined()


def _symbols(spec: Nested) -> Nested:
    """Return symbols of the shapes of a batch; None where Keras's adapters put an Optional."""

    def symbol(leaf: tf.TypeSpec) -> KerasTensor | None:
        if isinstance(leaf, tf.OptionalSpec):
            return None
        if leaf.shape.rank is None:
            raise InputError(
                "The dataset's elements have no known rank. Set their shapes, with "
                ".map(lambda x, y: (tf.ensure_shape(x, ...), tf.ensure_shape(y, ...)))."
            )
        return keras.KerasTensor(leaf.shape, keras.backend.standardize_dtype(leaf.dtype))

    return keras.tree.map_structure(symbol, spec)
