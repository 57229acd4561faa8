"""The levels of the categories of a table that a search's models have inputs for."""

from collections.abc import Mapping
from dataclasses import replace

from tfcourse.data.splits import Split, joined
from tfcourse.errors import InputError
from tfcourse.search.config.architecture import is_builtin
from tfcourse.search.config.builders import Builder
from tfcourse.search.config.hyperparameters import LEVELS
from tfcourse.search.config.search_config import SearchConfig

__all__ = ["with_sizes"]


def with_sizes(split: Split, config: SearchConfig) -> Split:
    """Return a split whose categories have the levels of the train set, or with folds of all sets.

    That is of the train and dev set, so that all folds have models of one shape. The inputs for
    levels that a fold's train set lacks are 0 there.

    Raises:
        InputError: A category is an index, and the builder takes an array alone, or ``normalize``
            is a table.
    """
    if split.columns is None or split.is_encoded:
        return split
    if not isinstance(config.data.normalize, str):
        raise InputError(
            "normalize must be a text for a table with categories or missing values, such as "
            f'"standardize": it is for all numbers. Received: {dict(config.data.normalize)}.'
        )
    columns = split.columns
    if columns.sizes is None:
        pool = split.train if config.training.folds == 1 else joined(split.train, split.dev)
        columns = columns.sized(pool.x)
    if isinstance(columns.shape, Mapping) and _takes_arrays_alone(config.builder):
        column = columns.features[columns.categories("index")[0]]
        name, size = column.name, columns.size(column)
        raise InputError(
            f'the column "{name}" has {size} levels, more than max_one_hot = '
            f"{config.data.max_one_hot}, and is an index for an Embedding, which the builder "
            f'"{config.builder.name}" does not take. Give max_one_hot = {size}, leave the column '
            f'out with drop = ["{name}"], or use "mlp", "linear" or a builder of your own.'
        )
    return replace(split, columns=columns)


def _takes_arrays_alone(builder: Builder) -> bool:
    """Return True for a builder of tfcourse's without embeddings."""
    return is_builtin(builder) and LEVELS not in builder.arguments
