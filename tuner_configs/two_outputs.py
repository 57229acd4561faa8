"""Images of handwritten digits beside a number: which digit it is, and the sum of both.

A model with two inputs, an image and a whole number, and two outputs, a class and a number to
predict. The images are scikit-learn's digits; nothing is downloaded.
"""

import keras
import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits

from tfcourse import SoftmaxHead

Arrays = dict[str, npt.NDArray[np.generic]]


def examples() -> tuple[Arrays, Arrays]:
    """Return the inputs ``image`` and ``number``, and the outputs ``digit`` and ``sum``."""
    pixels, digit = load_digits(return_X_y=True)
    number = np.random.default_rng(0).integers(0, 10, len(digit))
    x = {"image": pixels.reshape(-1, 8, 8, 1), "number": number}
    return x, {"digit": digit, "sum": digit + number}


def build(
    input_shape: dict[str, tuple[int, ...]], classes: dict[str, int], units: int = 32
) -> keras.Model:
    """Return a model of both inputs, whose outputs are in a dict as those in y."""
    image = keras.Input(input_shape["image"], name="image")
    number = keras.Input(input_shape["number"], name="number", dtype="int32")
    features = keras.layers.Conv2D(16, 3, activation="relu")(image)
    features = keras.layers.Dense(units, activation="relu")(keras.layers.Flatten()(features))
    embedded = keras.layers.Flatten()(keras.layers.Embedding(10, 4)(number))
    both = keras.layers.Dense(units, activation="relu")(
        keras.layers.Concatenate()([features, embedded])
    )
    return keras.Model(
        {"image": image, "number": number},
        {
            "digit": SoftmaxHead(classes["digit"])(features),
            "sum": keras.layers.Dense(classes["sum"])(both),
        },
    )
