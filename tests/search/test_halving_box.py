"""The box of a round: where it lies, how wide it is, and what it does not depend on."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcourse.search.space.parameters import Choice, Range, active
from tfcourse.search.space.sampling import sample
from tfcourse.search.strategies.boxes import Part, Weighted, as_record
from tfcourse.search.strategies.halving_box import halving_box

SETTINGS = {"keep": 0.25, "shrink": 0.5, "floor": 0.05}
SPACE = {
    "rate": Range("float", 1e-4, 1.0, scale="log"),
    "beta": Range("float", 0.9, 0.999, scale="one_minus_log"),
    "share": Range("float", 0.0, 0.5, 0.1),
    "units": Range("int", 32, 128, 32),
    "layers": Range("int", 1, 3, 1, "log"),
    "kind": Choice(("a", "b", "c")),
    "flag": Choice((False, True), (("kind", "a"),)),
    "momentum": Range("float", 0.5, 0.9, when=(("flag", True),)),
}

# The values that the space itself gives, where they can be counted.
EVERY = {
    name: {parameter.value_at((k + 0.5) / 100) for k in range(100)}
    for name, parameter in SPACE.items()
    if parameter.count is not None
}


def box_of(space, completed, rounds, failed=(), **settings):
    return halving_box(space, completed, list(failed), rounds, **{**SETTINGS, **settings})


def drawn(box, count=40):
    return [sample(box, seed, trial) for seed in range(2) for trial in range(count // 2)]


trials = st.integers(0, 30)
rounds = st.integers(0, 12)
fractions = st.floats(0.01, 1)


@settings(max_examples=40)
@given(trials, trials, rounds, fractions, st.floats(0.01, 0.99), fractions)
def test_a_box_never_leaves_the_space(completed, failed, number, keep, shrink, floor):
    """Whatever the record: its values are among those that the space itself can give."""
    record = [sample(SPACE, 5, trial) for trial in range(completed + failed)]
    box = box_of(
        SPACE,
        record[:completed],
        number,
        record[completed:],
        keep=keep,
        shrink=shrink,
        floor=floor,
    )
    assert list(box) == list(SPACE)
    for values in drawn(box, 10):
        assert values == active(SPACE, {**dict.fromkeys(SPACE), **values})
        for name, value in values.items():
            parameter = SPACE[name]
            assert parameter.value_at(parameter.unit_of(value)) == pytest.approx(value)
            if isinstance(parameter, Range):
                assert parameter.low <= value <= parameter.high
                assert isinstance(value, {"int": int, "float": float}[parameter.kind])
            assert name not in EVERY or value in EVERY[name]
    for part in box.values():
        if isinstance(part, Part):
            assert 0 <= part.start < part.end <= 1
        else:
            assert math.fsum(part.weights) == pytest.approx(1)
            assert min(part.weights) >= floor / len(part.weights) * (1 - 1e-9)


@given(st.floats(0, 1), st.integers(1, 12), fractions, st.floats(0.1, 0.9))
def test_the_width_on_the_scale(unit, number, floor, shrink):
    """It shrinks by the same factor each round, down to the floor; at an edge too."""
    for name in ("rate", "beta"):
        parameter = SPACE[name]
        box = box_of(
            {name: parameter},
            [{name: parameter.value_at(unit)}],
            number,
            floor=floor,
            shrink=shrink,
        )
        part, wide = box[name], max(floor, shrink**number)
        assert part.end - part.start == pytest.approx(wide)
        # As wide in decades, of the rate or of 1-β.
        of = math.log if name == "rate" else lambda v: -math.log(1 - v)
        whole = of(parameter.high) - of(parameter.low)
        assert of(part.value_at(1)) - of(part.value_at(0)) == pytest.approx(wide * whole, rel=1e-6)


def test_a_log_range_is_halved_in_decades():
    """Four decades around 1e-2 become two: 1e-3 to 1e-1, and not 0 to 0.5."""
    box = box_of({"rate": SPACE["rate"]}, [{"rate": 1e-2}], 1)
    assert box["rate"].value_at(0) == pytest.approx(1e-3)
    assert box["rate"].value_at(1) == pytest.approx(1e-1)


@pytest.mark.parametrize(("best", "ends"), [(1e-4, (1e-4, 1e-2)), (1.0, (1e-2, 1.0))])
def test_a_best_point_at_the_edge_moves_the_box(best, ends):
    box = box_of({"rate": SPACE["rate"]}, [{"rate": best}], 1)
    assert (box["rate"].value_at(0), box["rate"].value_at(1)) == pytest.approx(ends)


def test_the_box_may_leave_the_one_before():
    """The best of round 1 was at its box's edge: round 2 looks on both sides of it."""
    first = box_of({"x": Range("float", 0.0, 1.0)}, [{"x": 0.25}], 1)["x"]
    second = box_of({"x": Range("float", 0.0, 1.0)}, [{"x": first.end}], 2)["x"]
    assert second.end > first.end
    assert (second.start + second.end) / 2 == pytest.approx(first.end)


