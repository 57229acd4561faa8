"""Pure datasets of ``tf.data``: those that have the same elements whenever they are read."""

from collections.abc import Iterator

import tensorflow as tf

from tfcourse.internals.data import dataset_functions, dataset_inputs, is_variant_dataset
from tfcourse.types import ConcreteFunction, Dataset

__all__ = ["is_pure"]

# A handle: of a variable, a table, a generator; or of a dataset, which can't be looked into.
HANDLES = (tf.resource, tf.variant)


def is_pure(dataset: Dataset) -> bool:
    """Return True if nothing that changes during a training can change a dataset's elements.

    It is False if one of its functions calls Python or reads a variable, and where that is unknown.
    """
    if not isinstance(dataset, tf.data.Dataset):
        return False
    try:
        return all(map(_is_pure_stage, _stages(dataset)))
    except (AttributeError, NotImplementedError):  # of another kind than TensorFlow's own
        return False


def _stages(dataset: Dataset) -> Iterator[Dataset]:
    """Yield a dataset and those that it is made of."""
    yield dataset
    for stage in dataset_inputs(dataset):
        yield from _stages(stage)


def _is_pure_stage(stage: Dataset) -> bool:
    return not is_variant_dataset(stage) and all(
        _is_pure_function(each.function) for each in dataset_functions(stage)
    )


def _is_pure_function(function: ConcreteFunction) -> bool:
    graph = function.graph.as_graph_def()
    inner = (node for each in graph.library.function for node in each.node_def)
    calls_python = any("PyFunc" in node.op for node in (*graph.node, *inner))
    return not calls_python and all(t.dtype not in HANDLES for t in function.captured_inputs)
