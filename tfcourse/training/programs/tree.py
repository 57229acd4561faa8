"""Nested data of which some leaves may be None, such as weights that were not passed."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfcourse.types import Nested, Tensor

__all__ = ["ROWS", "first_leaf", "gather_rows", "map_leaves", "replace_leaves", "tree_leaves"]

# The name of the operation that gathers a batch, whose indices are in range by construction.
ROWS = "tfcourse_rows"


def tree_leaves(nested: Nested) -> list[Any]:
    """Return the leaves that aren't None."""
    return [leaf for leaf in tf.nest.flatten(nested) if leaf is not None]


def first_leaf(nested: Nested) -> Any:
    """Return the first leaf that isn't None."""
    return next(leaf for leaf in tf.nest.flatten(nested) if leaf is not None)


def map_leaves(function: Callable[[Any], Any], nested: Nested) -> Nested:
    """Return the same structure with the function's value for each leaf; None stays."""
    return tf.nest.map_structure(lambda leaf: None if leaf is None else function(leaf), nested)


def replace_leaves(nested: Nested, leaves: Sequence[object]) -> Nested:
    """Return the same structure with other leaves, in the order of `tree_leaves`."""
    rest = iter(leaves)
    return map_leaves(lambda _: next(rest), nested)


def gather_rows(data: Nested, rows: Tensor) -> Nested:
    """Return some rows of every array."""
    return map_leaves(lambda array: tf.gather(array, rows, name=ROWS), data)
