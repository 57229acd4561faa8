"""The gaps between error rates, the largest one, and how far it can be trusted (course 6.3)."""

import math
from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfcourse import InputError
from tfcourse.strategy import diagnose, diagnose_model
from tfcourse.strategy.gaps import LEVELS, difference_error, lead_error


def largest(**errors):
    return diagnose(**errors).largest.name


@pytest.mark.parametrize(
    ("errors", "name", "advice"),
    [
        # The course's examples: cat classifiers, and speech recognition in a car.
        ({"human": 0.01, "train": 0.08, "dev": 0.10}, "avoidable bias", "larger network"),
        ({"train": 0.01, "train_dev": 0.09, "dev": 0.10}, "variance", "regularization"),
        ({"human": 0, "train": 0.01, "train_dev": 0.015, "dev": 0.1}, "data mismatch", "more like"),
        ({"dev": 0.02, "test": 0.1}, "overfitting of the dev set", "new dev set"),
    ],
)
def test_the_courses_examples(errors, name, advice):
    diagnosis = diagnose(**errors)
    assert diagnosis.largest.name == name
    assert advice in diagnosis.advice[0]
    assert f"{name} (the largest)" in str(diagnosis)


def test_the_table():
    text = diagnose(human=0.01, train=0.07, train_dev=0.065, dev=0.10, test=0.101).text(100)
    rows = [line.split() for line in text.splitlines() if "%" in line]
    assert rows[0] == ["human", "1.00%"]
    assert rows[1] == ["train", "7.00%", "+6.00", "avoidable", "bias", "(the", "largest)"]
    assert rows[2] == ["train_dev", "6.50%", "-0.50", "variance"]
    assert rows[3] == ["dev", "10.00%", "+3.50", "data", "mismatch"]
    assert rows[4] == ["test", "10.10%", "+0.10", "overfitting", "of", "the", "dev", "set"]
    assert "variance is below 0: train has more error than new data of its distribution" in text
    assert "SE" not in text


@given(st.dictionaries(st.sampled_from(LEVELS), st.floats(0, 1), min_size=2))
def test_the_gaps_add_up_and_name_every_level_between(errors):
    diagnosis = diagnose(**errors)
    known = [level for level in LEVELS if level in errors]
    assert math.isclose(
        sum(gap.size for gap in diagnosis.gaps),
        errors[known[-1]] - errors[known[0]],
        abs_tol=1e-12,
    )
    assert [(gap.start, gap.end) for gap in diagnosis.gaps] == [*pairwise(known)]
    names = sum((gap.names for gap in diagnosis.gaps), ())
    assert len(set(names)) == len(names) == LEVELS.index(known[-1]) - LEVELS.index(known[0])


def test_a_missing_level():
    diagnosis = diagnose(train=0.02, test=0.1)
    assert diagnosis.largest.name == "variance + data mismatch + overfitting of the dev set"
    assert len(diagnosis.advice) == 3
    assert "avoidable bias is unknown: at most the train error, 2.00%" in str(diagnosis)


def test_no_gap_above_0():
    diagnosis = diagnose(human=0.1, train=0.05, dev=0.05)
    assert diagnosis.largest is None and diagnosis.advice == ()
    assert diagnosis.is_distinguishable is None
    assert "No gap is above 0" in str(diagnosis)
    assert "train is below the human level" in str(diagnosis)


def test_the_standard_error_is_the_deviation_over_many_data_sets(rng):
    """Of large sets, where the added examples count for nothing."""
    errors, sizes = {"train_dev": 0.1, "dev": 0.2}, {"train_dev": 2000, "dev": 3000}
    drawn = [rng.binomial(sizes[n], errors[n], 20_000) / sizes[n] for n in ("train_dev", "dev")]
    expected = np.std(drawn[1] - drawn[0])
    (gap,) = diagnose(**errors, sizes=sizes).gaps
    np.testing.assert_allclose(gap.standard_error, expected, rtol=0.03)


def test_the_standard_error_by_hand():
    """No mistakes in 8 examples are no proof: (0+1)/(8+2) = 0.1, and 0.1·0.9/10 = 0.009."""
    assert difference_error({"dev": 0.0}, {"dev": 8}, {"dev": -1.0}) == pytest.approx(0.009**0.5)
    assert difference_error({"dev": 0.0}, {}, {"dev": 1.0}) is None


