"""Searches of several processes under fire: of the commands, of workers, and of what forks them."""

import random
import socket
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tfcourse.bench.soak.commands import Program, end, end_of, start, temporary_of, wait_until
from tfcourse.bench.soak.inputs import write_search
from tfcourse.bench.soak.processes import descendants, kill, lives, workers_of
from tfcourse.bench.soak.records import differences, record_faults, temporary_leftovers
from tfcourse.bench.soak.report import Part, say
from tfcourse.bench.soak.works import run_alone
from tfcourse.search.store.directory import RunDirectory

__all__ = ["pool_under_fire"]

# A trial in which three workers died has failed, and so has a worker that died three times without
# a record: that is promised too, and would be another record.
MOST_DEATHS = 2
EARLY = 0.2
# The most seconds from a record to a kill: a short search would end before.
LONGEST = 2.0
# The odds of the victims: a worker, a command, and the process that workers are forked from.
WORKER, COMMAND, SERVER = "workers", "commands", "servers"
ODDS = {WORKER: 0.8, COMMAND: 0.15, SERVER: 0.05}
# What a killed command has started ends by itself, within this time.
SECONDS_TO_END = 20.0


def parent_commands(config: Path, out: Path) -> dict[str, list[str]]:
    """Return the command of a search by two workers, by its name."""
    command = ["tfcourse", "search", str(config), "--out", str(out), "--workers", "2", "--quiet"]
    return {"parent": command}


