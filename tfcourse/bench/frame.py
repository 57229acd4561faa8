"""The frame of every benchmark: contenders run in turn, and are compared round by round.

The speed of a machine changes from one second to the next. Times measured minutes apart therefore
can't be compared; the ratio of two times measured side by side can. So the contenders alternate
(A B C A B C ...), and each round has its own ratios.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from tfcourse.errors import InputError, one_of, shown

__all__ = ["SAMPLE_SECONDS", "Comparison", "Contender", "Spread", "Timing", "compare"]

# The least seconds of a sample: far above the clock's resolution and the cost of reading it, and
# long enough to average over the scheduler's interruptions.
SAMPLE_SECONDS = 0.02


@dataclass(frozen=True)
class Contender:
    """One way to do the work.

    Attributes:
        name: What the table calls it.
        run: Does one unit of work and reads its result: a tensor that has not been read may not
            have been computed yet.
        setup: Called once, before the warm-up; not timed.
        teardown: Called once, after the last round or an error; not timed.
        check: Called after every sample with the last result of ``run``; not timed. It raises if
            the result is wrong.
        number: The units of work per sample; ``None`` determines it in the warm-up.
        rounds: The maximum number of rounds, for a slow contender; ``None`` is all.
    """

    name: str
    run: Callable[[], Any]
    setup: Callable[[], object] | None = None
    teardown: Callable[[], object] | None = None
    check: Callable[[Any], None] | None = None
    number: int | None = None
    rounds: int | None = None


@dataclass(frozen=True)
class Spread:
    """The values of all rounds, in the order in which they were measured."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value; of an even number, the mean of the middle two."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The smallest value."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The largest value."""
        return max(self.values)


@dataclass(frozen=True)
class Timing:
    """The times of one contender.

    Attributes:
        name: The contender's.
        ratios: Its time divided by the baseline's in the same round: the factor by which the
            baseline is faster. All 1 for the baseline itself.
        seconds: Seconds per unit of work.
        number: The units of work per sample.
    """

    name: str
    ratios: Spread
    seconds: Spread
    number: int


@dataclass(frozen=True)
class Comparison:
    """The timings of all contenders, in the order in which they ran.

    ``note`` holds other measurements, such as memory; it is printed below the table.
    """

    title: str
    baseline: str
    timings: tuple[Timing, ...]
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the times and ratios of all rounds, as JSON has them."""
        contenders = [
            {
                "name": timing.name,
                "number": timing.number,
                "seconds": list(timing.seconds.values),
                "ratios": list(timing.ratios.values),
            }
            for timing in self.timings
        ]
        entry = {"title": self.title, "baseline": self.baseline, "note": self.note}
        return {**entry, "contenders": contenders}

    def __getitem__(self, name: str) -> Timing:
        for timing in self.timings:
            if timing.name == name:
                return timing
        raise KeyError(name)


def compare(
    title: str,
    contenders: Sequence[Contender],
    baseline: str | None = None,
    repeats: int = 7,
    warmup: int = 1,
    timer: Callable[[], float] = time.perf_counter,
) -> Comparison:
    """Time the contenders in turn, ``repeats`` rounds of one sample each.

    Args:
        title: The comparison's title.
        contenders: The contenders, in the order of each round.
        baseline: The name of the contender whose times divide those of the others; ``None`` is
            the first.
        repeats: The number of rounds, at least 1.
        warmup: The units of work before anything is timed (compilation, caches).
        timer: A clock in seconds.

    Raises:
        InputError: An argument is invalid.
        Exception: Any exception of a contender or its check.
    """
    names = [contender.name for contender in contenders]
    baseline = names[0] if baseline is None and names else baseline
    _check_arguments(contenders, baseline, repeats, warmup)
    samples: list[list[float]] = [[] for _ in contenders]
    with ExitStack() as stack:
        numbers = [_warm_up(contender, warmup, timer, stack) for contender in contenders]
        for turn in range(repeats):
            for contender, number, sample in zip(contenders, numbers, samples, strict=True):
                if contender.rounds is None or turn < contender.rounds:
                    sample.append(_sample(contender, number, timer) / number)
    ours = samples[names.index(str(baseline))]
    timings = [
        # Not strict: a contender with fewer rounds is compared in those it took part in.
        Timing(
            name,
            Spread(tuple(t / o for t, o in zip(sample, ours, strict=False))),
            Spread(tuple(sample)),
            n,
        )
        for name, sample, n in zip(names, samples, numbers, strict=True)
    ]
    return Comparison(title, str(baseline), tuple(timings))


def _check_arguments(
    contenders: Sequence[Contender], baseline: str | None, repeats: int, warmup: int
) -> None:
    names = [contender.name for contender in contenders]
    if not names or len(set(names)) < len(names):
        raise InputError(f"contenders must be one or more, of different names. Received: {names}.")
    if baseline not in names:
        raise InputError(one_of("baseline", baseline, names))
    counts: list[tuple[str, object, int]] = [("repeats", repeats, 1), ("warmup", warmup, 0)]
    for contender in contenders:
        for field, count in (("number", contender.number), ("rounds", contender.rounds)):
            if count is not None:
                counts.append((f"{field} of {contender.name!r}", count, 1))
    if contenders[names.index(baseline)].rounds is not None:
        raise InputError(f"The baseline {baseline!r} must take part in every round: rounds=None.")
    for name, value, least in counts:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"{name} must be a whole number >= {least}. Received: {shown(value)}.")


def _warm_up(
    contender: Contender, warmup: int, timer: Callable[[], float], stack: ExitStack
) -> int:
    """Set up, run untimed, and return the number of units that make a sample."""
    if contender.teardown is not None:
        # Registered first: a setup that fails halfway is torn down too.
        stack.callback(contender.teardown)
    if contender.setup is not None:
        contender.setup()
    if warmup:
        # A wrong answer is found here, before minutes are spent on timing it.
        _sample(contender, warmup, timer)
    if contender.number is not None:
        return contender.number
    number, step = 1, 0
    while _sample(contender, number, timer) < SAMPLE_SECONDS:
        # 1, 2, 5, 10, 20, 50, ... as in timeit.
        step += 1
        number = (1, 2, 5)[step % 3] * 10 ** (step // 3)
    return number


def _sample(contender: Contender, number: int, timer: Callable[[], float]) -> float:
    """Return the seconds of ``number`` units of work together."""
    run, result = contender.run, None
    start = timer()
    for _ in range(number):
        result = run()
    seconds = timer() - start
    if contender.check is not None:
        contender.check(result)
    return seconds
