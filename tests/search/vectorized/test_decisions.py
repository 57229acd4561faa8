"""Which trials are trained together, and whether it pays: decided by the config alone."""

from pathlib import Path

import pytest

from tfcourse import InputError
from tfcourse.search.config.architecture import architecture_of
from tfcourse.search.config.load import parse_config
from tfcourse.search.trials.vectorized.group_size import (
    GroupSizes,
    group_sizes,
    max_parallel_trials,
    next_group,
    slot_count,
)
from tfcourse.search.trials.vectorized.rule import should_vectorize, speedup
from tfcourse.search.trials.vectorized.time_shares import TimeShares

RATE = {"learning_rate": {"low": 1e-3, "high": 1.0, "scale": "log"}}
UNITS = {"units": {"values": [4, 8, 16]}}


def config(space=RATE, training=None, model=None, **search):
    raw = {
        "search": {"name": "caviar", "trials": 100, "caviar": "auto", **search},
        "training": {"epochs": 50, **(training or {})},
        "model": model or {},
        "space": space,
    }
    return parse_config(raw, "caviar.toml", Path())


class TestArchitectures:
    BUILDER = config().builder

    def same(self, one, other):
        return architecture_of(one, self.BUILDER) == architecture_of(other, self.BUILDER)

    def test_what_lives_in_variables_is_none(self):
        for name in ("learning_rate", "beta_1", "momentum", "rho", "epsilon", "epochs"):
            assert self.same({name: 1}, {name: 2})
            assert self.same({name: 1}, {})

    def test_the_rest_is(self):
        for name in ("units", "layers", "batch_size", "optimizer", "activation"):
            assert not self.same({name: 1}, {name: 2})
        assert not self.same({"units": 1}, {"layers": 1})

    def test_a_rate_of_dropout_is_none_but_its_absence_is(self):
        assert self.same({"dropout": 0.1}, {"dropout": 0.7})
        assert not self.same({"dropout": 0.1}, {"dropout": 0.0})

    def test_what_the_builder_itself_takes_is(self):
        own = config(model={"builder": "tests.search.vectorized.test_decisions:with_rate"}).builder
        assert architecture_of({"learning_rate": 1}, own) != architecture_of(
            {"learning_rate": 2}, own
        )


def with_rate(input_shape, classes, learning_rate=0.1):
    raise NotImplementedError


class TestHands:
    @pytest.mark.parametrize(
        ("trials", "workers", "together"),
        [(100, 1, 50), (100, 2, 50), (64, 1, 64), (65, 1, 33), (100, 4, 25), (3, 2, 2), (1, 1, 1)],
    )
    def test_one_architecture_in_equal_groups(self, trials, workers, together):
        sizes = group_sizes(config(trials=trials), workers)
        assert sizes == GroupSizes(together, together)

    def test_of_several_architectures_more_are_in_hand(self):
        sizes = group_sizes(config({**RATE, **UNITS}, trials=90), 1)
        assert sizes == GroupSizes(45, 90)
        assert group_sizes(config({**RATE, **UNITS}, trials=900), 1).prefetch == 256

    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            ({}, 100),
            ({"strategy": "coarse_to_fine", "coarse_to_fine": {"trials_per_round": 8}}, 8),
            ({"strategy": "bayesian", "bayesian": {"parallel": 3}}, 3),
            # Up to 50 epochs, a third going on: the first bracket begins with ⌈5/4 · 3³⌉ trials.
            ({"strategy": "hyperband"}, 34),
        ],
    )
    def test_what_a_strategy_gives_at_once(self, settings, expected):
        assert max_parallel_trials(config(**settings)) == expected

    def test_slots_are_of_few_numbers(self):
        found = [slot_count(members, 50) for members in (1, 2, 3, 5, 8, 9, 17, 41, 50)]
        assert found == [1, 2, 4, 8, 8, 16, 24, 48, 50]
        assert all(slot_count(members, 50) >= members for members in range(1, 51))

    def test_a_program_that_is_compiled_serves_a_group_that_is_a_little_smaller(self):
        assert [slot_count(members, 63, {63}) for members in (63, 55, 51)] == [63] * 3
        assert [slot_count(members, 63, {63}) for members in (50, 9)] == [56, 16]
        assert slot_count(40, 63, {63, 48, 32}) == 48

    def test_the_largest_group_comes_first(self):
        hand = {5: "a", 1: "b", 2: "a", 3: "b", 4: "a", 9: "c"}
        assert next_group(hand, 64) == [2, 4, 5]
        assert next_group(hand, 2) == [2, 4]
        assert next_group({7: "a", 3: "b"}, 64) == [3]


