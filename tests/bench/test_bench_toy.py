from dataclasses import replace

import numpy as np
import pytest

from tfcourse.bench import toy
from tfcourse.bench.frame import compare


def test_every_contender_takes_part_in_a_small_bench():
    (comparison,) = toy.bench(repeats=1, steps=3)
    assert comparison.baseline == toy.OURS_XLA
    assert len(comparison.timings) == 7
    assert all(len(timing.seconds.values) == 1 for timing in comparison.timings)
    assert comparison[toy.OURS_XLA].ratios.values == (1.0,)


@pytest.mark.parametrize("index", [0, 1, 2, 3, 5])
def test_the_courses_figure_is_what_the_check_expects(index):
    # The session (4) and the eager loop (6) are held to fewer steps above: they are slow.
    contender = toy.contenders(1000)[index]
    assert abs(float(contender.run()) - 4.9999886) < 1e-6
    contender.check(4.9999886)


def test_a_contender_that_computes_something_else_ends_the_bench():
    def python_floats():
        w = 0.0
        for _ in range(1000):
            w = w - 0.01 * (2 * w - 10)
        return w

    ours, *_ = toy.contenders(1000)
    # The right minimum, in double: closer to 5 than the course's float32 program comes.
    wrong = replace(ours, run=python_floats)
    with pytest.raises(RuntimeError, match=r"computed something else.*4\.99999999.*4\.9999886"):
        compare("t", [wrong], repeats=1)


@pytest.mark.parametrize("w", [np.nan, np.inf, 5.0, 0.0])
def test_the_check_refuses(w):
    with pytest.raises(RuntimeError, match=f"'{toy.NUMPY}' computed something else"):
        toy.contenders(1000)[3].check(np.float32(w))
