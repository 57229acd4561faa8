"""The mistakes by category against scikit-learn, their ceilings, and the pictures (course 6.4)."""

import re

import keras
import matplotlib
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax
from sklearn.metrics import accuracy_score, confusion_matrix

from tfcourse import InputError
from tfcourse.strategy import error_analysis
from tfcourse.strategy.error_picture import as_images

CLASSES = 4


def identity(activation="softmax", shape=(CLASSES,)):
    """A model whose logits are its inputs."""
    return keras.Sequential([keras.Input(shape), keras.layers.Activation(activation)])


@pytest.fixture
def data(rng):
    x = rng.normal(0, 2, (200, CLASSES)).astype("float32")
    return x, np.where(rng.random(200) < 0.7, x.argmax(-1), rng.integers(0, CLASSES, 200))


def test_the_counts_are_scikit_learns(data, rng):
    x, y = data
    masks = {"blurry": rng.random(200) < 0.4, "dog": rng.random(200) < 0.2}
    analysis = error_analysis(identity(), x, y, tags=masks)
    predicted = x.argmax(-1)
    np.testing.assert_array_equal(analysis.confusion, confusion_matrix(y, predicted))
    assert analysis.error == pytest.approx(1 - accuracy_score(y, predicted))
    assert analysis.mistakes == (y != predicted).sum()
    np.testing.assert_allclose(analysis.probabilities, softmax(x, -1), rtol=1e-5)
    by_name = {each.name: each for each in analysis.categories}
    assert {*by_name} == {"blurry", "dog", "(no tag)"}
    masks["(no tag)"] = ~masks["blurry"] & ~masks["dog"]
    for name, mask in masks.items():
        each = by_name[name]
        assert (each.examples, each.mistakes) == (mask.sum(), (mask & (y != predicted)).sum())
        # The error that is left if these examples were right is lower by the ceiling.
        repaired = np.where(mask, y, predicted)
        assert analysis.error - each.ceiling == pytest.approx(1 - accuracy_score(y, repaired))
        assert each.error == pytest.approx(1 - accuracy_score(y[mask], predicted[mask]))
    counts = [each.mistakes for each in analysis.categories]
    assert counts == sorted(counts, reverse=True)


def test_tags_of_every_form(data):
    x, y = data
    tags = [("a", "b", "a"), "a", None, [], {"c"}] * 40
    analysis = error_analysis(identity(), x, y, tags=tags)
    assert {each.name: each.examples for each in analysis.categories} == {
        "a": 80,
        "b": 40,
        "c": 40,
        "(no tag)": 80,
    }
    by_class = error_analysis(identity(), x, y, class_names=["cat", "dog", "bird", "fish"])
    assert {each.name: each.examples for each in by_class.categories} == {
        f"class {name}": (y == n).sum() for n, name in enumerate(by_class.class_names)
    }


def test_the_worst_come_first(data):
    x, y = data
    analysis = error_analysis(identity(), x, y)
    true = softmax(x, -1)[np.arange(200), y]
    assert len(analysis.worst) == analysis.mistakes
    assert (np.diff(true[analysis.worst]) >= 0).all()
    assert (x.argmax(-1)[analysis.worst] != y[analysis.worst]).all()


def test_the_text(data):
    x, y = data
    names = ["cat", "dog", "bird", "fish"]
    analysis = error_analysis(identity(), x, y, class_names=names)
    text = analysis.text(100)
    first, worst = analysis.categories[0], analysis.worst[0]
    (row,) = [line for line in text.splitlines() if line.split()[:2] == [*first.name.split()]]
    assert row.split()[2:] == [
        *(str(first.examples), str(first.mistakes)),
        *(f"{first.error:.1%}", f"{100 * first.ceiling:.2f}"),
    ]
    assert f"{analysis.mistakes} mistakes in 200 examples: error {analysis.error:.2%}." in text
    assert f'Without the mistakes in "{first.name}" the error would be' in text
    for name, counts in zip(names, analysis.confusion, strict=True):
        assert [name, *map(str, counts)] in [line.split() for line in text.splitlines()]
    caption = [str(worst), names[y[worst]], names[x[worst].argmax()]]
    assert caption in [line.split()[:3] for line in text.splitlines()]
    perfect = error_analysis(identity(), x, x.argmax(-1))
    assert "0 mistakes in 200 examples: error 0.00%." in str(perfect)
    assert len(perfect.worst) == 0