def test_before_the_first_round_it_is_the_whole_space():
    box = box_of(SPACE, [], 0)
    for trial in range(50):
        assert sample(box, 3, trial) == sample(SPACE, 3, trial)


def test_good_trials_in_another_valley_do_not_pull_the_box_between_the_two():
    space = {"x": Range("float", 0.0, 1.0)}
    box = box_of(space, [{"x": x} for x in (0.1, 0.9, 0.12, 0.91)], 2, keep=1)
    assert (box["x"].start, box["x"].end) == (0.0, 0.25)


def test_the_mean_of_the_best_weighs_by_rank():
    """3/6 · 0.4 + 2/6 · 0.5 + 1/6 · 0.6; the fourth is not one of the best."""
    space = {"x": Range("float", 0.0, 1.0)}
    box = box_of(space, [{"x": x} for x in (0.4, 0.5, 0.6, 0.7)], 1, keep=0.75)
    assert (box["x"].start + box["x"].end) / 2 == pytest.approx(2.8 / 6)


def test_a_trial_far_off_in_one_range_takes_no_part_in_any_mean():
    space = {name: Range("float", 0.0, 1.0) for name in "xy"}
    completed = [{"x": 0.4, "y": 0.1}, {"x": 0.6, "y": 0.9}]
    box = box_of(space, completed, 1, keep=1, shrink=0.4)
    assert (box["x"].start + box["x"].end) / 2 == pytest.approx(0.4)


class TestWholeNumbers:
    def test_a_cut_value_keeps_the_share_that_is_left(self):
        """Three layers around the middle one: half of it leaves a quarter of each neighbour."""
        layers = Range("int", 1, 3, 1)
        part = box_of({"layers": layers}, [{"layers": 2}], 1)["layers"]
        values = [part.value_at((k + 0.5) / 12) for k in range(12)]
        assert (values.count(1), values.count(2), values.count(3)) == (2, 8, 2)

    def test_a_narrow_box_is_one_value(self):
        part = box_of({"units": SPACE["units"]}, [{"units": 96}], 4)["units"]
        assert {part.value_at(k / 10) for k in range(11)} == {96}


class TestChoices:
    def weights(self, kinds, number=1, failed=(), **settings):
        space = {"kind": Choice(("a", "b", "c"))}
        completed, failed = ([{"kind": k} for k in word] for word in (kinds, failed))
        box = box_of(space, completed, number, failed, **settings)
        return dict(zip("abc", box["kind"].weights, strict=True))

    def test_ranks_decide(self):
        found = self.weights("aabbcc")
        assert found["a"] > found["b"] > found["c"]

    def test_the_weights_by_hand(self):
        """Ranks 1, ½ and a mean of ¾: (1+¾)/2 and (½+¾)/2, squared; c has the mean itself."""
        squares = np.array([0.875, 0.625, 0.75]) ** 2
        expected = 0.05 / 3 + 0.95 * squares / squares.sum()
        assert list(self.weights("ab").values()) == pytest.approx(list(expected))

    def test_a_value_that_was_not_tried_is_neither_favoured_nor_dropped(self):
        found = self.weights("ab")
        assert found["a"] > found["c"] > found["b"]

    def test_failures_count_against_a_value(self):
        assert self.weights("ab", failed="bbb")["b"] < self.weights("ab")["b"]

    def test_later_rounds_are_sharper_and_no_value_dies(self):
        shares = [self.weights("aabbcc", number) for number in (1, 2, 4, 30)]
        assert shares[0]["a"] < shares[1]["a"] < shares[2]["a"] < shares[3]["a"]
        assert shares[3]["c"] == pytest.approx(0.05 / 3)

    @pytest.mark.parametrize("failed", ["", "abc"])
    def test_without_a_completed_trial_all_are_alike(self, failed):
        assert self.weights("", 2, failed) == dict.fromkeys("abc", 1 / 3)

    def test_a_draw_has_the_shares_of_the_weights(self):
        part = Weighted(Choice((True, False, None)), (0.5, 0.2, 0.3))
        values = [part.value_at((k + 0.5) / 1000) for k in range(1000)]
        assert [values.count(v) for v in (True, False, None)] == [500, 200, 300]
        assert part.value_at(1.0) is None


