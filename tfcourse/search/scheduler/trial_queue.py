"""Which of the free trials a worker is given: each worker compiles its own programs."""

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping

__all__ = ["TrialQueue", "choose"]

# Further ahead there is hardly anything better, and the trials should stay about in their order.
LOOK_AHEAD = 64


def choose(
    programs: Mapping[int, Hashable], given: Mapping[str, Collection[Hashable]], worker: str
) -> int | None:
    """The trial to give to a worker, or None if there is none.

    The first one whose program it has; else the first one whose program nobody has; else the first.

    Args:
        programs: What each trial's program is known by, for all trials to choose from.
        given: The programs that each worker has.
        worker: The worker.
    """
    own = given.get(worker, ())
    anyone = {program for programs in given.values() for program in programs}

    def rank(trial: int) -> tuple[bool, bool, int]:
        program = programs[trial]
        return program not in own, program in anyone, trial

    return min(programs, key=rank, default=None)


class TrialQueue:
    """The trials that nobody has run or is running, and who has which programs.

    Args:
        free: The trials.
        program_of: Given a trial, what its program is known by, which never changes; None while
            the trial's values are not known yet. Without it trials go in the order of their
            numbers.
        kept: How many programs a worker keeps, the last ones that it used.
    """

    def __init__(
        self,
        free: Iterable[int],
        program_of: Callable[[int], Hashable | None] | None = None,
        kept: int = 0,
    ) -> None:
        self.program_of, self.kept = program_of, kept
        self._free = sorted(free)
        self._programs: dict[int, Hashable] = {}  # of free trials, as far as it was looked ahead
        self._given: dict[str, dict[Hashable, None]] = {}  # the last one used last

    def next(self, worker: str) -> int | None:
        """The trial that the worker is to be given, None if it has to wait; it stays free."""
        if self.program_of is None:
            return self._free[0] if self._free else None
        ahead = {trial: self._program(trial) for trial in self._free[:LOOK_AHEAD]}
        known = {trial: program for trial, program in ahead.items() if program is not None}
        return choose(known, self._given, worker)

    def take(self, trial: int, worker: str) -> None:
        """Gives the worker a trial: it will have the trial's program."""
        program = self._program(trial)
        self.discard(trial)
        if program is None:
            return
        given = self._given.setdefault(worker, {})
        given.pop(program, None)
        given[program] = None
        if len(given) > self.kept:
            del given[next(iter(given))]

    def discard(self, trial: int) -> None:
        """The trial is not free any more, if it was."""
        self._programs.pop(trial, None)
        place = bisect_left(self._free, trial)
        if self._free[place : place + 1] == [trial]:
            del self._free[place]

    def put_back(self, trial: int) -> None:
        """The trial is free again."""
        self.discard(trial)
        insort(self._free, trial)

    def forget(self, worker: str) -> None:
        """The worker is gone, and its programs with it."""
        self._given.pop(worker, None)

    def _program(self, trial: int) -> Hashable | None:
        if self.program_of is None:
            return None
        program = self._programs.get(trial)
        if program is None and (program := self.program_of(trial)) is not None:
            self._programs[trial] = program
        return program