def chief_commands(config: Path, out: Path) -> dict[str, list[str]]:
    """Return the commands of a search by a chief and two workers, by their names."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    own = [str(config), "--out", str(out), "--quiet"]
    commands = {"chief": ["tfcourse", "chief", *own, "--bind", address]}
    for name in ("a", "b"):
        commands[name] = ["tfcourse", "worker", *own, "--connect", address, "--id", name]
    return commands


@dataclass
class _Search:
    """A search of several processes, and the victims among them.

    Attributes:
        commands: The arguments of each command by its name; all run at the same time.
        deaths: The deaths of each worker since its last record.
        killed: The number of victims by their kind.
    """

    commands: Mapping[str, list[str]]
    directory: RunDirectory
    logs: Path
    chance: random.Random
    programs: dict[str, Program] = field(default_factory=dict)
    records: set[int] = field(default_factory=set)
    deaths: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def log(self, name: str) -> Path:
        """Return the file with what a command printed."""
        return self.logs / f"{name}.log"

    def run(self, kills: int) -> None:
        """Start all commands, kill at most this number of processes, and wait for the end."""
        try:
            for name, command in self.commands.items():
                self.programs[name] = start(command, self.log(name), fork=False)
            while self.killed.total() < kills and not self.is_over and not self.faults:
                if self.kill_one() and self.killed.total() % 10 == 0:
                    say(f"{self.killed.total()} kills in this search")
            if not self.faults:
                self.finish()
        finally:
            for program in self.programs.values():
                end(program)

    @property
    def is_over(self) -> bool:
        """True when the first command, which has the scheduler, has ended."""
        return self.programs[next(iter(self.programs))].poll() is not None

    def new_records(self) -> int:
        """Count the trials that were put on record since the last call; forget deaths before."""
        if not self.directory.trials.is_dir():
            return 0
        names = [path.name for path in self.directory.trials.iterdir()]
        new = {int(name[:-5]) for name in names if name[:-5].isdecimal()} - self.records
        for number in new:
            record = self.directory.read_trial(number)
            if record is not None:
                del self.deaths[record.worker]
        self.records |= new
        return len(new)

    def kill_one(self) -> bool:
        """Kill a process at a random moment; return False if there was none to kill."""
        begin = time.monotonic()
        is_early = self.chance.random() < EARLY
        if is_early or wait_until(lambda: self.is_over or self.new_records() > 0):
            elapsed = LONGEST if is_early else min(LONGEST, time.monotonic() - begin)
            seconds = self.chance.uniform(0, elapsed)
            wait_until(lambda: self.is_over, seconds)
        else:
            self.faults.append("no trial ended for minutes")
        self.new_records()
        if self.is_over or self.faults:
            return False
        (kind,) = self.chance.choices([*ODDS], [*ODDS.values()])
        name = self.chance.choice([*self.programs])
        if kind == COMMAND:
            is_killed = self._kill_command(name)
        else:
            is_killed = self._kill_worker(self.programs[name].pid, kind == SERVER)
        self.killed[kind] += is_killed
        return is_killed

    def _kill_worker(self, pid: int, server: bool) -> bool:
        """Kill a worker of a command, or the process that its workers are forked from."""
        workers = workers_of(pid)
        mortal = [name for name in workers if self.deaths[name] < MOST_DEATHS]
        if not mortal or (server and len(mortal) < len(workers)):
            return False
        name = self.chance.choice(sorted(mortal))
        victim = descendants(pid).get(workers[name]) if server else workers[name]
        if victim is None or victim == pid:
            return False
        kill(victim)
        self.deaths.update(workers if server else [name])
        return True

    def _kill_command(self, name: str) -> bool:
        """Kill a command, see what it has started end, and start it again."""
        program = self.programs[name]
        workers, family = workers_of(program.pid), descendants(program.pid)
        kill(program.pid)
        if program.wait() != -9:
            return False  # it ended in this moment
        if not wait_until(lambda: not any(map(lives, family)), SECONDS_TO_END):
            survivors = sum(map(lives, family))
            self.faults.append(f"{survivors} processes of a killed {name} live on")
        for worker in workers:  # the next command counts from 0
            del self.deaths[worker]
        self.programs[name] = start(self.commands[name], self.log(name), fork=False)
        return True

    def finish(self) -> None:
        """Wait until all commands have ended."""
        wait_until(lambda: all(program.poll() is not None for program in self.programs.values()))
        for name, program in self.programs.items():
            if (status := program.poll()) != 0:
                end = "came to a standstill" if status is None else f"ended with {status}"
                self.faults.append(f"{name} {end}: {end_of(self.log(name))}")


def pool_under_fire(folder: Path, name: str, trials: int, kills: int, seed: int) -> Part:
    """Kill processes of a search at random moments, and compare each search that ends.

    Args:
        folder: An empty folder.
        name: ``"chief"`` for a chief and two workers, else two workers of one command.
        trials: The number of trials of a search, which is begun as often as there are kills left.
        kills: The number of kills.
        seed: The seed of their moments, and of the search.
    """
    rounds = {"coarse_to_fine": {"trials_per_round": max(4, trials // 4)}}
    config = write_search(
        folder / "soak.toml", trials, seed, 6, strategy="coarse_to_fine", **rounds
    )
    alone, chance = folder / "alone", random.Random(seed)
    command = ["tfcourse", "search", str(config), "--out", str(alone), "--quiet"]
    faults = run_alone(command, folder / "alone.log")
    begin, killed, compared = time.monotonic(), Counter[str](), 0
    while not faults and (not compared or killed.total() < kills):
        out = folder / f"runs-{compared}"
        commands = chief_commands if name == "chief" else parent_commands
        search = _Search(commands(config, out), RunDirectory(out / "soak"), folder, chance)
        search.run(kills - killed.total())
        killed += search.killed
        compared += 1
        new = search.faults or record_faults(out / "soak", trials)
        new = new or differences(out / "soak", alone / "soak")
        new += temporary_leftovers(temporary_of(folder))
        faults = [f"after {killed.total()} kills: {text}" for text in new]
        say(f"{name}: {killed.total()} of {kills} kills, {compared} searches compared")
    numbers = {"kills": killed.total(), **{f"of them {kind}": killed[kind] for kind in ODDS}}
    figures = {**numbers, "searches compared": compared, "seconds": time.monotonic() - begin}
    return Part(name, figures, tuple(faults))
