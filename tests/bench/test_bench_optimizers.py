from itertools import product

import keras
import pytest

from tfcourse.bench import optimizers
from tfcourse.optimizers import Adam


def test_every_optimizer_runs_in_every_mode_in_a_small_bench():
    """Of one weight; of two in the first mode, which need not be traced."""
    first = optimizers.MODES[0]
    comparisons = optimizers.bench(repeats=1, counts=(1,), shape=(2, 3))
    comparisons += optimizers.bench(repeats=1, counts=(1, 2), modes=(first,), shape=(2, 3))
    assert [comparison.title for comparison in comparisons] == [
        *(
            f"{name}, 1 weight, {mode}"
            for name, mode in product(optimizers.PAIRS, optimizers.MODES)
        ),
        *(
            f"{name}, {n}, {first}"
            for name, n in product(optimizers.PAIRS, ("1 weight", "2 weights"))
        ),
    ]
    for comparison in comparisons:
        assert comparison.baseline == optimizers.OURS
        assert [timing.name for timing in comparison.timings] == ["tfcourse", "Keras"]


def test_the_matrix_is_the_one_that_was_asked_for():
    assert list(optimizers.PAIRS) == ["GradientDescent", "Momentum", "RMSprop", "Adam"]
    assert optimizers.COUNTS == (1, 10, 100)


@pytest.mark.parametrize("mode", optimizers.MODES)
def test_optimizers_that_take_other_steps_end_the_bench(monkeypatch, mode):
    other = (lambda: Adam(0.001), lambda: keras.optimizers.Adam(0.0011))
    monkeypatch.setattr(optimizers, "PAIRS", {"Adam": other})
    with pytest.raises(RuntimeError, match=r"on Adam, 1 weight, .* 0\.0003 apart"):
        optimizers.bench(repeats=1, counts=(1,), modes=(mode,), shape=(2,))
