"""Nested data of which some leaves may be None, such as weights that are not given."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

__all__ = ["ROWS", "first_leaf", "gather_rows", "map_leaves", "replace_leaves", "tree_leaves"]

# The name of the operation that gathers a batch, whose indices are in range by construction.
ROWS = "tfcourse_rows"


def tree_leaves(nested: Any) -> list[Any]:
    """The leaves that aren't None."""
    return [leaf for leaf in tf.nest.flatten(nested) if leaf is not None]


def first_leaf(nested: Any) -> Any:
    """The first leaf that isn't None."""
    return next(leaf for leaf in tf.nest.flatten(nested) if leaf is not None)


def map_leaves(function: Callable[[Any], Any], nested: Any) -> Any:
    """The same structure with what the function gives for each leaf; None stays."""
    return tf.nest.map_structure(lambda leaf: None if leaf is None else function(leaf), nested)


def replace_leaves(nested: Any, leaves: Sequence[Any]) -> Any:
    """The same structure with other leaves, in the order of `tree_leaves`."""
    rest = iter(leaves)
    return map_leaves(lambda _: next(rest), nested)


def gather_rows(data: Any, rows: Any) -> Any:
    """Some rows of every array."""
    return map_leaves(lambda array: tf.gather(array, rows, name=ROWS), data)
