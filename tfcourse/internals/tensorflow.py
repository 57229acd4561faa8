"""TensorFlow's compiled functions and graphs, and the global seeds."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from types import ModuleType
from typing import Any

import numpy as np
import tensorflow as tf

from tfcourse.internals.versions import uses
from tfcourse.types import Array, ConcreteFunction, DType, Tensor, TensorFunction

__all__ = [
    "allow_retracing",
    "assign_variables",
    "concrete_functions",
    "fast_error_messages",
    "function_graph",
    "in_xla_context",
    "operation_definition",
    "read_variables",
    "seed_generator_state",
    "seed_state",
    "set_global_seeds",
    "set_seed_generator_state",
    "tensor_of",
]


@uses("tensorflow.function._omit_frequent_tracing_warning")
def allow_retracing(function: TensorFunction) -> TensorFunction:
    """Have a ``tf.function`` not warn of frequent tracing where each trace is meant; return it.

    The public ``reduce_retracing`` avoids the warning by traces for unknown shapes.
    """
    function._omit_frequent_tracing_warning = True
    return function


@uses("tensorflow.function._list_all_concrete_functions")
def concrete_functions(function: TensorFunction) -> list[ConcreteFunction]:
    """Return all traces of a ``tf.function``; public is only their number."""
    return list(function._list_all_concrete_functions())


@uses("tensorflow.python.framework.error_interpolation.parse_message")
def fast_error_messages() -> AbstractContextManager[None]:
    """Return a context in which TensorFlow parses the messages of errors in linear time.

    It searches them for tags like ``{{node x}}``. After the last one it starts again at each
    character, which takes a second or two for the message about a program that XLA can't compile.
    The context leaves out that part; what TensorFlow makes of the message is the same.
    """
    from tensorflow.python.framework import error_interpolation

    # Of several threads in the context, the last one to leave must not restore another one's.
    parse = error_interpolation.parse_message
    return _parser_of_tagged_part(error_interpolation, getattr(parse, "__wrapped__", parse))


@contextmanager
def _parser_of_tagged_part(
    module: ModuleType, parse: Callable[[str], tuple[str, Any, Any]]
) -> Iterator[None]:
    @wraps(parse)
    def parse_tagged_part(message: str) -> tuple[str, Any, Any]:
        end = message.rfind("}}") + len("}}")
        text, functions, nodes = parse(message[:end])
        return text + message[end:], functions, nodes

    vars(module)["parse_message"] = parse_tagged_part
    try:
        yield
    finally:
        vars(module)["parse_message"] = parse


@uses("tensorflow.__internal__.FuncGraph")
def function_graph(name: str) -> AbstractContextManager[Any]:
    """Return a context in which operations are added to a new function's graph and never run.

    The graph of the public ``tf.function`` is made into a function that stays registered.
    """
    context: AbstractContextManager[Any] = tf.__internal__.FuncGraph(name).as_default()
    return context


@uses(
    "tensorflow.python.pywrap_tfe.TFE_Py_FastPathExecute",
    "tensorflow.python.eager.context.context",
)
def read_variables(handles: Sequence[Tensor], dtypes: Sequence[DType]) -> list[Tensor]:
    """Return the values of variables of one device, read in one operation, outside of any graph.

    The public operations read one variable each. For the 37 of a small MLP and its optimizer they
    take 0.17 ms, a seventh of a short epoch; this takes 0.04 ms.

    Args:
        handles: The variables' resources.
        dtypes: Their types.
    """
    from tensorflow.python import pywrap_tfe
    from tensorflow.python.eager import context

    execute = pywrap_tfe.TFE_Py_FastPathExecute
    return list(
        execute(context.context(), "_ReadVariablesOp", None, list(handles), "dtypes", list(dtypes))
    )


@uses(
    "tensorflow.python.pywrap_tfe.TFE_Py_FastPathExecute",
    "tensorflow.python.eager.context.context",
)
def assign_variables(handles: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Assign values to variables of the same shapes and types, outside of any graph.

    The public ``tf.raw_ops`` take 0.06 ms for each, this 0.01 ms.

    Args:
        handles: The variables' resources.
        values: Tensors.
    """
    from tensorflow.python import pywrap_tfe
    from tensorflow.python.eager import context

    execute, now = pywrap_tfe.TFE_Py_FastPathExecute, context.context()
    for handle, value in zip(handles, values, strict=True):
        execute(now, "AssignVariableOp", None, handle, value, "validate_shape", True)