class TestAuto:
    STEPS = 17

    def test_many_tiny_models_of_many_epochs(self):
        assert should_vectorize(config(trials=128), self.STEPS)

    def test_not_where_it_hardly_pays(self):
        assert not should_vectorize(config(trials=8), self.STEPS)
        assert not should_vectorize(config(training={"epochs": 2}), self.STEPS)
        assert not should_vectorize(config({**RATE, "units": {"low": 1, "high": 500}}), self.STEPS)
        # A step of large models is mostly arithmetic, which takes as long together.
        assert not should_vectorize(config(trials=128), self.STEPS, arithmetic=2e-3)

    def test_not_where_it_cannot_be_had(self):
        for settings in (
            {"training": {"folds": 2}},
            {"training": {"repeats": 2}},
            {"training": {"optimizer": "keras:adam"}},
            {"trial_timeout": 60.0},
            {"strategy": "bayesian"},
            {"strategy": "hyperband"},
            {"training": {"early_stopping": {"patience": 2}, "epochs": 1000}},
            {"reuse_models": 0},
            {"space": {**RATE, "momentum": {"values": [0.9]}, "optimizer": {
                "values": ["momentum", "keras:sgd"]}}},
        ):  # fmt: skip
            settings = {"trials": 128, **settings}
            assert not should_vectorize(config(**settings), self.STEPS), settings
        assert not should_vectorize(config(trials=128, caviar="reuse"), self.STEPS)

    def test_a_process_compiles_for_its_own_share_of_the_trials(self):
        for trials in (60, 240):
            found = [
                should_vectorize(config(trials=trials), self.STEPS, workers=n)
                for n in (1, 2, 4, 200)
            ]
            shares = [speedup(trials / n, 50, 17, 0.0, min(trials / n, 64)) for n in (1, 2, 4)]
            assert found == [*(share >= 1.5 for share in shares), False]
            assert sorted(found, reverse=True) == found
        assert found[1]

    def test_the_space_s_epochs_count_and_not_those_that_it_replaces(self):
        few = {**RATE, "epochs": {"low": 1, "high": 3}}
        many = {**RATE, "epochs": {"low": 45, "high": 55}}
        assert not should_vectorize(config(few, {"epochs": 100}, trials=128), self.STEPS)
        assert should_vectorize(config(many, {"epochs": 1}, trials=128), self.STEPS)
        # A group ends with its longest member.
        uneven = {**RATE, "epochs": {"low": 1, "high": 100, "scale": "log"}}
        assert not should_vectorize(config(uneven, trials=128), self.STEPS)

    def test_population_and_reuse_are_as_asked(self):
        assert should_vectorize(config(trials=1, caviar="population"), 1, arithmetic=1.0)

    def test_the_estimate_grows_with_what_is_saved(self):
        few, many = (speedup(n, 50, 17, 35e-6, min(n, 64)) for n in (8, 128))
        assert few < many
        short, long = (speedup(64, epochs, 17, 35e-6, 64) for epochs in (5, 50))
        assert short < long
        small, large = (speedup(64, 50, 17, seconds, 64) for seconds in (0.0, 1e-3))
        assert large < 1 < small


class TestWhatCannotBeHad:
    CASES = {
        "folds": ({"training": {"folds": 3}}, r"\[training\] folds = 3: its members are trained"),
        "repeats": ({"training": {"repeats": 2}}, r"\[training\] repeats = 2"),
        "timeout": ({"trial_timeout": 9.5}, r"\[search\] trial_timeout = 9.5: its members"),
        "anew": ({"reuse_models": 0}, r"\[search\] reuse_models = 0"),
        "optimizer": ({"training": {"optimizer": "keras:adam"}}, 'the optimizer "keras:adam", whi'),
        "continuous": (
            {
                "space": {"size": {"low": 0.1, "high": 0.9}},
                "model": {"builder": "tests.search.vectorized.test_decisions:sized"},
            },
            r"\[space.size\]: no two trials have the same value, and each value is another model",
        ),
    }

    @pytest.mark.parametrize("name", CASES)
    def test_it_is_said_before_the_search(self, name):
        settings, message = self.CASES[name]
        start = r'^caviar\.toml: \[search\] caviar = "population" is not possible with '
        with pytest.raises(InputError, match=start + message) as raised:
            config(caviar="population", **settings)
        assert str(raised.value).endswith('Leave it out, or use caviar = "auto".')
        config(**settings)

    def test_every_reason_has_a_line(self):
        with pytest.raises(InputError) as raised:
            config(caviar="population", training={"folds": 2, "repeats": 2})
        assert len(str(raised.value).splitlines()) == 2

    def test_an_unknown_one(self):
        with pytest.raises(
            InputError, match=r'caviar must be one of "auto", "population", "reuse"'
        ):
            config(caviar="panda")


def sized(input_shape, classes, size):
    raise NotImplementedError


def test_shares_add_up_to_all_of_the_time():
    times = iter([10.0, 13.0, 13.0, 15.0])
    shares = TimeShares(3, lambda: next(times))
    assert [shares.end() for _ in range(3)] == [1.0, 1.0, 3.0]
