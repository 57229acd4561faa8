"""Data as Keras's loops take it, callbacks, and datasets of TensorFlow."""

from typing import Any

import keras

from tfcourse.internals.versions import uses
from tfcourse.types import Callback, Dataset, Logs, Nested, Strategy, TrainingData

__all__ = [
    "can_convert_arrays",
    "can_slice",
    "dataset_functions",
    "dataset_inputs",
    "dataset_strategy",
    "get_data_adapter",
    "is_variant_dataset",
    "process_attributes",
    "python_logs",
    "split_arrays",
    "traces_batches",
]


@uses("keras.src.trainers.data_adapters.get_data_adapter")
def get_data_adapter(
    x: TrainingData, y: Nested = None, sample_weight: Nested = None, **options: object
) -> Any:
    """Return Keras's adapter for data of any kind that it takes.

    The rules of what ``fit`` takes as data are nowhere public.
    """
    from keras.src.trainers import data_adapters

    return data_adapters.get_data_adapter(x, y, sample_weight, **options)


@uses("keras.src.trainers.data_adapters.array_data_adapter.can_convert_arrays")
def can_convert_arrays(arrays: Nested) -> bool:
    """Return True if Keras takes all parts for arrays."""
    from keras.src.trainers.data_adapters import array_data_adapter

    return bool(array_data_adapter.can_convert_arrays(arrays))


@uses("keras.src.trainers.data_adapters.array_slicing.can_slice_array")
def can_slice(array: object) -> bool:
    """Return True if Keras can split an array for ``validation_split``."""
    from keras.src.trainers.data_adapters import array_slicing

    return bool(array_slicing.can_slice_array(array))


@uses("keras.src.trainers.data_adapters.array_slicing.train_validation_split")
def split_arrays(parts: Nested, fraction: float) -> tuple[Nested, Nested]:
    """Return the first examples and the last ones, as ``validation_split`` splits them.

    The public ``keras.utils.split_dataset`` takes neither sparse nor ragged arrays.
    """
    from keras.src.trainers.data_adapters import array_slicing

    train, validation = array_slicing.train_validation_split(parts, fraction)
    return train, validation


@uses("keras.src.utils.python_utils.pythonify_logs")
def python_logs(logs: Logs) -> Logs:
    """Return logs as Keras gives them to callbacks: floats, else arrays, without nesting."""
    from keras.src.utils import python_utils

    values: Logs = python_utils.pythonify_logs(logs)
    return values


@uses("keras.callbacks.TensorBoard._should_trace")
def traces_batches(callback: Callback) -> bool:
    """Return True if a callback is a ``TensorBoard`` that profiles batches (``profile_batch``)."""
    return isinstance(callback, keras.callbacks.TensorBoard) and bool(callback._should_trace)


@uses(
    "keras.callbacks.Callback._model",
    "keras.callbacks.TensorBoard._is_tracing",
    "keras.callbacks.TensorBoard._profiler_started",
)
def process_attributes(callback: Callback) -> set[str]:
    """Return the attributes of a callback that belong to its process: the model, a trace."""
    if isinstance(callback, keras.callbacks.TensorBoard):
        return {"_model", "_is_tracing", "_profiler_started"}
    return {"_model"}


@uses("tensorflow.data.Dataset._inputs")
def dataset_inputs(dataset: Dataset) -> list[Dataset]:
    """Return the datasets that a dataset is made of; nothing public tells."""
    return list(dataset._inputs())


@uses("tensorflow.data.Dataset._functions")
def dataset_functions(dataset: Dataset) -> list[Any]:
    """Return the functions that a dataset's own stage calls, such as that of ``map``."""
    return list(dataset._functions())


@uses("tensorflow.python.data.ops.dataset_ops._VariantDataset")
def is_variant_dataset(dataset: Dataset) -> bool:
    """Return True for a dataset read from a variant, which does not say what it is made of."""
    from tensorflow.python.data.ops import dataset_ops

    return isinstance(dataset, dataset_ops._VariantDataset)


@uses("tensorflow.distribute.DistributedDataset._strategy")
def dataset_strategy(dataset: Dataset) -> Strategy:
    """Return the strategy that a dataset was distributed by; nothing public tells."""
    return dataset._strategy
