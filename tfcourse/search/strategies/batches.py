"""The batches in which trials run that learn from those before them."""

__all__ = ["first_of_batch"]


def first_of_batch(trial: int, initial: int, parallel: int) -> int:
    """Return the first trial of a trial's batch.

    Args:
        trial: The trial's number.
        initial: The size of the first batch.
        parallel: The size of the others.
    """
    return 0 if trial < initial else initial + (trial - initial) // parallel * parallel