@pytest.mark.parametrize("activation", ["sigmoid", "linear"])
def test_yes_or_no(activation, rng):
    x = rng.normal(0, 3, (50, 1)).astype("float32")
    y = rng.integers(0, 2, 50)
    analysis = error_analysis(identity(activation, (1,)), x, y[:, None])
    np.testing.assert_allclose(analysis.probabilities[:, 1], expit(x[:, 0]), rtol=1e-5)
    np.testing.assert_array_equal(analysis.confusion, confusion_matrix(y, x[:, 0] > 0))


def test_logits_and_one_hot_rows(data):
    x, y = data
    one = error_analysis(identity(), x, y)
    two = error_analysis(identity("linear"), x, np.eye(CLASSES)[y])
    np.testing.assert_allclose(one.probabilities, two.probabilities, rtol=1e-5)
    assert one.categories == two.categories


@pytest.mark.parametrize(
    ("image_shape", "perfect"), [(None, False), ((2, 2), False), (None, True)], ids=str
)
def test_the_picture(image_shape, perfect, data, tmp_path):
    x, y = data
    analysis = error_analysis(identity(), x, x.argmax(-1) if perfect else y)
    analysis.plot(tmp_path / "mistakes.png", count=7, image_shape=image_shape)
    image = matplotlib.image.imread(tmp_path / "mistakes.png")
    shades = len(np.unique(image[:, : image.shape[1] // 2].reshape(-1, 4), axis=0))
    assert shades > (10 if perfect else 40)


def test_a_picture_of_any_names(data, tmp_path):
    """A dollar sign begins no formula, and a character that the font lacks is no warning."""
    x, y = data
    names = [r"$\frac$", "$10", "猫", "a_b"]
    for shape in (None, (2, 2)):
        analysis = error_analysis(identity(), x, y, tags=[r"$_$"] * len(y), class_names=names)
        analysis.plot(tmp_path / "mistakes.png", image_shape=shape)


def test_what_is_an_image(rng):
    for shape in ((3, 5, 6), (3, 5, 6, 1), (3, 5, 6, 3), (3, 5, 6, 4)):
        images = as_images(rng.integers(0, 256, shape).astype("uint8"), None)
        assert images.shape == (shape if shape[-1] in (3, 4) else (3, 5, 6))
        assert images.min() == 0 and images.max() == 1
    assert as_images(np.zeros((3, 5)), None) is None
    assert as_images(np.zeros((3, 5, 6, 2)), None) is None
    flat = rng.random((3, 30))
    np.testing.assert_array_equal(as_images(flat, (5, 6)), flat.reshape(3, 5, 6))
    with pytest.raises(InputError, match=r"as many values as an example, 30\. Received: \(5, 5\)"):
        as_images(flat, (5, 5))


def test_tags_of_pandas(data):
    x, y = data
    table = pd.DataFrame({"second": y == 1, "third": y == 2})
    reference = error_analysis(identity(), x, y, tags={name: table[name] for name in table})
    assert error_analysis(identity(), x, y, tags=table).tags == reference.tags
    column = pd.Series(np.where(y == 1, "second", None)).fillna(np.nan)
    assert error_analysis(identity(), x, y, tags=column).tags == tuple(
        ("second",) if label == 1 else () for label in y
    )


X, Y = np.zeros((5, CLASSES), "float32"), np.zeros(5, int)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"x": X[:0]}, "x must hold at least one example"),
        ({"y": Y[:3]}, "y must have the shape (5,) or one-hot (5, 4)"),
        ({"y": Y + 4}, "y must be class numbers in 0 … 3. Received: 4."),
        ({"tags": ["a"] * 4}, "one for each of the 5 examples: a text, several texts, or None"),
        ({"tags": "abcde"}, "Received: 'abcde'."),
        ({"tags": ["a"] * 4 + [[3]]}, "tags of example 4 must be a text"),
        ({"tags": [3] * 5}, "tags of example 0 must be a text"),
        ({"tags": {3: [True] * 5}}, "tags must be texts. Received: 3."),
        ({"tags": {"a": [1, 0, 1, 0, 1]}}, '"a" must be bools of shape (5,)'),
        ({"class_names": ["cat"]}, "class_names must be 4 names. Received: 1."),
        ({"model": identity("sigmoid")}, "whose rows do not sum to 1"),
        ({"model": identity(shape=(2, 2)), "x": X.reshape(5, 2, 2)}, "Received: shape (5, 2, 2)."),
    ],
)
def test_errors(change, said):
    arguments = {"model": identity(), "x": X, "y": Y, **change}
    with pytest.raises(InputError, match=re.escape(said)):
        error_analysis(**arguments)
