"""Model builders: ``build(input_shape, classes, **arguments)`` returns an uncompiled Keras model.

TensorFlow is imported when a model is built, not with this module: the checks of a search
config read the builders' arguments without it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

from tfcourse.errors import InputError, one_of
from tfcourse.hyperparameters import check

__all__ = ["BUILDERS", "Activation", "Output", "Placement", "mlp"]

Activation = Literal[
    "relu", "leaky_relu", "relu6", "elu", "selu", "celu", "gelu", "silu", "mish", "tanh",
    "sigmoid", "hard_sigmoid", "hard_silu", "hard_tanh", "softplus", "softsign", "linear",
]  # fmt: skip
Placement = Literal["before_activation", "after_activation", "none"]
Output = Literal["softmax", "sigmoid", "linear"]


def mlp(
    input_shape: Sequence[int],
    classes: int,
    layers: int = 2,
    units: int = 64,
    activation: Activation = "relu",
    dropout: float = 0.0,
    batch_norm: Placement = "before_activation",
    output: Output = "softmax",
) -> Any:
    """Build a multi-layer perceptron: blocks Dense → BatchNorm → activation, and a `SoftmaxHead`.

    A Dense before BatchNorm has no bias, which the mean would cancel (course 2.4).

    Args:
        input_shape: The shape of one example; it is flattened.
        classes: The number of classes, at least 2; with another output the number of units.
        layers: The number of hidden layers, at least 1.
        units: Units of each hidden layer, at least 1.
        activation: The name of a Keras activation.
        dropout: The rate of dropout after each activation (1 - keep_prob of the course).
        batch_norm: The place of normalization: ``"before_activation"`` (on z, the course's choice),
            ``"after_activation"`` (on a; both are debated, course 2.2) or ``"none"``.
        output: The output layer: ``"softmax"``, or a Dense layer with ``"sigmoid"`` (yes or no) or
            ``"linear"`` (a regression).

    Returns:
        An uncompiled ``keras.Sequential``.

    Raises:
        InputError: An argument is not admissible.
    """
    try:
        for name, value in (("layers", layers), ("units", units), ("dropout", dropout)):
            check(name, value, "mlp")
    except ValueError as error:
        raise InputError(str(error)) from None
    if activation not in get_args(Activation):
        raise InputError(one_of("mlp: activation", activation, get_args(Activation)))
    if batch_norm not in get_args(Placement):
        raise InputError(one_of("mlp: batch_norm", batch_norm, get_args(Placement)))
    if output not in get_args(Output):
        raise InputError(one_of("mlp: output", output, get_args(Output)))

    import keras

    from tfcourse.layers import BatchNorm, SoftmaxHead
    from tfcourse.layers.dropout import Dropout

    stack: list[Any] = [keras.Input(tuple(input_shape))]
    if len(input_shape) != 1:
        stack.append(keras.layers.Flatten())
    for _ in range(layers):
        stack.append(keras.layers.Dense(units, use_bias=batch_norm != "before_activation"))
        if batch_norm == "before_activation":
            stack.append(BatchNorm())
        stack.append(keras.layers.Activation(activation))
        if batch_norm == "after_activation":
            stack.append(BatchNorm())
        if dropout:
            stack.append(Dropout(dropout))
    if output == "softmax":
        stack.append(SoftmaxHead(classes))
    else:
        stack.append(keras.layers.Dense(classes, activation=output))
    # All layers together: Keras rebuilds the whole model at each add().
    return keras.Sequential(stack, name="mlp")


BUILDERS: dict[str, Callable[..., Any]] = {"mlp": mlp}