def test_the_error_of_a_lead_is_that_over_many_data_sets(rng):
    """Of neighbours, whose level between them counts twice, and of gaps without a common one."""
    errors = {"train": 0.1, "train_dev": 0.2, "dev": 0.25, "test": 0.3}
    sizes = dict.fromkeys(errors, 3000)
    drawn = {level: rng.binomial(3000, p, 20_000) / 3000 for level, p in errors.items()}
    gaps = diagnose(**errors, sizes=sizes).gaps
    for pair in (gaps[:2], (gaps[0], gaps[2])):
        one, two = (drawn[gap.end] - drawn[gap.start] for gap in pair)
        np.testing.assert_allclose(lead_error(errors, sizes, pair), np.std(one - two), rtol=0.03)


def test_small_sets_distinguish_nothing():
    errors = {"human": 0.01, "train": 0.07, "dev": 0.10}
    small = diagnose(**errors, sizes={"train": 50, "dev": 50})
    assert small.is_distinguishable is False
    assert "within 2 standard errors (SE) of 0" in str(small)
    large = diagnose(**errors, sizes={"train": 50_000, "dev": 5000})
    assert large.is_distinguishable is True
    assert "distinguishable" not in str(large)
    # Both gaps are real, but which one is larger is chance: they share the train set.
    alike = diagnose(human=0.01, train=0.06, dev=0.105, sizes={"train": 5000, "dev": 5000})
    assert not alike.largest.is_uncertain and alike.is_distinguishable is False
    assert "is not distinguishable in size from: variance + data mismatch." in str(alike)
    assert diagnose(**errors).is_distinguishable is None


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"train": 8, "dev": 0.1}, "train must be an error rate in [0, 1], such as 0.08 for 8 %"),
        ({"train": "8 %", "dev": 0.1}, "Received: '8 %'."),
        ({"train": float("nan"), "dev": 0.1}, "Received: nan."),
        ({"train": True, "dev": 0.1}, "Received: True."),
        ({"train": 0.1}, "at least two of human, train, train_dev, dev, test. Received: train."),
        ({}, "Received: none."),
        ({"train": 0.1, "dev": 0.1, "sizes": {"test": 9}}, 'the level must be one of "train"'),
        ({"train": 0.1, "dev": 0.1, "sizes": {"dev": 0}}, "dev must be a whole number"),
        ({"train": 0.1, "dev": 0.1, "sizes": {"dev": 9.5}}, "Received: 9.5."),
    ],
)
def test_errors(arguments, text):
    with pytest.raises(InputError) as caught:
        diagnose(**arguments)
    assert text in str(caught.value)


def identity(*metrics):
    """A model whose prediction is its input."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Activation("softmax")])
    model.compile(loss="sparse_categorical_crossentropy", metrics=[*metrics])
    return model


def with_mistakes(count, mistakes):
    y = np.arange(count) % 3
    x = np.eye(3)[(y + (np.arange(count) < mistakes)) % 3]
    return x.astype("float32"), y


def test_a_model():
    diagnosis = diagnose_model(
        identity("accuracy"),
        human=0.0,
        train=with_mistakes(50, 1),
        train_dev=with_mistakes(20, 8),
        dev=tf.data.Dataset.from_tensor_slices(with_mistakes(30, 15)).batch(4),
    )
    expected = {"human": 0, "train": 0.02, "train_dev": 0.4, "dev": 0.5}
    assert diagnosis.errors == pytest.approx(expected, abs=1e-6)
    assert diagnosis.sizes == {"train": 50, "train_dev": 20}
    assert diagnosis.largest.name == "variance"


def test_a_model_without_accuracy():
    sets = {"train": with_mistakes(9, 1), "dev": with_mistakes(9, 2)}
    with pytest.raises(InputError, match=r'must be compiled with metrics=\["accuracy"\]'):
        diagnose_model(identity(), **sets)
    of_another = identity(keras.metrics.SparseCategoricalAccuracy(name="right"))
    with pytest.raises(InputError, match=r'with the metric "hits".*Received: loss, right'):
        diagnose_model(of_another, **sets, metric="hits")
    assert diagnose_model(of_another, **sets, metric="right").errors["dev"] == pytest.approx(2 / 9)
