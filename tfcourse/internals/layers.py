"""Layers, the graph of a functional model, and the names that Keras counts up."""

import importlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from tfcourse.internals.versions import uses
from tfcourse.types import KerasModel, KerasTensor, Layer, Nested, Shape, Tensor, Variable

__all__ = [
    "automatic_names",
    "flatten_layers",
    "functional_model",
    "graph_nodes",
    "is_of_operations",
    "is_tracking_attribute",
    "keras_mask",
    "lambda_output_shape",
    "output_spec",
    "own_weights",
    "reset_automatic_names",
    "seed_generators",
    "set_automatic_names",
    "set_trainable_flag",
    "snake_case_name",
    "takes_training",
    "trainable_flag",
]


@uses("keras.Layer._flatten_layers")
def flatten_layers(layer: Layer, include_self: bool = True, recursive: bool = True) -> list[Layer]:
    """Return a layer and the layers inside it, also those that are its attributes.

    The public ``Model.layers`` has only a model's direct ones, and a layer has nothing like it.

    Args:
        layer: A layer or model.
        include_self: Whether it is the first of the list.
        recursive: Whether the layers inside of those inside it are in the list.
    """
    return list(layer._flatten_layers(include_self, recursive))


@uses("keras.Sequential._functional")
def functional_model(model: KerasModel) -> KerasModel:
    """Return the functional model behind a Sequential one; None before it is built.

    Public is only its call.
    """
    functional: KerasModel = model._functional
    return functional


@uses("keras.Function._nodes_by_depth")
def graph_nodes(model: KerasModel) -> list[Any]:
    """Return the nodes (calls of operations) of a functional model, from inputs to outputs.

    Public are the operations without what each call takes and gives.
    """
    by_depth = model._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


@uses("keras.Layer._call_has_training_arg")
def takes_training(layer: Layer) -> bool:
    """Return True if a layer's ``call`` takes ``training``, as Keras's own steps decide it."""
    return bool(layer._call_has_training_arg)


@uses("keras.Layer._trainable_variables", "keras.Layer._non_trainable_variables")
def own_weights(layer: Layer) -> list[Variable]:
    """Return the weights of a layer without those of the layers inside it.

    The public lists hold both.
    """
    return [*layer._trainable_variables, *layer._non_trainable_variables]


@uses("keras.Layer._seed_generators")
def seed_generators(layer: Layer) -> list[Any]:
    """Return the seed generators of a layer itself; public are only their states, as variables."""
    return list(layer._seed_generators)


@uses("keras.Layer._trainable", "keras.Variable._trainable")
def trainable_flag(part: Layer | Variable) -> bool:
    """Return a layer's or variable's own flag.

    The public ``trainable`` of a layer sets the flags of all that is inside it as well.
    """
    return bool(part._trainable)


@uses("keras.Layer._trainable", "keras.Variable._trainable")
def set_trainable_flag(part: Layer | Variable, trainable: bool) -> None:
    """Set a layer's or variable's own flag, and no other."""
    part._trainable = trainable


@uses("keras.layers.Lambda._output_shape")
def lambda_output_shape(layer: Layer) -> Shape | None:
    """Return the ``output_shape`` that a ``Lambda`` layer was created with.

    ``get_config`` has it only in a serialized form, which Keras refuses to load.
    """
    shape: Shape | None = layer._output_shape
    return shape


@uses("keras.src.backend.common.masking.get_keras_mask")
def keras_mask(tensor: Tensor | KerasTensor) -> Tensor | None:
    """Return the mask that Keras has attached to a tensor, if there is one.

    ``compute_mask`` of a layer is public, the mask of a tensor is not.
    """
    from keras.src.backend.common.masking import get_keras_mask

    return get_keras_mask(tensor)


@uses("keras.src.backend.compute_output_spec")
def output_spec(call: Callable[..., Any], *arguments: Nested, **options: object) -> Nested:
    """Return symbols of what a function gives on symbols, creating the variables that it makes.

    It is what builds Keras's models; the public ``compute_output_spec`` of a layer does not take a
    step of a model.
    """
    backend: Any = importlib.import_module("keras.src.backend")
    return backend.compute_output_spec(call, *arguments, **options)


@uses("keras.src.utils.naming.to_snake_case")
def snake_case_name(class_name: str) -> str:
    """Return the name that Keras gives the first layer of a class without one."""
    from keras.src.utils.naming import to_snake_case

    return str(to_snake_case(class_name))


@uses("keras.src.backend.common.global_state.get_global_attribute")
def automatic_names() -> dict[str, int]:
    """Return how often Keras has used each automatic name; `set_automatic_names` restores it."""
    from keras.src.backend.common import global_state

    return dict(global_state.get_global_attribute("object_name_uids") or {})


@uses("keras.src.backend.common.global_state.set_global_attribute")
def set_automatic_names(counts: Mapping[str, int]) -> None:
    """Set how often Keras has used each automatic name; nothing public does."""
    from keras.src.backend.common import global_state

    global_state.set_global_attribute("object_name_uids", defaultdict(int, counts))


@uses("keras.src.utils.naming.reset_uids")
def reset_automatic_names() -> None:
    """Count automatic names from the start again: the next AUC() is "auc", and not "auc_2".

    The public ``keras.utils.clear_session`` does it too, but also drops the seeds and graphs.
    """
    from keras.src.utils.naming import reset_uids

    reset_uids()


def is_of_operations(operation: Layer) -> bool:
    """Return True for what a function of ``keras.ops`` adds to a graph; its class is not public."""
    return type(operation).__module__.startswith("keras.src.ops")


def is_tracking_attribute(name: str) -> bool:
    """Return True for the attributes in which TensorFlow lists a layer's other attributes."""
    return name.startswith("_self_")
