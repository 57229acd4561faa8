"""The frame of every benchmark: contenders run in turn, and are compared round by round.

A machine is not equally fast from one second to the next. Times taken minutes apart therefore
say little about each other; a ratio of two times taken side by side says much. So the contenders
alternate (A B C A B C ...), and each round gives its own ratios.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from tfcourse.errors import InputError, one_of, shown

__all__ = ["SAMPLE_SECONDS", "Comparison", "Contender", "Spread", "Timing", "compare"]

# A sample lasts at least this many seconds: far above the clock's resolution and the cost of
# reading it, and long enough to average over the scheduler's interruptions.
SAMPLE_SECONDS = 0.02


@dataclass(frozen=True)
class Contender:
    """One way to do the work.

    Attributes:
        name: What the table calls it.
        run: Does one unit of work, up to and including reading its result: a tensor that nobody
            has read may not have been computed yet.
        setup: Called once, before the warm-up; not timed.
        teardown: Called once, after the last round or an error; not timed.
        check: Called after every sample with what ``run`` returned last; not timed. It raises
            when that is not the right answer.
        number: How many units make a sample; ``None`` finds it in the warm-up.
        rounds: The most rounds it takes part in, for a slow one; ``None`` is all.
    """

    name: str
    run: Callable[[], Any]
    setup: Callable[[], Any] | None = None
    teardown: Callable[[], Any] | None = None
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
    """What one contender took.

    Attributes:
        name: The contender's.
        ratios: Its time over the baseline's in the same round: how many times faster the
            baseline is. All 1 for the baseline itself.
        seconds: Seconds per unit of work.
        number: How many units of work one sample held.
    """

    name: str
    ratios: Spread
    seconds: Spread
    number: int


@dataclass(frozen=True)
class Comparison:
    """The timings of all contenders, in the order in which they ran.

    ``note`` is what else was measured, such as memory; it is printed below the table.
    """

    title: str
    baseline: str
    timings: tuple[Timing, ...]
    note: str = ""

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
    """Times the contenders in turn, ``repeats`` rounds of one sample each.

    Args:
        title: What is compared.
        contenders: Who takes part, in the order of each round.
        baseline: The name of the contender that the others are divided by; ``None`` is the first.
        repeats: How many rounds, at least 1.
        warmup: How many units each runs before anything is timed (compilation, caches).
        timer: A clock in seconds.

    Raises:
        InputError: An argument is not admissible.
        Exception: Whatever a contender or its check raises.
    """
    names = [contender.name for contender in contenders]
    baseline = names[0] if baseline is None and names else baseline
    _check_arguments(contenders, baseline, repeats, warmup)
    samples: list[list[float]] = [[] for _ in contenders]
    with ExitStack() as stack:
        numbers = [_warm_up(contender, warmup, timer, stack) for contender in contenders]
        for turn in range(repeats):
            for contender, number, taken in zip(contenders, numbers, samples, strict=True):
                if contender.rounds is None or turn < contender.rounds:
                    taken.append(_sample(contender, number, timer) / number)
    ours = samples[names.index(str(baseline))]
    timings = [
        # Not strict: a contender with fewer rounds is compared in those it took part in.
        Timing(
            name,
            Spread(tuple(t / o for t, o in zip(taken, ours, strict=False))),
            Spread(tuple(taken)),
            n,
        )
        for name, taken, n in zip(names, samples, numbers, strict=True)
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
    counts: list[tuple[str, Any, int]] = [("repeats", repeats, 1), ("warmup", warmup, 0)]
    for contender in contenders:
        for field, count in (("number", contender.number), ("rounds", contender.rounds)):
            if count is not None:
                counts.append((f"{field} of {contender.name!r}", count, 1))
    if contenders[names.index(baseline)].rounds is not None:
        raise InputError(f"The baseline {baseline!r} must take part in every round: rounds=None.")
    for name, count, least in counts:
        if isinstance(count, bool) or not isinstance(count, int) or count < least:
            raise InputError(f"{name} must be a whole number >= {least}. Received: {shown(count)}.")


def _warm_up(
    contender: Contender, warmup: int, timer: Callable[[], float], stack: ExitStack
) -> int:
    """Sets up, runs untimed, and finds how many units make a sample."""
    if contender.teardown is not None:
        # Registered first: a setup that fails halfway is torn down too.
        stack.callback(contender.teardown)
    if contender.setup is not None:
        contender.setup()
    if warmup:
        # A wrong answer shows here, before minutes are spent on timing it.
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
    """Seconds that ``number`` units of work took together."""
    run, result = contender.run, None
    start = timer()
    for _ in range(number):
        result = run()
    seconds = timer() - start
    if contender.check is not None:
        contender.check(result)
    return seconds
