"""Hints about the hyperparameters that a number of trials is enough for."""

import pytest

from tfcourse.search.config.budget import hints
from tfcourse.search.config.load import parse_config

SPACE = {
    "layers": {"low": 1, "high": 3},
    "units": {"low": 8, "high": 64},
    "learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"},
}
BETAS = {"low": 0.9, "high": 0.999, "scale": "one_minus_log"}
EPSILON = {"low": 1e-9, "high": 1e-6, "scale": "log"}


def of(trials, *names, **search):
    """The hints for a space of these names of `SPACE` and of Adam's hyperparameters."""
    tables = {**SPACE, "beta_1": BETAS, "beta_2": BETAS, "epsilon": EPSILON}
    tables |= {"batch_size": {"values": [32, 64]}, "dropout": {"values": [0.5]}}
    raw = {
        "search": {"name": "hints", "trials": trials, **search},
        "space": {name: tables[name] for name in names},
    }
    return hints(parse_config(raw, "hints.toml", None))


class TestTheNumberOfTrials:
    @pytest.mark.parametrize("trials", [1, 9])
    def test_below_ten_the_learning_rate_alone(self, trials):
        assert of(trials, "learning_rate") == []
        assert of(trials, "learning_rate", "dropout") == []  # which has one value
        assert of(trials, *SPACE) == [
            f"[search] trials = {trials}: with fewer than 10 trials search the learning rate "
            "alone. Leave out [space.units], [space.layers], or give 18 trials."
        ]

    def test_without_a_learning_rate(self):
        (line,) = of(9, "layers", "units")
        assert "search units alone. Leave out [space.layers], or give 12 trials." in line

    def test_then_the_ones_of_the_highest_priority(self):
        assert of(12, "learning_rate", "beta_1") == []
        assert of(13, *SPACE, "beta_1") == [
            "[search] trials = 13 is fewer than 6 for each of the 4 hyperparameters of a trial. "
            "Search learning_rate, units first and leave out [space.beta_1], [space.layers], or "
            "give 24 trials."
        ]
        assert of(24, *SPACE, "beta_1") == []

    def test_the_second_from_ten_on(self):
        (line,) = of(10, *SPACE)
        assert "Search learning_rate, units first" in line

    def test_hyperparameters_with_conditions_count_where_they_are_met(self):
        raw = {
            "search": {"name": "hints", "trials": 18},
            "space": {
                "optimizer": {"values": ["adam", "momentum"]},
                "learning_rate": SPACE["learning_rate"],
                "beta_1": {**BETAS, "when": {"optimizer": "adam"}},
                "momentum": {**BETAS, "when": {"optimizer": "momentum"}},
            },
        }
        assert hints(parse_config(raw, "hints.toml", None)) == []

    def test_a_grid_has_as_many_as_it_has_points(self):
        assert of(9, "units", "layers", strategy="grid") == []


def test_the_last_ones_need_more_trials():
    (line,) = of(24, "learning_rate", "beta_2", "epsilon")
    assert line == (
        "[search] trials = 24: beta_2 and epsilon rarely matter much. With fewer than 25 trials "
        "leave out [space.beta_2], [space.epsilon]."
    )
    assert of(25, "learning_rate", "beta_2", "epsilon") == []


def test_the_batch_size_is_for_speed():
    (line,) = of(24, "learning_rate", "batch_size")
    assert line.startswith("[space.batch_size]: the batch size decides the speed. ")
    assert line.endswith("fix it in [training] batch_size.")
    assert of(24, "learning_rate", "batch_size", objective="accuracy") == []
