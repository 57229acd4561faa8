"""Options of the calls of compiled functions: an optimization of their graphs, or none."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from typing import Any

import tensorflow as tf

from tfcourse.internals.versions import uses

__all__ = ["graph_optimization"]


@uses(
    "tensorflow.python.eager.context.context",
    "tensorflow.python.eager.context.FunctionCallOptions",
    "tensorflow.python.eager.context.Context.function_call_options",
)
def graph_optimization(wanted: bool) -> AbstractContextManager[None]:
    """Return a context in which TensorFlow optimizes the graphs of functions, or runs them as is.

    It optimizes a graph when a function runs for the first time. The public
    ``tf.config.optimizer`` is a setting of the whole process, for the user's own functions too.
    """
    if wanted:
        return nullcontext()
    from tensorflow.python.eager import context

    now = context.context().function_call_options
    config = _without_optimizers(now.config_proto_serialized)
    return _function_call_options(context.FunctionCallOptions(now.executor_type, config))


@lru_cache(maxsize=8)
def _without_optimizers(config: bytes) -> Any:
    copy = tf.compat.v1.ConfigProto.FromString(config)
    copy.graph_options.rewrite_options.disable_meta_optimizer = True
    return copy


@contextmanager
def _function_call_options(options: Any) -> Iterator[None]:
    from tensorflow.python.eager import context

    now: Any = context.context()
    before, now.function_call_options = now.function_call_options, options
    try:
        yield
    finally:
        now.function_call_options = before
