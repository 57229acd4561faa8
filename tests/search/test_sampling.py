"""A trial's values and seed come from (space, seed, trial number), and from nothing else."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tfcourse.search.config.load import load_config
from tfcourse.search.space.parameters import Choice, Range
from tfcourse.search.space.sampling import sample, trial_seed

DIGITS = Path(__file__).parents[2] / "tuner_configs" / "digits.toml"
SPACE = {**load_config(DIGITS).space, "batch_size": Choice((64, 128, 256))}
TRIALS = range(30)


def test_the_stream_has_not_changed():
    """A record made with an older version must be continued with the same values."""
    assert sample(SPACE, 0, 0) == {
        "learning_rate": pytest.approx(0.698676673635799, rel=1e-12),
        "beta_1": pytest.approx(0.9545175149945445, rel=1e-12),
        "units": 64,
        "layers": 1,
        "batch_size": 64,
    }
    assert sample(SPACE, 7, 11) == {
        "learning_rate": pytest.approx(0.00017349419876590855, rel=1e-12),
        "beta_1": pytest.approx(0.9989321183038947, rel=1e-12),
        "units": 96,
        "layers": 1,
        "batch_size": 128,
    }
    seeds = [trial_seed(seed, trial) for seed, trial in [(0, 0), (0, 1), (7, 11)]]
    assert seeds == [1484405855, 1982462498, 623739095]


def test_the_order_of_the_calls_does_not_matter():
    forwards = {trial: sample(SPACE, 0, trial) for trial in TRIALS}
    np.random.seed(1)
    backwards = {trial: sample(SPACE, 0, trial) for trial in reversed(TRIALS)}
    assert forwards == backwards


def test_the_order_of_the_space_does_not_matter():
    turned = dict(reversed(SPACE.items()))
    assert list(turned) != list(SPACE)
    assert all(sample(turned, 0, trial) == sample(SPACE, 0, trial) for trial in TRIALS)


def test_a_parameter_more_leaves_the_others_as_they_were():
    for trial in TRIALS:
        values = sample({"a_new_one": Range("float", 0, 1), **SPACE}, 0, trial)
        del values["a_new_one"]
        assert values == sample(SPACE, 0, trial)


def test_parameters_of_one_range_do_not_move_together():
    space = {name: Range("float", 0.0, 1.0) for name in ("a", "b")}
    a, b = np.array([list(sample(space, 0, trial).values()) for trial in range(2000)]).T
    assert stats.pearsonr(a, b).pvalue > 1e-3


def test_neighbouring_trials_do_not_move_together():
    values = [sample({"a": Range("float", 0.0, 1.0)}, 0, trial)["a"] for trial in range(2000)]
    assert stats.pearsonr(values[1:], values[:-1]).pvalue > 1e-3


def test_seeds_share_no_trials_and_zero_is_one_of_them():
    drawn = {
        (seed, trial): tuple(sample(SPACE, seed, trial).values())
        for seed in range(21)
        for trial in TRIALS
    }
    assert len(set(drawn.values())) == 21 * len(TRIALS)


def test_the_seeds_of_trials():
    seeds = [trial_seed(seed, trial) for seed in range(21) for trial in TRIALS]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 and type(seed) is int for seed in seeds)


def test_a_choice_keeps_its_values_as_they_are():
    values = (True, "relu", 3, 0.5, None)
    drawn = [sample({"c": Choice(values)}, 0, trial)["c"] for trial in range(100)]
    assert {(type(value), value) for value in drawn} == {(type(v), v) for v in values}
