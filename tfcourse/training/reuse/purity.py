"""A check that traced programs depend on nothing but their inputs and a model's variables."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import tensorflow as tf

from tfcourse.internals.tensorflow import concrete_functions, operation_definition

__all__ = ["impurity", "traced_functions"]

# The operations with state that a program may hold: reading and writing variables, and control
# flow, whose bodies are looked at by themselves. cuDNN's recurrent kernels keep state for their
# dropout, which Keras does not use.
ALLOWED = {
    "ReadVariableOp", "AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp",
    "VariableShape", "VarIsInitializedOp", "ResourceGather", "ResourceGatherNd",
    "ResourceScatterAdd", "ResourceScatterSub", "ResourceScatterUpdate",
    "While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase",
    "PartitionedCall", "StatefulPartitionedCall",
    "Assert", "Print", "PrintV2", "NoOp", "Placeholder",
    "TensorArrayV3", "CudnnRNNV2", "CudnnRNNV3", "CudnnRNNBackpropV2", "CudnnRNNBackpropV3",
}  # fmt: skip


def traced_functions(thing: Any) -> Iterator[Any]:
    """All traces of the ``tf.function``s that this library's objects hold, in any depth."""
    if isinstance(thing, tf.types.experimental.PolymorphicFunction):
        yield from concrete_functions(thing)
    elif isinstance(thing, Mapping):
        for part in thing.values():
            yield from traced_functions(part)
    elif isinstance(thing, list | tuple):
        for part in thing:
            yield from traced_functions(part)
    elif type(thing).__module__.startswith("tfcourse.training."):
        yield from traced_functions(vars(thing))


def impurity(function: Any, resources: Collection[int]) -> str | None:
    """What a trace depends on beside its inputs and the known variables; None if on nothing.

    Args:
        function: A ``ConcreteFunction``.
        resources: The handles of the known variables, by ``id``.
    """
    for outer, _ in function.graph.captures:
        if outer.dtype.name == "resource" and id(outer) not in resources:
            return "its program uses a variable or resource that is none of the model's"
        if outer.dtype.name == "variant":
            return "its program uses an object that is none of the model's variables"
    graph = function.graph.as_graph_def()
    for nodes in (graph.node, *(inner.node_def for inner in graph.library.function)):
        found = _impurity_of_nodes(nodes)
        if found is not None:
            return found
    return None


def _impurity_of_nodes(nodes: Collection[Any]) -> str | None:
    by_name = {node.name: node for node in nodes}
    for node in nodes:
        known = operation_definition(node.op)
        if known is None:
            continue  # a call of one of the functions, which are looked at by themselves
        if known.is_stateful and node.op not in ALLOWED:
            return f"its program keeps state in a {node.op} operation"
        seeds = [i for i, argument in enumerate(known.input_arg) if argument.name == "seed"]
        if any(_is_constant(node.input[i], by_name) for i in seeds):
            return "its program draws random numbers from a seed that is part of the program"
    return None


def _is_constant(name: str, by_name: Mapping[str, Any]) -> bool:
    """Whether a tensor is computed from constants alone."""
    waiting, seen = [name], set()
    while waiting:
        node = by_name.get(waiting.pop().lstrip("^").split(":")[0])
        if node is None or node.op in ("Placeholder", "ReadVariableOp"):
            return False  # an argument, or a variable's value
        if node.name not in seen:
            seen.add(node.name)
            waiting.extend(node.input)
    return True
