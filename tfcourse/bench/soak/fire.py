"""``kill -9`` of one program, again and again at random moments; each time it is started again."""

import random
import time
from pathlib import Path
from typing import Protocol

from tfcourse.bench.soak.commands import Program, end_of, running, temporary_of, wait_until
from tfcourse.bench.soak.processes import kill
from tfcourse.bench.soak.records import temporary_leftovers
from tfcourse.bench.soak.report import Part, say

__all__ = ["Work", "under_fire"]

# The part of the kills for which no progress is waited: they may hit the start.
EARLY = 0.2
KILLED = -9


class Work(Protocol):
    """The work of a program, and the comparison of its end with that of an undisturbed one."""

    name: str

    def start(self, folder: Path, log: Path) -> Program:
        """Start the program, which begins in this folder or continues what is in it."""

    def progress(self, folder: Path) -> int:
        """Return a number that grows with the work that is done."""

    def before_kill(self, folder: Path, chance: random.Random) -> None:
        """Do what else disturbs the program while it runs."""

    def faults(self, folder: Path) -> list[str]:
        """Return how a finished work differs from one that was never disturbed."""


class _Life:
    """A program from its start to its end.

    Args:
        work: What it does.
        folder: The folder in which it begins or continues.
        log: The file for what it prints.
    """

    def __init__(self, work: Work, folder: Path, log: Path) -> None:
        self.work, self.folder = work, folder
        folder.mkdir(exist_ok=True)
        self.begin, self.before = time.monotonic(), work.progress(folder)
        self.program = work.start(folder, log)

    def end(self, chance: random.Random | None, usual: float) -> int | None:
        """Kill the program at a random moment, unless it ends before.

        Args:
            chance: The source of randomness; None to let it end by itself.
            usual: The seconds from a start to the first progress, of a life before.

        Returns:
            Its exit status, None if it was killed.

        Raises:
            TimeoutError: Nothing was done for minutes.
        """
        with running(self.program):
            if chance is not None and self._is_killed(chance, usual):
                return None
            while self.program.poll() is None:
                self._wait_beyond(self.work.progress(self.folder))
            return self.program.wait()

    def _is_killed(self, chance: random.Random, usual: float) -> bool:
        if chance.random() < EARLY:
            seconds = chance.uniform(0, usual)
        else:
            self._wait_beyond(self.before)
            self.work.before_kill(self.folder, chance)
            seconds = chance.uniform(0, time.monotonic() - self.begin)
        wait_until(lambda: self.program.poll() is not None, seconds)
        if self.program.poll() is None:
            kill(self.program.pid)
        return self.program.wait() == KILLED

    def _wait_beyond(self, progress: int) -> None:
        """Wait until more is done, or the program has ended."""
        if not wait_until(
            lambda: self.program.poll() is not None or self.work.progress(self.folder) > progress
        ):
            raise TimeoutError("it came to a standstill")


def under_fire(work: Work, folder: Path, kills: int, seed: int) -> Part:
    """Kill the program of a work at random moments, and compare each work that it finishes.

    Args:
        work: The work, which is begun as often as there are kills left.
        folder: An empty folder.
        kills: The number of kills.
        seed: The seed of their moments.
    """
    chance, count, works, usual = random.Random(seed), 0, 0, 1.0
    faults: list[str] = []
    begin, log, places = time.monotonic(), folder / "output.log", set[tuple[int, int]]()
    while not faults:
        current = folder / f"{work.name}-{works}"
        life = _Life(work, current, log)
        try:
            status = life.end(chance if count < kills else None, usual)
        except TimeoutError as error:
            faults.append(f"after {count} kills: {error}: {end_of(log)}")
            break
        if status is None:
            count += 1
            progress = work.progress(current)
            places.add((works, progress))
            usual = time.monotonic() - life.begin if progress > life.before else usual
            if count % 10 == 0:
                say(f"{work.name}: {count} of {kills} kills, {works} works compared")
            continue
        works += 1
        new = [f"ended with {status}: {end_of(log)}"] if status else work.faults(current)
        new += temporary_leftovers(temporary_of(folder))
        faults += [f"after {count} kills: {text}" for text in new]
        if count >= kills:
            break
    numbers = {"kills": count, "at different places": len(places), "works compared": works}
    return Part(work.name, {**numbers, "seconds": time.monotonic() - begin}, tuple(faults))
