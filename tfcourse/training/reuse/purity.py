"""A check that traced programs depend on nothing but their inputs and a model's variables."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import tensorflow as tf

from tfcourse.internals.tensorflow import concrete_functions, operation_definition
from tfcourse.types import ConcreteFunction

__all__ = ["impurity", "traced_functions"]

# The operations with state that a program may contain: reading and writing variables, and control
# flow, whose bodies are examined by themselves. cuDNN's recurrent kernels have state for their
# dropout, which Keras does not use. An iterator is the program's argument: one of the program's own
# would be a captured resource.
ALLOWED = {
    "ReadVariableOp", "AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp",
    "VariableShape", "VarIsInitializedOp", "ResourceGather", "ResourceGatherNd",
    "ResourceScatterAdd", "ResourceScatterSub", "ResourceScatterUpdate",
    "While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase",
    "PartitionedCall", "StatefulPartitionedCall",
    "IteratorGetNext", "IteratorGetNextAsOptional", "IteratorGetNextSync",
    "Assert", "Print", "PrintV2", "NoOp", "Placeholder",
    "TensorArrayV3", "CudnnRNNV2", "CudnnRNNV3", "CudnnRNNBackpropV2", "CudnnRNNBackpropV3",
}  # fmt: skip


def traced_functions(value: object) -> Iterator[ConcreteFunction]:
    """Yield all traces of the ``tf.function``s inside this library's objects, at any depth."""
    if isinstance(value, tf.types.experimental.PolymorphicFunction):
        yield from concrete_functions(value)
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from traced_functions(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from traced_functions(part)
    elif type(value).__module__.startswith("tfcourse.training."):
        yield from traced_functions(vars(value))


def impurity(function: ConcreteFunction, resources: Collection[int]) -> str | None:
    """Return what a trace depends on beside its inputs and some variables; None if on nothing.

    Args:
        function: The trace.
        resources: The handles of the variables, by ``id``.
    """
    for outer, _ in function.graph.captures:
        if outer.dtype.name == "resource" and id(outer) not in resources:
            return "its program uses a variable or resource that is none of the model's"
        if outer.dtype.name == "variant":
            return "its program uses an object that is none of the model's variables"
    graph = function.graph.as_graph_def()
    for nodes in (graph.node, *(inner.node_def for inner in graph.library.function)):
        reason = _impurity_of_nodes(nodes)
        if reason is not None:
            return reason
    return None


def _impurity_of_nodes(nodes: Collection[Any]) -> str | None:
    by_name = {node.name: node for node in nodes}
    for node in nodes:
        definition = operation_definition(node.op)
        if definition is None:
            continue  # a call of one of the functions, whose nodes are examined by themselves
        if definition.is_stateful and node.op not in ALLOWED:
            return f"its program keeps state in a {node.op} operation"
        seeds = [i for i, argument in enumerate(definition.input_arg) if argument.name == "seed"]
        if any(_is_constant(node.input[i], by_name) for i in seeds):
            return "its program draws random numbers from a seed that is part of the program"
    return None


def _is_constant(name: str, by_name: Mapping[str, Any]) -> bool:
    """Return True if a tensor is computed from constants alone."""
    queue, visited = [name], set()
    while queue:
        node = by_name.get(queue.pop().lstrip("^").split(":")[0])
        if node is None or node.op in ("Placeholder", "ReadVariableOp"):
            return False  # an argument, or a variable's value
        if node.name not in visited:
            visited.add(node.name)
            queue.extend(node.input)
    return True
