"""Model builders: ``build(input_shape, classes, **arguments)`` returns an uncompiled Keras model.

TensorFlow is imported when a model is built, not with this module: the checks of a search
config read the builders' arguments without it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from tfcourse.models.blocks import (
    Activation,
    Output,
    Placement,
    check_choices,
    check_hidden,
    check_numbers,
    head,
    hidden,
)
from tfcourse.models.convnet import convnet
from tfcourse.models.embedded import InputShape, stacked

__all__ = ["BUILDERS", "linear", "mlp"]

KernelInitializer = Literal["glorot_uniform", "he_normal", "zeros"]


def linear(
    input_shape: InputShape,
    classes: int,
    use_bias: bool = True,
    kernel_initializer: KernelInitializer = "glorot_uniform",
    output: Output = "softmax",
    levels: Mapping[str, int] | None = None,
) -> Any:
    """Build a model without hidden layers: softmax, logistic or linear regression by its output.

    Args:
        input_shape: The shape of one example, which is flattened; or a dict of those of several
            inputs, see `tfcourse.models.embedded.stacked`.
        classes: The number of classes, at least 2; with another output the number of units.
        use_bias: True adds a bias.
        kernel_initializer: The weights at the start; ``"zeros"`` are no hindrance without hidden
            layers.
        output: The output layer, see `mlp`.
        levels: The number of indices of each input that has an ``Embedding``, see `mlp`.

    Returns:
        An uncompiled ``keras.Sequential``; of several inputs a ``keras.Model``.

    Raises:
        InputError: An argument is not admissible.
    """
    check_choices("linear", kernel_initializer=(kernel_initializer, KernelInitializer))
    check_choices("linear", output=(output, Output))
    options = {"use_bias": use_bias, "kernel_initializer": kernel_initializer}
    return stacked("linear", input_shape, [head(output, classes, **options)], levels)


def mlp(
    input_shape: InputShape,
    classes: int,
    layers: int = 2,
    units: int = 64,
    activation: Activation = "relu",
    dropout: float = 0.0,
    batch_norm: Placement = "before_activation",
    output: Output = "softmax",
    levels: Mapping[str, int] | None = None,
) -> Any:
    """Build a multi-layer perceptron: blocks Dense → BatchNorm → activation, and a `SoftmaxHead`.

    A Dense before BatchNorm has no bias, which the mean would cancel (course 2.4).

    Args:
        input_shape: The shape of one example, which is flattened; or a dict of those of several
            inputs, see `tfcourse.models.embedded.stacked`.
        classes: The number of classes, at least 2; with another output the number of units.
        layers: The number of hidden layers, at least 1.
        units: Units of each hidden layer, at least 1.
        activation: The name of a Keras activation.
        dropout: The rate of dropout after each activation (1 - keep_prob of the course).
        batch_norm: The place of normalization: ``"before_activation"`` (on z, the course's choice),
            ``"after_activation"`` (on a; both are debated, course 2.2) or ``"none"``.
        output: The output layer: ``"softmax"``, or a Dense layer with ``"sigmoid"`` (yes or no) or
            ``"linear"`` (a regression).
        levels: The number of indices of each input that has an ``Embedding``, of half as many
            numbers and at most 50; a search gives that of each index column of a table.

    Returns:
        An uncompiled ``keras.Sequential``; of several inputs a ``keras.Model``.

    Raises:
        InputError: An argument is not admissible.
    """
    check_numbers("mlp", layers=layers, units=units, dropout=dropout)
    check_hidden("mlp", activation, batch_norm, output)

    import keras

    from tfcourse.layers.dropout import Dropout

    stack: list[Any] = []
    for _ in range(layers):
        dense = keras.layers.Dense(units, use_bias=batch_norm != "before_activation")
        stack += hidden(dense, activation, batch_norm)
        if dropout:
            stack.append(Dropout(dropout))
    return stacked("mlp", input_shape, [*stack, head(output, classes)], levels)


BUILDERS: dict[str, Callable[..., Any]] = {"mlp": mlp, "convnet": convnet, "linear": linear}
