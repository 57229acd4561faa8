import subprocess
import sys

import pytest

from tfcourse.bench.frame import SAMPLE_SECONDS, Contender, compare
from tfcourse.errors import InputError


class FakeClock:
    """A clock that only the contenders move."""

    def __init__(self):
        self.now = 0.0
        self.log = []

    def __call__(self):
        return self.now

    def contender(self, name, *durations, **options):
        """A contender whose n-th run takes the n-th duration, and the last one from then on."""
        left = list(durations)

        def run():
            self.log.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]
            return name

        return Contender(name, run, **options)


@pytest.fixture
def clock():
    return FakeClock()


def test_contenders_alternate_after_the_warm_up(clock):
    trio = [clock.contender(name, 1.0, number=1) for name in "ABC"]
    compare("t", trio, repeats=3, warmup=2, timer=clock)
    assert "".join(clock.log) == "AABBCC" + "ABC" * 3


def test_times_and_ratios_are_taken_round_by_round(clock):
    ours = clock.contender("ours", 1.0, 2.0, 4.0, number=1)
    other = clock.contender("other", 10.0, 2.0, 8.0, number=1)
    comparison = compare("t", [ours, other], baseline="ours", repeats=3, warmup=0, timer=clock)
    assert comparison["ours"].seconds.values == (1.0, 2.0, 4.0)
    assert comparison["ours"].ratios.values == (1.0, 1.0, 1.0)
    timing = comparison["other"]
    assert (timing.seconds.median, timing.seconds.low, timing.seconds.high) == (8.0, 2.0, 10.0)
    assert timing.ratios.values == (10.0, 1.0, 2.0)
    # The median of the ratios; the ratio of the medians would be 4.
    assert (timing.ratios.median, timing.ratios.low, timing.ratios.high) == (2.0, 1.0, 10.0)


def test_the_baseline_may_stand_anywhere_and_is_the_first_by_default(clock):
    pair = [clock.contender("a", 3.0, number=1), clock.contender("b", 1.0, number=1)]
    assert compare("t", pair, repeats=1, timer=clock).baseline == "a"
    comparison = compare("t", pair, baseline="b", repeats=2, timer=clock)
    assert comparison["a"].ratios.values == (3.0, 3.0)
    with pytest.raises(KeyError):
        comparison["c"]


def test_warm_up_is_not_among_the_times(clock):
    slow_first = clock.contender("a", 100.0, 1.0, number=1)
    assert compare("t", [slow_first], repeats=2, timer=clock)["a"].seconds.values == (1.0, 1.0)


@pytest.mark.parametrize(
    ("duration", "number"),
    [(1.0, 1), (SAMPLE_SECONDS, 1), (0.0125, 2), (5e-3, 5), (2.5e-3, 10), (3e-5, 1000)],
)
def test_short_work_is_repeated_until_a_sample_is_long_enough(clock, duration, number):
    timing = compare("t", [clock.contender("a", duration)], repeats=2, timer=clock)["a"]
    assert timing.number == number
    assert timing.seconds.values == pytest.approx((duration, duration))
    assert timing.number * duration >= SAMPLE_SECONDS


def test_the_number_is_found_once_and_not_from_the_first_slow_run(clock):
    # The first run compiles. The last two samples are of the number found before them.
    contender = clock.contender("a", 5.0, 0.0125)
    timing = compare("t", [contender], repeats=2, timer=clock)["a"]
    assert timing.number == 2
    assert len(clock.log) == 1 + (1 + 2) + 2 * 2


def test_a_slow_contender_may_sit_out(clock):
    ours = clock.contender("ours", 1.0, 2.0, 4.0, number=1)
    slow = clock.contender("slow", 8.0, number=1, rounds=2)
    comparison = compare("t", [ours, slow], repeats=3, warmup=0, timer=clock)
    assert comparison["slow"].seconds.values == (8.0, 8.0)
    assert comparison["slow"].ratios.values == (8.0, 4.0)
    assert clock.log == ["ours", "slow", "ours", "slow", "ours"]


def test_setup_comes_first_and_teardown_last_and_neither_is_timed(clock):
    def outside(word):
        clock.log.append(word)
        clock.now += 1000.0

    contender = clock.contender(
        "a", 1.0, number=1, setup=lambda: outside("setup"), teardown=lambda: outside("teardown")
    )
    comparison = compare("t", [contender], repeats=2, timer=clock)
    assert clock.log == ["setup", "a", "a", "a", "teardown"]
    assert comparison["a"].seconds.values == (1.0, 1.0)


def test_the_check_sees_each_samples_result_untimed_and_its_error_still_tears_down(clock):
    seen = []

    def check(result):
        seen.append(result)
        clock.now += 1000.0
        if len(seen) == 3:
            raise RuntimeError("wrong")

    contender = clock.contender(
        "a", 1.0, number=4, check=check, teardown=lambda: clock.log.append("teardown")
    )
    with pytest.raises(RuntimeError, match="wrong"):
        compare("t", [contender], repeats=5, timer=clock)
    # One unit of warm-up, then samples of four.
    assert seen == ["a"] * 3
    assert clock.log == ["a"] * 9 + ["teardown"]


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ("", {}, r"one or more.*Received: \[\]"),
        ("aa", {}, "different names.*'a', 'a'"),
        ("ab", {"baseline": "c"}, 'baseline must be one of "a", "b". Received: \'c\''),
        ("ab", {"repeats": 0}, "repeats must be a whole number >= 1. Received: 0"),
        ("ab", {"repeats": 1.5}, "repeats must be a whole number >= 1. Received: 1.5"),
        ("ab", {"repeats": True}, "repeats must be"),
        ("ab", {"warmup": -1}, "warmup must be a whole number >= 0. Received: -1"),
    ],
)
def test_bad_arguments_are_named_before_anything_runs(clock, names, options, message):
    with pytest.raises(InputError, match=message):
        compare("t", [clock.contender(n, 1.0) for n in names], timer=clock, **options)
    assert clock.log == []


def test_bad_contenders_are_named(clock):
    with pytest.raises(InputError, match=r"number of 'a' must be .* >= 1. Received: 0"):
        compare("t", [clock.contender("a", 1.0, number=0)])
    with pytest.raises(InputError, match="baseline 'a' must take part in every round"):
        compare("t", [clock.contender("a", 1.0, rounds=2)])


def test_the_frame_and_the_registry_load_no_tensorflow():
    modules = "tfcourse.bench, tfcourse.bench.table, tfcourse.bench.startup"
    code = f"import sys, {modules}; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
