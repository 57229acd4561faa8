"""The parts of tfcourse's model builders: their choices and checks, hidden layers, output layers.

TensorFlow is imported when a model is built, not with this module.
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

from tfcourse.errors import InputError, one_of
from tfcourse.hyperparameters import check

__all__ = [
    "Activation",
    "Output",
    "Placement",
    "check_choices",
    "check_hidden",
    "check_numbers",
    "flat_input",
    "head",
    "hidden",
    "sequential",
]

Activation = Literal[
    "relu", "leaky_relu", "relu6", "elu", "selu", "celu", "gelu", "silu", "mish", "tanh",
    "sigmoid", "hard_sigmoid", "hard_silu", "hard_tanh", "softplus", "softsign", "linear",
]  # fmt: skip
Placement = Literal["before_activation", "after_activation", "none"]
Output = Literal["softmax", "sigmoid", "linear"]


def check_numbers(owner: str, **arguments: object) -> None:
    """Raise InputError if an argument is not admissible, see `tfcourse.hyperparameters.check`."""
    try:
        for name, value in arguments.items():
            check(name, value, owner)
    except ValueError as error:
        raise InputError(str(error)) from None


def check_choices(owner: str, **arguments: tuple[object, Any]) -> None:
    """Raise InputError if an argument is none of its type's values."""
    for name, (value, kind) in arguments.items():
        if value not in get_args(kind):
            raise InputError(one_of(f"{owner}: {name}", value, get_args(kind)))


def check_hidden(owner: str, activation: object, batch_norm: object, output: object) -> None:
    """Raise InputError if a choice that all builders with hidden layers have is inadmissible."""
    check_choices(owner, activation=(activation, Activation), batch_norm=(batch_norm, Placement))
    check_choices(owner, output=(output, Output))


def flat_input(input_shape: Sequence[int]) -> list[Any]:
    """Return the input of examples of a shape, flattened if need be."""
    import keras

    flatten = [] if len(input_shape) == 1 else [keras.layers.Flatten()]
    return [keras.Input(tuple(input_shape)), *flatten]


def hidden(layer: Any, activation: Activation, batch_norm: Placement) -> list[Any]:
    """Return the layer with its normalization and activation."""
    import keras

    from tfcourse.layers import BatchNorm

    stack = [layer, keras.layers.Activation(activation)]
    if batch_norm != "none":
        stack.insert(1 if batch_norm == "before_activation" else 2, BatchNorm())
    return stack


def head(output: Output, classes: int, **options: Any) -> Any:
    """Return the output layer, whose output is float32 also under mixed precision."""
    import keras

    from tfcourse.layers import SoftmaxHead

    if output == "softmax":
        return SoftmaxHead(classes, **options)
    # As `SoftmaxHead`: predictions of float16 have three digits.
    is_mixed = keras.config.dtype_policy().name.startswith("mixed")
    options |= {"dtype": "float32"} if is_mixed else {}
    return keras.layers.Dense(classes, activation=output, **options)


def sequential(name: str, stack: list[Any]) -> Any:
    """Return the model of all layers together: Keras rebuilds the whole model at each add()."""
    import keras

    return keras.Sequential(stack, name=name)
