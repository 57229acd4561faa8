"""What XLA can't compile."""

import re
from collections.abc import Sequence

import tensorflow as tf

from tfcourse.errors import InputError, message_line

__all__ = ["XLA_ERRORS", "not_compiled"]

# What a function under XLA raises when it can't be compiled. Its variables are as before: XLA
# writes them when all is computed.
XLA_ERRORS = (
    tf.errors.InvalidArgumentError,
    tf.errors.UnimplementedError,
    tf.errors.InternalError,
    tf.errors.NotFoundError,
)
MISSING = re.compile(r"No registered '(\w+)' OpKernel .*?\{\{node ([^}]*)\}\}", re.DOTALL)


def not_compiled(error: Exception, layers: Sequence[str] = ()) -> InputError:
    """The error for a model that XLA can't compile, with the operation and its layer if known.

    Args:
        error: What XLA raised.
        layers: The names of the model's layers.
    """
    found = MISSING.search(str(error))
    if found is None:
        reason = message_line(error)
    else:
        # A layer's operations are in scopes of its name, to which TensorFlow may add a number.
        scopes = [re.sub(r"(_\d+)+$", "", scope) for scope in reversed(found[2].split("/"))]
        bare = {re.sub(r"(_\d+)+$", "", name): name for name in layers}
        layer = next((bare[scope] for scope in scopes if scope in bare), None)
        reason = f'it has no operation "{found[1]}"'
        reason += f', which layer "{layer}" uses' if layer else ""
    return InputError(f"XLA can't compile this model: {reason}. Pass jit_compile=False.")
