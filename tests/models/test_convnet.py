"""The convolutional network: blocks of Conv2D → BatchNorm → activation → pooling, a softmax."""

import re

import keras
import numpy as np
import pytest

import tfcourse
from tfcourse import BatchNorm, InputError, SoftmaxHead
from tfcourse.layers.dropout import Dropout
from tfcourse.models import convnet, linear

CONV, DENSE, BN, ACT = keras.layers.Conv2D, keras.layers.Dense, BatchNorm, keras.layers.Activation
MAX, MEAN, FLAT = keras.layers.MaxPooling2D, keras.layers.AveragePooling2D, keras.layers.Flatten


def kinds(model):
    return [type(layer) for layer in model.layers]


@pytest.mark.parametrize(
    ("arguments", "block", "after"),
    [
        ({}, [CONV, BN, ACT, MAX], [FLAT, DENSE, BN, ACT]),
        ({"batch_norm": "none"}, [CONV, ACT, MAX], [FLAT, DENSE, ACT]),
        ({"batch_norm": "after_activation"}, [CONV, ACT, BN, MAX], [FLAT, DENSE, ACT, BN]),
        ({"pooling": "average"}, [CONV, BN, ACT, MEAN], [FLAT, DENSE, BN, ACT]),
        ({"pool_size": 1}, [CONV, BN, ACT], [FLAT, DENSE, BN, ACT]),
        (
            {"global_pooling": "average", "dropout": 0.5},
            [CONV, BN, ACT, MAX],
            [keras.layers.GlobalAveragePooling2D, Dropout, DENSE, BN, ACT, Dropout],
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("blocks", [1, 3])
def test_the_layers(arguments, block, after, blocks):
    model = convnet((8, 8, 3), 4, blocks=blocks, **arguments)
    assert kinds(model) == blocks * block + after + [SoftmaxHead]
    has_bias = arguments.get("batch_norm", "before_activation") != "before_activation"
    layers = [layer for layer in model.layers if isinstance(layer, CONV | DENSE)]
    assert [layer.use_bias for layer in layers] == [has_bias] * (blocks + 1)


def test_the_sizes():
    model = convnet((9, 7, 3), 4, filters=5, kernel_size=3, padding="valid", units=6, pool_size=1)
    shapes = [tuple(w.shape) for w in model.weights if len(w.shape) > 1]
    # 9×7 becomes 7×5 and 5×3, of 10 channels.
    assert shapes == [(3, 3, 3, 5), (3, 3, 5, 10), (5 * 3 * 10, 6), (6, 4)]


@pytest.mark.parametrize("image", [[8, 8, 1], [8, 8]])
def test_flat_images_are_reshaped_in_the_model(image, rng):
    x = rng.normal(size=(5, 64)).astype("float32")
    flat, images = convnet((64,), 3, image_shape=image), convnet((8, 8, 1), 3)
    images.set_weights(flat.get_weights())
    np.testing.assert_array_equal(flat(x), images(x.reshape(-1, 8, 8, 1)))


def test_images_without_channels_have_one():
    assert convnet((28, 28), 10).output_shape == (None, 10)


@pytest.mark.parametrize(
    ("shape", "arguments", "said"),
    [
        (
            (8, 8, 1),
            {"blocks": 4},
            'images of 8×8 are too small for 4 blocks of padding "same", kernel_size 3 and '
            "pool_size 2. Use at most 3 blocks, a smaller kernel_size or pool_size, or larger",
        ),
        ((9, 8, 1), {"padding": "valid"}, "Use at most 1 block, a smaller kernel_size"),
        ((8, 8, 1), {"kernel_size": 9, "padding": "valid"}, "Use a smaller kernel_size"),
        ((64,), {}, "Received: (64,). Of flat images give image_shape, such as [28, 28, 1]."),
        (
            (64,),
            {"image_shape": [8, 7, 1]},
            "image_shape must hold the 64 numbers of an example. Received: [8, 7, 1], which holds "
            "56.",
        ),
        ((64,), {"image_shape": [64]}, "image_shape must be (height, width, channels). Received"),
        ((8, 8, 1), {"filters": 0}, "convnet: filters must be a whole number >= 1. Received: 0."),
        ((8, 8, 1), {"pooling": "mean"}, 'pooling must be one of "max", "average".'),
        ((8, 8, 1), {"padding": "sane"}, 'Did you mean "same"?'),
        ((8, 8, 1), {"activation": "rellu"}, 'Did you mean "relu"?'),
    ],
    ids=str,
)
def test_what_can_not_be_built(shape, arguments, said):
    with pytest.raises(InputError, match=re.escape(said)):
        convnet(shape, 3, **arguments)


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_the_most_blocks_are_those_that_keras_can_build(blocks):
    """Whatever the check admits, Keras builds; one pixel less is refused by both."""
    # From the last block to the first: a pooling doubles the side, a convolution adds 2 to it.
    side = 1
    for _ in range(blocks):
        side = 2 * side + 2
    arguments = {"blocks": blocks, "padding": "valid", "filters": 1, "units": 1}
    assert convnet((side, side, 1), 2, **arguments).output_shape == (None, 2)
    with pytest.raises(InputError, match="too small"):
        convnet((side + 3, side - 1, 1), 2, **arguments)


def test_it_trains_in_the_compiled_loop(rng):
    y = np.arange(32) % 2
    x = rng.normal(size=(32, 6, 6, 1)).astype("float32") + 2 * y[:, None, None, None]
    model = convnet((6, 6, 1), 2, filters=2, units=4, dropout=0.1)
    model.compile(tfcourse.Adam(0.05), "sparse_categorical_crossentropy")
    losses = tfcourse.fit(model, x, y, epochs=8, verbose=0, seed=0).history["loss"]
    assert losses[-1] < losses[0] / 2


def test_linear_is_softmax_logistic_or_linear_regression(rng):
    x = rng.normal(size=(5, 2, 3)).astype("float32")
    model = linear((2, 3), 4)
    (kernel, bias) = model.get_weights()
    logits = x.reshape(5, 6) @ kernel + bias
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model(x), softmax, rtol=1e-5)
    model = linear((3,), 1, use_bias=False, kernel_initializer="zeros", output="linear")
    np.testing.assert_array_equal(model.get_weights(), [np.zeros((3, 1))])
    with pytest.raises(InputError, match='kernel_initializer must be one of "glorot_uniform"'):
        linear((3,), 2, kernel_initializer="ones")
