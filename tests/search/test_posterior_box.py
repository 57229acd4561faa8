"""The box of coarse to fine that the evidence decides: where it lies, and what does not cut it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcourse.search.space.parameters import Choice, Range, active
from tfcourse.search.space.sampling import sample
from tfcourse.search.strategies import evidence
from tfcourse.search.strategies.boxes import Part
from tfcourse.search.strategies.evidence import weigh
from tfcourse.search.strategies.gaussian_process import draw_processes
from tfcourse.search.strategies.posterior_box import _minimizers, posterior_box, widen
from tfcourse.search.strategies.quasi_random import quasi_random

SPACE = {
    "rate": Range("float", 1e-4, 1.0, scale="log"),
    "beta": Range("float", 0.9, 0.999, scale="one_minus_log"),
    "units": Range("int", 32, 128, 32),
    "kind": Choice(("a", "b", "c")),
    "flag": Choice((False, True), (("kind", "a"),)),
    "momentum": Range("float", 0.5, 0.9, when=(("flag", True),)),
}
PLANE = {name: Range("float", 0.0, 1.0) for name in "xyz"}


def box_of(space, seen, rounds=2, seed=0, coverage=0.8, shrink=0.5, floor=0.05):
    return posterior_box(
        space, weigh(space, seen), seed, rounds, coverage=coverage, shrink=shrink, floor=floor
    )


def trials(loss, count, space=PLANE, noise=0.0, seed=0):
    random = np.random.default_rng(seed)
    values = [quasi_random(space, seed, trial) for trial in range(count)]
    return [(own, loss(own) + noise * random.standard_normal()) for own in values]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 20), st.integers(0, 5), st.integers(0, 9), st.floats(0.1, 1))
def test_a_box_never_leaves_the_space(count, failed, rounds, coverage):
    random = np.random.default_rng(count)
    seen = [(sample(SPACE, 5, trial), float(random.random())) for trial in range(count)]
    seen += [(sample(SPACE, 6, trial), None) for trial in range(failed)]
    box = box_of(SPACE, seen, rounds, coverage=coverage)
    assert list(box) == list(SPACE)
    for trial in range(10):
        values = quasi_random(box, 1, trial)
        assert values == active(SPACE, {**dict.fromkeys(SPACE), **values})
        for name, value in values.items():
            parameter = SPACE[name]
            if isinstance(parameter, Range):
                assert parameter.low <= value <= parameter.high
                assert isinstance(value, {"int": int, "float": float}[parameter.kind])
            else:
                assert value in parameter.values
    for part in box.values():
        if isinstance(part, Part):
            assert 0 <= part.start < part.end <= 1
        else:
            assert math.fsum(part.weights) == pytest.approx(1)
            assert min(part.weights) >= 0.09 / len(part.weights)


@pytest.mark.parametrize("seen", [[], [({"x": 0.1, "y": 0.2, "z": 0.3}, None)] * 4])
def test_without_a_loss_it_is_the_whole_space(seen):
    box = box_of(PLANE, seen)
    for trial in range(10):
        assert quasi_random(box, 3, trial) == pytest.approx(quasi_random(PLANE, 3, trial))


def test_before_the_first_round_it_is_the_whole_space():
    seen = trials(lambda v: v["x"], 8)
    assert all((p.start, p.end) == (0, 1) for p in box_of(PLANE, seen, rounds=0).values())


def test_a_range_without_an_effect_is_not_cut():
    """In most seeds, with noise of a tenth of what the other one decides."""
    others = []
    for seed in range(9):
        seen = trials(lambda v: 4 * (v["x"] - 0.3) ** 2, 24, noise=0.1, seed=seed)
        box = box_of(PLANE, seen, rounds=4, seed=seed)
        assert box["x"].start - 0.05 <= 0.3 <= box["x"].end + 0.05
        assert box["x"].end - box["x"].start < 0.6
        others += [box[name].end - box[name].start for name in "yz"]
    assert np.median(others) > 0.85


def test_noise_alone_cuts_little():
    widths = []
    for seed in range(9):
        box = box_of(PLANE, trials(lambda v: 0.0, 16, noise=1.0, seed=seed), 8, seed)
        widths += [part.end - part.start for part in box.values()]
    assert np.median(widths) > 0.85


@pytest.mark.parametrize("seed", range(5))
def test_a_lucky_trial_does_not_capture_it(seed):
    """One trial far from the valley with a loss better than all: the valley stays inside."""
    seen = trials(lambda v: 4 * (v["x"] - 0.2) ** 2, 24, noise=0.05, seed=seed)
    lucky = max(range(24), key=lambda t: seen[t][0]["x"])
    seen[lucky] = (seen[lucky][0], min(loss for _, loss in seen) - 0.05)
    box = box_of(PLANE, seen, rounds=4, seed=seed)
    assert box["x"].start <= 0.2 <= box["x"].end


def test_more_evidence_makes_it_smaller():
    def loss(v):
        return (v["x"] - 0.6) ** 2 + (v["y"] - 0.3) ** 2

    sizes = []
    for count in (8, 24, 72):
        box = box_of(PLANE, trials(loss, count, noise=0.02), rounds=20)
        sizes.append((box["x"].end - box["x"].start) * (box["y"].end - box["y"].start))
    assert sizes[0] > sizes[1] > sizes[2]


@pytest.mark.parametrize("dimensions", [1, 2, 5])
@pytest.mark.parametrize("rounds", [1, 3])
def test_the_volume_has_a_limit(dimensions, rounds):
    space = {f"x{axis}": Range("float", 0.0, 1.0) for axis in range(dimensions)}
    seen = trials(lambda v: sum((x - 0.4) ** 2 for x in v.values()), 40, space)
    box = box_of(space, seen, rounds, shrink=0.7)
    volume = math.prod(part.end - part.start for part in box.values())
    assert volume >= 0.7 ** (2 * rounds) * (1 - 1e-9)


def test_a_widened_box():
    low, high = widen(np.array([0.0, 0.45]), np.array([1.0, 0.55]), 0.4)
    assert (low, high) == (pytest.approx([0, 0.3]), pytest.approx([1, 0.7]))
    low, high = widen(np.array([0.0, 0.9]), np.array([0.9, 1.0]), 0.5)
    assert high - low == pytest.approx([1, 0.5])
    assert high.max() <= 1
    same = np.array([0.2]), np.array([0.9])
    assert widen(*same, 0.1) == (pytest.approx(same[0]), pytest.approx(same[1]))


def test_interactions_count():
    """A diagonal valley: its box is wide, though each trial has neighbours that are bad."""
    seen = trials(lambda v: 10 * abs(v["x"] - v["y"]), 40)
    box = box_of(PLANE, seen, rounds=6)
    assert min(box[name].end - box[name].start for name in "xy") > 0.7


def test_the_better_values_of_a_choice_weigh_more():
    space = {"kind": Choice(tuple("abc")), "x": Range("float", 0.0, 1.0)}
    seen = trials(lambda v: "bca".index(v["kind"]) + 0.1 * v["x"], 24, space, noise=0.1)
    weights = dict(zip("abc", box_of(space, seen)["kind"].weights, strict=True))
    assert weights["b"] > 0.6
    assert min(weights.values()) >= 0.1 / 3 * (1 - 1e-9)


def test_failures_push_it_away():
    seen = [(v, None if v["x"] > 0.5 else loss) for v, loss in trials(lambda v: 1.0 + v["y"], 24)]
    box = box_of(PLANE, seen, rounds=6)
    assert box["x"].start + box["x"].end < 0.9


def test_the_order_of_the_space_does_not_matter():
    seen = [(sample(SPACE, 1, trial), float(trial % 5)) for trial in range(16)]
    turned = dict(reversed(SPACE.items()))
    assert box_of(turned, seen) == box_of(SPACE, seen)


def test_many_trials():
    seen = trials(lambda v: (v["x"] - 0.6) ** 2, 1000, noise=0.01)
    box = box_of(PLANE, seen, rounds=50)
    assert box["x"].start <= 0.6 <= box["x"].end
    assert box["x"].end - box["x"].start < 0.3


def test_of_many_trials_the_better_ones_and_some_of_the_others_count(monkeypatch):
    """Two thirds of them are the best ones, the rest is spread evenly over the others."""
    monkeypatch.setattr(evidence, "MOST_TRIALS", 6)
    space = {"rate": Range("float", 0.0, 1.0)}
    losses = [7, 0, 11, 3, 9, 5, 1, 10, 2, 8, 6, 4]
    units = weigh(space, [({"rate": loss / 12}, float(loss)) for loss in losses]).units
    assert sorted(units[:, 0]) == pytest.approx([loss / 12 for loss in (0, 1, 2, 3, 4, 11)])
    few = [({"rate": loss / 12}, float(loss)) for loss in losses[:6]]
    assert sorted(weigh(space, few).units[:, 0]) == sorted(v["rate"] for v, _ in few)
    assert weigh(space, [({"rate": 0.5}, None)]) is None
    equal = [({"rate": n / 60}, float(n < 30)) for n in range(60)]
    found = weigh(space, equal).units[:, 0]
    # By loss, then by number: trials 30 to 59, of which five count, and then 0 to 29.
    assert sorted(found) == pytest.approx(np.array([29, 30, 31, 32, 33, 34]) / 60)


@pytest.mark.parametrize("seed", range(3))
def test_the_minimizers_lie_in_the_space_where_the_loss_falls_to_its_edges(seed):
    seen = trials(lambda v: v["y"] - v["x"], 24, seed=seed)
    seen += [({"x": 1 - n / 500, "y": n / 500, "z": n / 8}, n / 250 - 1) for n in range(8)]
    found = weigh(PLANE, seen)
    normals = np.random.default_rng(seed).standard_normal((4, 5))
    processes = draw_processes(found.process, found.coordinates.columns, normals)
    places = _minimizers(found, processes, np.zeros(3), np.ones(3), np.empty((0, 3)), (seed, 1, 0))
    assert (places.min(), places[:, 0].max()) == (0, 1)
    assert places.max() <= 1