class TestConditions:
    SPACE = {
        "kind": Choice(("a", "b")),
        "x": Range("float", 0.0, 1.0, when=(("kind", "a"),)),
    }

    def test_only_the_trials_that_had_it_count(self):
        completed = [{"kind": "b"}, {"kind": "b"}, {"kind": "a", "x": 0.75}]
        part = box_of(self.SPACE, completed, 1)["x"]
        assert (part.start, part.end) == (0.5, 1.0)

    def test_one_that_no_trial_had_stays_whole(self):
        part = box_of(self.SPACE, [{"kind": "b"}] * 4, 3)["x"]
        assert (part.start, part.end) == (0.0, 1.0)

    def test_a_box_keeps_the_condition(self):
        box = box_of(self.SPACE, [{"kind": "a", "x": 0.5}], 1)
        for trial in range(40):
            values = sample(box, 0, trial)
            assert ("x" in values) == (values["kind"] == "a")


def test_failed_trials_alone_leave_the_ranges_whole():
    box = box_of({"rate": SPACE["rate"]}, [], 2, [{"rate": 0.1}])
    assert (box["rate"].start, box["rate"].end) == (0.0, 1.0)


def test_the_order_of_the_space_does_not_matter():
    completed = [sample(SPACE, 1, trial) for trial in range(16)]
    turned = dict(reversed(SPACE.items()))
    assert box_of(turned, completed, 2) == box_of(SPACE, completed, 2)


def test_the_record_of_a_box():
    completed = [{"rate": 1e-2, "units": 64, "kind": "a"}]
    space = {name: SPACE[name] for name in completed[0]}
    kept = as_record(box_of(space, completed, 1))
    assert kept["rate"] == {
        "low": pytest.approx(1e-3),
        "high": pytest.approx(0.1),
        "scale": "log",
    }
    assert kept["units"] == {"low": 32, "high": 96, "scale": "linear"}
    assert kept["kind"]["values"] == ["a", "b", "c"]
    assert sum(kept["kind"]["weights"]) == pytest.approx(1)


def test_the_draws_of_a_box_are_uniform_on_the_scale():
    part = box_of({"rate": SPACE["rate"]}, [{"rate": 1e-2}], 1)["rate"]
    values = [sample({"rate": part}, 0, trial)["rate"] for trial in range(2000)]
    assert statistics.median(values) == pytest.approx(1e-2, rel=0.15)
    assert np.mean(np.array(values) < 10**-2.5) == pytest.approx(0.25, abs=0.04)


def test_the_ends_on_record_are_the_values_that_can_be_drawn():
    """Also of a part that ends between the values of a stepped range, or where one begins."""
    for name, ends in (("units", [(0.0, 1.0), (0.25, 0.5), (0.3, 0.55)]), ("share", [(0.2, 0.6)])):
        for start, end in ends:
            part = Part(SPACE[name], start, end)
            values = [part.value_at(k / 1000) for k in range(1000)]
            record = as_record({name: part})[name]
            assert (record["low"], record["high"]) == (min(values), max(values))
    share = as_record({"rate": Part(SPACE["rate"], 0.25, 0.5)})["rate"]
    assert share == {
        "low": SPACE["rate"].value_at(0.25),
        "high": SPACE["rate"].value_at(0.5),
        "scale": "log",
    }
