"""Programs that XLA can't compile, or computes without the checks of a CPU kernel."""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Any

import tensorflow as tf

from tfcourse.errors import InputError, message_line
from tfcourse.training.programs.tree import ROWS

__all__ = [
    "XLA_ERRORS",
    "StringsError",
    "UncheckedError",
    "bare_scope",
    "drops_checks",
    "not_compiled",
    "refuse_strings",
]

# The errors of a function that XLA can't compile. Its variables are as before: XLA writes them
# when all is computed.
XLA_ERRORS = (
    tf.errors.InvalidArgumentError,
    tf.errors.UnimplementedError,
    tf.errors.InternalError,
    tf.errors.NotFoundError,
)
# Operations that raise an error for some values on a CPU, and under XLA compute something.
CHECKING = re.compile(
    r"Assert|CheckNumerics(V2)?|(Resource)?Gather(V2|Nd)?|ScatterNd|TensorScatter\w+"
    r"|ResourceScatter\w+|(Unsorted)?Segment\w+"
)
# The names of loops, branches and vectorized maps in TensorFlow's names of operations.
CONTROL = {"while", "cond", "loop_body"}
# These only pass strings on: those of an Assert's message, which XLA leaves out.
PASSING = {"Assert", "Const", "If", "StatelessIf", "Identity", "NoOp"}
MISSING = re.compile(r"No registered '(\w+)' OpKernel .*?\{\{node ([^}]*)\}\}", re.DOTALL)


def not_compiled(error: Exception, layers: Sequence[str] = ()) -> InputError:
    """Return the error for a model that XLA can't compile, with operation and layer if known.

    Args:
        error: The error that XLA raised.
        layers: The names of the model's layers.
    """
    match = MISSING.search(str(error))
    if isinstance(error, StringsError):
        reason = f"it works on strings ({error})"
    elif match is None:
        reason = message_line(error)
    else:
        # A layer's operations are in scopes of its name, to which TensorFlow may add a number.
        scopes = [bare_scope(scope) for scope in reversed(match[2].split("/"))]
        bare = {bare_scope(name): name for name in layers}
        layer = next((bare[scope] for scope in scopes if scope in bare), None)
        reason = f'it has no operation "{match[1]}"'
        reason += f', which layer "{layer}" uses' if layer else ""
    return InputError(f"XLA can't compile this model: {reason}. Pass jit_compile=False.")


class UncheckedError(Exception):
    """XLA would leave out a check of a program, and isn't required."""


class StringsError(Exception):
    """A program works on strings; the message names an operation."""


def refuse_strings(graph: tf.Graph) -> None:
    """Check that a traced program has no strings.

    Raises:
        StringsError: It has some; TensorFlow may abort the process when XLA compiles it.
    """
    for node in _nodes(graph):
        types = [t for value in node.attr.values() for t in (value.type, *value.list.type)]
        if node.op not in PASSING and tf.string.as_datatype_enum in types:
            raise StringsError(node.name)


def drops_checks(
    graph: tf.Graph,
    safe: Collection[str],
    in_range: Collection[str],
    before: Collection[str] = (),
) -> bool:
    """Return True if a traced program checks its values on a CPU where XLA would not.

    Gradients and updates of the optimizer only use indices that the forward pass has used.

    Args:
        graph: The graph that the program is traced into.
        safe: Scopes whose operations need no check, such as the optimizer's name; "" is outside
            of any scope.
        in_range: The names of the ``Embedding`` layers whose ids are known to be in range.
        before: The names of operations that were in the graph before, and need no check.
    """
    safe, in_range = {"gradient_tape", *map(bare_scope, safe)}, {*map(bare_scope, in_range)}
    for node in _nodes(graph):
        if CHECKING.fullmatch(node.op) and node.name not in before:
            scopes = [bare_scope(scope) for scope in node.name.split("/")]
            last = scopes[-1]
            looked_up = any(
                scope in in_range and inner == "GatherV2" for scope, inner in pairwise(scopes)
            )
            scopes = [scope for scope in scopes[:-1] if scope not in CONTROL] or [""]
            if not looked_up and safe.isdisjoint(scopes) and last != ROWS:
                return True
    return False


def _nodes(graph: tf.Graph) -> Iterator[Any]:
    """Yield the operations of a graph and of the functions that it calls."""
    definition = graph.as_graph_def()
    yield from definition.node
    for function in definition.library.function:
        yield from function.node_def


def bare_scope(scope: str) -> str:
    """Return a scope without the numbers that TensorFlow adds to make it unique."""
    return re.sub(r"(_\d+)+$", "", scope)
