"""Every function that takes arrays takes tables of pandas, and gives what it gives for arrays."""

import keras
import numpy as np
import pandas as pd
import pytest

import tfcourse
from tfcourse import BatchNorm

ROWS = 24


def frame():
    rng = np.random.default_rng(0)
    ages = pd.DataFrame({"age": rng.integers(18, 60, ROWS), "sex": ["f", "m"] * (ROWS // 2)})
    table = pd.get_dummies(ages, dtype=bool)
    return table.assign(bmi=rng.normal(2, 1, ROWS), visits=pd.array([1, 2, 3] * 8, "Int64"))


TABLE = frame()
ARRAY = np.stack([np.array(list(TABLE[name]), "float32") for name in TABLE], 1)
LABELS = pd.Series([0, 1, 1] * 8, dtype="Int64", index=range(5, 5 + ROWS))
COLUMN = np.array([0, 1, 1] * 8)[:, None]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    body = [BatchNorm(), keras.layers.Dense(1, activation="sigmoid")]
    model = keras.Sequential([keras.Input((5,)), *body])
    model.compile("sgd", "binary_crossentropy")
    return model


def statistics(model, x):
    tfcourse.recalibrate(model, x, verbose=False)
    return model.layers[0].moving_mean.numpy()


def checked(result):
    """What doesn't depend on rounding: a table keeps its float64."""
    return result.differing, result.checked, result.ratio < 1e-7


def predicted_unbuilt(x):
    """By Keras, which would refuse the table itself."""
    keras.utils.set_random_seed(1)
    unbuilt = keras.Sequential([keras.layers.Dense(1)])
    return tfcourse.predict(unbuilt, x, verbose=0)


def population(x, y):
    def build():
        model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1, activation="sigmoid")])
        model.compile(tfcourse.Momentum(0.01), "binary_crossentropy")
        return model

    members = [tfcourse.Member(0), tfcourse.Member(1)]
    history = tfcourse.fit_population(
        build, members, x, y, validation_data=(x, y), verbose=0, jit_compile=False
    )
    return [result.history["val_loss"] for result in history.results]


CALLS = {
    "predict": lambda model, x, y: tfcourse.predict(model, x, verbose=0),
    "predict, not built": lambda model, x, y: predicted_unbuilt(x),
    "evaluate": lambda model, x, y: tfcourse.evaluate(model, x, y, verbose=0),
    "recalibrate": lambda model, x, y: statistics(model, x),
    "gradient_check": lambda model, x, y: checked(tfcourse.gradient_check(model, x, y)),
    "fit_population": lambda model, x, y: population(x, y),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_table_counts_as_its_numbers(name, model):
    assert np.unique(ARRAY[:, 0]).size > 5  # the numbers differ, and so would what they give
    ours, theirs = (CALLS[name](model, x, y) for x, y in ((TABLE, LABELS), (ARRAY, COLUMN)))
    if name == "gradient_check":
        assert ours == theirs
    else:
        np.testing.assert_array_equal(ours, theirs)


def test_lint_takes_a_nullable_series(model):
    wrong = LABELS + 1
    assert str(tfcourse.lint(model, y=wrong)) == str(tfcourse.lint(model, y=COLUMN + 1))
    assert str(tfcourse.lint(model, y=wrong)) != str(tfcourse.lint(model, y=LABELS))
