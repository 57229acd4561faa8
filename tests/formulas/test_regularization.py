from fractions import Fraction

import numpy as np
import pytest

import tfcourse
from tfcourse.formulas.regularization import l1_factor, l2_factor


@pytest.mark.parametrize("lambda_", [0, 0.7, 1e-12, np.float32(0.7), np.float64(3.0)])
@pytest.mark.parametrize("examples", [1, 3, 60_000, np.int64(1797), np.int8(100)])
def test_the_courses_factors(lambda_, examples):
    exact = Fraction(float(lambda_)) / Fraction(int(examples))
    l1, l2 = l1_factor(lambda_, examples), l2_factor(lambda_, examples)
    assert l1 == pytest.approx(float(exact), rel=1e-15)
    assert l2 == pytest.approx(float(exact / 2), rel=1e-15)
    assert (type(l1), type(l2)) == (float, float)  # Keras's regularizers take nothing else


@pytest.mark.parametrize("factor", [l1_factor, l2_factor])
@pytest.mark.parametrize("bad", [-1e-9, float("nan"), float("inf"), True, "0.7", None])
def test_an_inadmissible_lambda(factor, bad):
    with pytest.raises(tfcourse.InputError) as error:
        factor(bad, 100)
    assert str(error.value) == (
        f"{factor.__name__}: lambda_ must be a number >= 0. Received: {bad!r}."
    )


@pytest.mark.parametrize("factor", [l1_factor, l2_factor])
@pytest.mark.parametrize("bad", [0, -5, 100.0, True, "100", None])
def test_an_inadmissible_number_of_examples(factor, bad):
    with pytest.raises(tfcourse.InputError) as error:
        factor(0.7, examples=bad)
    assert str(error.value) == (
        f"{factor.__name__}: examples must be a whole number >= 1. Received: {bad!r}."
    )
