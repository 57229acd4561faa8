"""Programs that run without XLA where it can't compile them, or would omit checks of a CPU."""

from collections.abc import Callable, Collection
from typing import Any, TypeVar

import tensorflow as tf

from tfcourse.internals.function_options import graph_optimization
from tfcourse.internals.tensorflow import fast_error_messages
from tfcourse.training.programs.xla import (
    XLA_ERRORS,
    StringsError,
    UncheckedError,
    drops_checks,
    not_compiled,
    refuse_strings,
)

__all__ = ["XlaFallback"]

T = TypeVar("T")


class XlaFallback:
    """A program that runs without XLA where XLA can't compile it and isn't required.

    It also does where the program checks values that XLA would not check, such as ids outside of a
    table.

    A subclass compiles its functions in `_compile`, makes its calls through `_or_without_xla`, and
    calls `_check_trace` at the end of each trace.

    Args:
        layers: The names of the model's layers, for messages.
        safe: Scopes whose operations need none of the checks that XLA omits.
        in_range: The names of ``Embedding`` layers whose ids are known to be in range.

    Attributes:
        jit_compile: Whether XLA compiles the program now.
        required: Whether it is an error if XLA can't compile the program.
        optimized: Without XLA, whether TensorFlow optimizes the program's graph before it runs.
        xla_failed: Whether XLA could not compile it.
        unchecked: Whether a trace for XLA omits checks that the program makes on a CPU.
    """

    jit_compile: bool

    def __init__(
        self,
        layers: Collection[str] = (),
        safe: Collection[str] = (),
        in_range: Collection[str] = (),
    ) -> None:
        self.required, self.optimized = True, True
        self.xla_failed, self.unchecked = False, False
        self._layers, self._safe, self._in_range = list(layers), safe, in_range

    def _compile(self, jit_compile: bool) -> None:
        raise NotImplementedError

    def _or_without_xla(self, call: Callable[[], T]) -> T:
        """Return the call's result; compile without XLA from now on where XLA must not be used.

        Raises:
            InputError: XLA is required and can't compile the program.
        """
        if self.unchecked and self.jit_compile and not self.required:
            self._give_up_xla()
        try:
            with fast_error_messages() if self.jit_compile else graph_optimization(self.optimized):
                return call()
        except UncheckedError:
            pass
        except (*XLA_ERRORS, StringsError) as error:
            if not self.jit_compile:
                raise
            if self.required:
                raise not_compiled(error, self._layers) from error
        self._give_up_xla()
        with graph_optimization(self.optimized):
            return call()

    def _give_up_xla(self) -> None:
        self.xla_failed = True
        self._compile(jit_compile=False)

    def _check_trace(self, earlier: Collection[str] = ()) -> None:
        """Stop the tracing of a program that XLA must not compile.

        Args:
            earlier: The names of operations that were in the graph before, and need no check.
        """
        if not self.jit_compile or tf.executing_eagerly():
            return
        graph: Any = tf.compat.v1.get_default_graph()
        refuse_strings(graph)
        self.unchecked |= drops_checks(graph, self._safe, self._in_range, earlier)
        if self.unchecked and not self.required:
            raise UncheckedError
