"""The builder of a small convolutional network.

TensorFlow is imported when a model is built, not with this module.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from tfcourse.errors import InputError, shown
from tfcourse.models.blocks import (
    Activation,
    Output,
    Placement,
    check_choices,
    check_hidden,
    check_numbers,
    head,
    hidden,
    sequential,
)

__all__ = ["convnet"]

Padding = Literal["same", "valid"]
Pooling = Literal["max", "average"]
GlobalPooling = Literal["none", "max", "average"]


def convnet(
    input_shape: Sequence[int],
    classes: int,
    blocks: int = 2,
    filters: int = 16,
    kernel_size: int = 3,
    padding: Padding = "same",
    pooling: Pooling = "max",
    pool_size: int = 2,
    global_pooling: GlobalPooling = "none",
    units: int = 64,
    activation: Activation = "relu",
    dropout: float = 0.0,
    batch_norm: Placement = "before_activation",
    output: Output = "softmax",
    image_shape: list[int] | None = None,
) -> Any:
    """Build a convolutional network: blocks Conv2D → BatchNorm → activation → pooling, then `mlp`.

    The blocks are followed by one hidden Dense layer, and a `SoftmaxHead`. A layer before BatchNorm
    has no bias, which the mean would cancel (course 2.4).

    Args:
        input_shape: The shape of one example: (height, width, channels), or (height, width) for
            one channel.
        classes: The number of classes, at least 2; with another output the number of units.
        blocks: The number of blocks, at least 1.
        filters: The filters of the first block; each next block has twice those before it.
        kernel_size: The height and width of the convolutions, whose stride is 1.
        padding: ``"same"`` keeps the height and width in a convolution, ``"valid"`` does not.
        pooling: The pooling at the end of each block, ``"max"`` or ``"average"``.
        pool_size: The height, width and stride of the pooling; 1 leaves it out.
        global_pooling: ``"max"`` or ``"average"`` over the height and width after the last block,
            or ``"none"``, which flattens.
        units: Units of the hidden Dense layer.
        activation: The name of a Keras activation.
        dropout: The rate of dropout before the hidden and before the output layer.
        batch_norm: The place of normalization in each block and the hidden layer, see `mlp`.
        output: The output layer, see `mlp`.
        image_shape: The shape of the images in examples that are flat; the model takes the flat
            examples.

    Returns:
        An uncompiled ``keras.Sequential``.

    Raises:
        InputError: An argument is not admissible, the examples are no images, or the images are
            too small for the blocks.
    """
    sizes = {"blocks": blocks, "filters": filters, "kernel_size": kernel_size}
    check_numbers("convnet", **sizes, pool_size=pool_size, units=units, dropout=dropout)
    check_hidden("convnet", activation, batch_norm, output)
    check_choices("convnet", padding=(padding, Padding), pooling=(pooling, Pooling))
    check_choices("convnet", global_pooling=(global_pooling, GlobalPooling))
    shape = _image_shape(tuple(input_shape), image_shape)
    _check_size(shape, blocks, kernel_size, padding, pool_size)

    import keras

    from tfcourse.layers.dropout import Dropout

    layers, use_bias = keras.layers, batch_norm != "before_activation"
    pool = layers.MaxPooling2D if pooling == "max" else layers.AveragePooling2D
    kinds = {"max": layers.GlobalMaxPooling2D, "average": layers.GlobalAveragePooling2D}
    stack: list[Any] = [keras.Input(tuple(input_shape))]
    if shape != tuple(input_shape):
        stack.append(layers.Reshape(shape))
    for block in range(blocks):
        size = filters * 2**block
        convolution = layers.Conv2D(size, kernel_size, padding=padding, use_bias=use_bias)
        stack += hidden(convolution, activation, batch_norm)
        if pool_size > 1:
            stack.append(pool(pool_size))
    stack.append(kinds.get(global_pooling, layers.Flatten)())
    stack += [Dropout(dropout)] if dropout else []
    stack += hidden(layers.Dense(units, use_bias=use_bias), activation, batch_norm)
    stack += [Dropout(dropout)] if dropout else []
    return sequential("convnet", [*stack, head(output, classes)])


def _image_shape(example: tuple[int, ...], image: Sequence[int] | None) -> tuple[int, ...]:
    """Return the (height, width, channels) of the images in examples of a shape."""
    shape = example if image is None else tuple(image)
    shape = (*shape, 1) if len(shape) == 2 else shape
    if len(shape) != 3 or not all(isinstance(n, int) and n >= 1 for n in shape):
        what, remedy = "image_shape", ""
        if image is None:
            what = "the shape of an example"
            remedy = " Of flat images give image_shape, such as [28, 28, 1]."
        received = shown(image or example)
        raise InputError(
            f"convnet: {what} must be (height, width, channels). Received: {received}.{remedy}"
        )
    if math.prod(shape) != math.prod(example):
        raise InputError(
            f"convnet: image_shape must hold the {math.prod(example)} numbers of an example. "
            f"Received: {list(shape)}, which holds {math.prod(shape)}."
        )
    return shape


def _block_sizes(side: int, kernel: int, padding: str, pool: int) -> Iterator[int]:
    """Yield the height, or width, of an image after each block, for as long as it is at least 1."""
    while (side := (side if padding == "same" else side - kernel + 1) // pool) >= 1:
        yield side


def _check_size(
    shape: tuple[int, ...], blocks: int, kernel_size: int, padding: str, pool_size: int
) -> None:
    """Raise InputError if an image is too small for the blocks."""
    least = min(shape[:2])
    sides = _block_sizes(least, kernel_size, padding, pool_size)
    most = sum(1 for _ in zip(range(blocks), sides, strict=False))
    if most < blocks:
        fewer = "" if most == 0 else f"at most {most} block{'s' * (most > 1)}, "
        raise InputError(
            f"convnet: images of {shape[0]}×{shape[1]} are too small for {blocks} blocks of padding"
            f' "{padding}", kernel_size {kernel_size} and pool_size {pool_size}. '
            f"Use {fewer}a smaller kernel_size or pool_size, or larger images."
        )
