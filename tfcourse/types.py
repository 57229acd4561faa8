"""Types by what they mean: tensors, Keras's objects, configuration values.

Keras and TensorFlow carry no type information. Keras's sources are read by mypy and by editors, so
that its names are its classes; TensorFlow's are too large for mypy, to which they are `Any`. At run
time all of them are `Any`: importing this module imports neither Keras nor TensorFlow.

A value that is only looked at with `isinstance` is an `object`, not one of these.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

__all__ = [
    "Array",
    "Callback",
    "CallbackList",
    "Callbacks",
    "ClassWeight",
    "ConcreteFunction",
    "Constraint",
    "ConstraintLike",
    "DType",
    "DTypeLike",
    "DataFrame",
    "Dataset",
    "DatasetIterator",
    "Graph",
    "Hyperparameter",
    "Hyperparameters",
    "Initializer",
    "InitializerLike",
    "JSONValue",
    "KerasConfig",
    "KerasModel",
    "KerasTensor",
    "Layer",
    "LearningRate",
    "Logs",
    "Loss",
    "LossLike",
    "Metric",
    "MetricLike",
    "Nested",
    "Optimizer",
    "OptimizerLike",
    "Optional",
    "PyDataset",
    "Regularizer",
    "RegularizerLike",
    "SampleWeight",
    "Scalar",
    "Series",
    "Shape",
    "Strategy",
    "Tensor",
    "TensorArray",
    "TensorFunction",
    "TensorLike",
    "TrainingData",
    "Variable",
]

if TYPE_CHECKING:
    import keras
    import numpy as np
    import numpy.typing as npt
    import tensorflow as tf

    # A tensor of TensorFlow, eager or within a graph.
    Tensor: TypeAlias = tf.Tensor
    # Keras's symbolic tensor: the shape and type of a value while a model is put together.
    KerasTensor: TypeAlias = keras.KerasTensor
    # TensorFlow's list of tensors that a loop writes, and its batch or none of an iterator.
    TensorArray: TypeAlias = tf.TensorArray
    Optional: TypeAlias = tf.experimental.Optional
    # A variable of Keras; its `.value` is the one of TensorFlow.
    Variable: TypeAlias = keras.Variable
    # A NumPy array of any shape and type.
    Array: TypeAlias = npt.NDArray[Any]
    # What `tf.function` returns, and one trace of it.
    TensorFunction: TypeAlias = tf.types.experimental.PolymorphicFunction
    ConcreteFunction: TypeAlias = tf.types.experimental.ConcreteFunction
    Graph: TypeAlias = tf.Graph
    Dataset: TypeAlias = tf.data.Dataset
    PyDataset: TypeAlias = keras.utils.PyDataset
    DatasetIterator: TypeAlias = tf.data.Iterator
    Strategy: TypeAlias = tf.distribute.Strategy

    KerasModel: TypeAlias = keras.Model
    Layer: TypeAlias = keras.Layer
    Optimizer: TypeAlias = keras.optimizers.Optimizer
    Metric: TypeAlias = keras.metrics.Metric
    Callback: TypeAlias = keras.callbacks.Callback
    CallbackList: TypeAlias = keras.callbacks.CallbackList
    # As `fit` takes them.
    Callbacks: TypeAlias = CallbackList | Sequence[Callback] | Callback | None
    Loss: TypeAlias = keras.losses.Loss
    Initializer: TypeAlias = keras.initializers.Initializer
    Regularizer: TypeAlias = keras.regularizers.Regularizer
    Constraint: TypeAlias = keras.constraints.Constraint
    # As `compile` and the layers take them: the object or its name; a loss or metric may be a
    # function too.
    OptimizerLike: TypeAlias = keras.optimizers.Optimizer | str
    LossLike: TypeAlias = keras.losses.Loss | str | Callable[[Any, Any], Any]
    MetricLike: TypeAlias = keras.metrics.Metric | str | Callable[[Any, Any], Any]
    InitializerLike: TypeAlias = keras.initializers.Initializer | str
    RegularizerLike: TypeAlias = keras.regularizers.Regularizer | str
    ConstraintLike: TypeAlias = keras.constraints.Constraint | str
    # A number, a schedule over the steps, or a function that returns a number.
    LearningRate: TypeAlias = (
        float | keras.optimizers.schedules.LearningRateSchedule | Callable[[], float | Tensor]
    )
    # A type of numbers, and what names one: "float32", NumPy's or TensorFlow's type.
    DType: TypeAlias = tf.DType
    DTypeLike: TypeAlias = str | np.dtype[Any] | tf.DType
else:
    Tensor = TensorArray = KerasTensor = Variable = Array = Any
    TensorFunction = ConcreteFunction = Optional = Any
    Graph = Dataset = PyDataset = DatasetIterator = Strategy = Any
    KerasModel = Layer = Optimizer = Metric = Callback = CallbackList = Callbacks = Loss = Any
    Initializer = Regularizer = Constraint = Any
    OptimizerLike = LossLike = MetricLike = InitializerLike = RegularizerLike = ConstraintLike = Any
    LearningRate = Any
    DType = DTypeLike = Any

# What `tf.convert_to_tensor` takes: a tensor, a variable, an array, a number or lists of numbers.
TensorLike: TypeAlias = Any
# A number as Python's, NumPy's or a tensor of shape ().
Scalar: TypeAlias = Any
# Tensors or arrays in dictionaries, lists and tuples, nested as in `tf.nest`; or one alone.
Nested: TypeAlias = Any
# What `fit` takes as `x`: arrays, tensors, tables, a dataset, a `PyDataset` or a generator.
TrainingData: TypeAlias = Any
# A weight for every example, nested as the outputs are; None is a weight of one.
SampleWeight: TypeAlias = Any
# A table of pandas and a column of one, which tfcourse does not import.
DataFrame: TypeAlias = Any
Series: TypeAlias = Any

# The length of each axis; None where it is not known.
Shape: TypeAlias = tuple[int | None, ...]
# A weight for each class by its index.
ClassWeight: TypeAlias = Mapping[int, float]
# An epoch's or a step's metrics by name.
Logs: TypeAlias = dict[str, Any]
# What `get_config` returns.
KerasConfig: TypeAlias = dict[str, Any]

# What JSON can hold; a tuple is written as a list.
JSONValue: TypeAlias = (
    bool | int | float | str | Sequence["JSONValue"] | Mapping[str, "JSONValue"] | None
)
# The value of one searched parameter, and those of a trial by name.
Hyperparameter: TypeAlias = bool | int | float | str
Hyperparameters: TypeAlias = Mapping[str, Hyperparameter]
