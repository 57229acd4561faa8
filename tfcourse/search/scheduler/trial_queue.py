"""The queue of free trials. Each worker compiles its own programs, so it gets trials that fit."""

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping

__all__ = ["TrialQueue", "choose"]

# Further ahead there is hardly anything better, and the trials should stay about in their order.
LOOK_AHEAD = 64


def choose(
    programs: Mapping[int, Hashable], compiled: Mapping[str, Collection[Hashable]], worker: str
) -> int | None:
    """Return the next trial for a worker, or None if there is none.

    It is the first trial whose program the worker has; otherwise the first whose program no worker
    has; otherwise the first.

    Args:
        programs: The key of each free trial's program.
        compiled: The keys of the programs that each worker has.
        worker: The worker.
    """
    own = compiled.get(worker, ())
    anyone = {program for programs in compiled.values() for program in programs}

    def rank(trial: int) -> tuple[bool, bool, int]:
        program = programs[trial]
        return program not in own, program in anyone, trial

    return min(programs, key=rank, default=None)


class TrialQueue:
    """The trials that no worker has run or runs, and the programs that each worker has.

    Args:
        free: The trials.
        program_of: Returns the key of a trial's program, which never changes; None while the
            trial's values are not known yet. If all have the same, trials are taken in the order
            of their numbers.
        programs_kept: The number of programs that a worker keeps, the last used.
    """

    def __init__(
        self,
        free: Iterable[int],
        program_of: Callable[[int], Hashable | None],
        programs_kept: int = 0,
    ) -> None:
        self.program_of, self.programs_kept = program_of, programs_kept
        self._free = sorted(free)
        self._programs: dict[int, Hashable] = {}  # of free trials, as far as it was looked ahead
        self._compiled: dict[str, dict[Hashable, None]] = {}  # the last one used last

    def next(self, worker: str) -> int | None:
        """Return the next trial for a worker, None if it has to wait; the trial stays free."""
        ahead = {trial: self._program(trial) for trial in self._free[:LOOK_AHEAD]}
        programs = {trial: program for trial, program in ahead.items() if program is not None}
        return choose(programs, self._compiled, worker)

    def take(self, trial: int, worker: str) -> None:
        """Give a trial to a worker, which will have the trial's program."""
        program = self._program(trial)
        self.discard(trial)
        if program is None:
            return
        compiled = self._compiled.setdefault(worker, {})
        compiled.pop(program, None)
        compiled[program] = None
        if len(compiled) > self.programs_kept:
            del compiled[next(iter(compiled))]

    def discard(self, trial: int) -> None:
        """Remove a trial from the queue, if it is there."""
        self._programs.pop(trial, None)
        place = bisect_left(self._free, trial)
        if self._free[place : place + 1] == [trial]:
            del self._free[place]

    def put_back(self, trial: int) -> None:
        """Put a trial into the queue again."""
        self.discard(trial)
        insort(self._free, trial)

    def forget(self, worker: str) -> None:
        """Forget a lost worker's programs."""
        self._compiled.pop(worker, None)

    def _program(self, trial: int) -> Hashable | None:
        program = self._programs.get(trial)
        if program is None and (program := self.program_of(trial)) is not None:
            self._programs[trial] = program
        return program
