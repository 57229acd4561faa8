"""The batches of a ``PyDataset`` in another order in each epoch."""

import keras
import numpy as np

from tfcourse.data.streams.stream import shuffled_rows
from tfcourse.types import Nested

__all__ = ["OrderedBatches"]


class OrderedBatches(keras.utils.PyDataset):
    """A ``PyDataset`` with the batches of another one, in an order drawn from (seed, epoch).

    Args:
        dataset: The other one, with its workers.
    """

    def __init__(self, dataset: keras.utils.PyDataset) -> None:
        super().__init__(dataset.workers, dataset.use_multiprocessing, dataset.max_queue_size)
        self.dataset = dataset
        self.order = np.arange(dataset.num_batches)

    def begin(self, seed: int, epoch: int) -> None:
        """Bring the batches into the order of an epoch."""
        self.order = shuffled_rows(len(self.order), seed, epoch)

    def __len__(self) -> int:
        return len(self.order)

    @property
    def num_batches(self) -> int:
        """The number of batches."""
        return len(self.order)

    def __getitem__(self, index: int) -> Nested:
        return self.dataset[int(self.order[index])]

    def on_epoch_begin(self) -> None:
        """Call the other one's method."""
        self.dataset.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """Call the other one's method."""
        self.dataset.on_epoch_end()