@uses("tensorflow.python.framework.op_def_registry.get")
def operation_definition(name: str) -> Any:
    """Return the definition (arguments, whether it has state) of an operation; None if unknown.

    ``tf.raw_ops`` are functions without it.
    """
    from tensorflow.python.framework import op_def_registry

    return op_def_registry.get(name)


@uses("tensorflow.python.ops.control_flow_util.GraphOrParentsInXlaContext")
def in_xla_context() -> bool:
    """Return True while a graph is traced that XLA will compile; nothing public tells."""
    from tensorflow.python.ops import control_flow_util

    graph = tf.compat.v1.get_default_graph()
    return bool(control_flow_util.GraphOrParentsInXlaContext(graph))


@uses("tensorflow.python.eager.context.context", "tensorflow.python.eager.context.Context._rng")
def seed_state() -> tuple[int, Any] | None:
    """Return the global generator of operation seeds and its state; None before it is seeded.

    It tells whether an operation has drawn its seed from it.
    """
    from tensorflow.python.eager import context

    generator = getattr(context.context(), "_rng", None)
    return None if generator is None else (id(generator), generator.getstate())


@uses(
    "tensorflow.python.eager.context.context",
    "tensorflow.python.eager.context.Context._seed",
    "tensorflow.python.eager.context.Context._rng",
    "keras.src.backend.common.global_state.set_global_attribute",
    "keras.src.random.seed_generator.GLOBAL_SEED_GENERATOR",
    "keras.src.utils.rng_utils.GLOBAL_RANDOM_SEED",
)
def set_global_seeds(seed: int) -> None:
    """Set the global seeds of TensorFlow and Keras, and leave TensorFlow's kernels.

    The public ``tf.random.set_seed`` deletes the kernels of all compiled programs.
    """
    from keras.src.backend.common import global_state
    from keras.src.random import seed_generator
    from keras.src.utils import rng_utils
    from tensorflow.python.eager import context

    global_state.set_global_attribute(rng_utils.GLOBAL_RANDOM_SEED, seed)
    global_state.set_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR, None)
    eager: Any = context.context()
    eager._seed, eager._rng = seed, random.Random(seed)


@uses(
    "keras.src.backend.common.global_state.get_global_attribute",
    "keras.src.random.seed_generator.GLOBAL_SEED_GENERATOR",
)
def seed_generator_state() -> Array | None:
    """Return the state of Keras's global seed generator; None before its first use.

    The functions of ``keras.random`` without a seed use it; nothing public gives it.
    """
    from keras.src.backend.common import global_state
    from keras.src.random import seed_generator

    generator = global_state.get_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR)
    return None if generator is None else generator.state.numpy().copy()


@uses(
    "keras.src.backend.common.global_state.get_global_attribute",
    "keras.src.backend.common.global_state.set_global_attribute",
    "keras.src.random.seed_generator.GLOBAL_SEED_GENERATOR",
)
def set_seed_generator_state(state: Array | None) -> None:
    """Set the state of Keras's global seed generator to one of `seed_generator_state`."""
    from keras.src.backend.common import global_state
    from keras.src.random import seed_generator

    name = seed_generator.GLOBAL_SEED_GENERATOR
    if state is None:
        global_state.set_global_attribute(name, None)
    else:
        global_state.get_global_attribute(name).state.assign(state)


@uses("tensorflow.python.framework.ops.EagerTensor")
def tensor_of(array: Array) -> Tensor:
    """Return ``tf.convert_to_tensor(array)``, a view where nothing can write to the memory.

    Such memory is a file that several processes map. The public functions copy every array, as it
    may be written to later.
    """
    if not _is_read_only(array):
        return tf.convert_to_tensor(array)
    from tensorflow.python.framework import ops

    dtype, device = tf.as_dtype(array.dtype), tf.zeros(()).device
    return ops.EagerTensor(array, device=device, dtype=dtype.as_datatype_enum)


def _is_read_only(array: object) -> bool:
    """Return True if an array's memory is one that even its owner can't write to."""
    while isinstance(array, np.ndarray):
        if array.flags.writeable or not array.flags.c_contiguous:
            return False
        array = array.base
    return isinstance(array, memoryview) and array.readonly
