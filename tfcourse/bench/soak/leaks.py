"""The first part of the soak: many trials, during which nothing may grow."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tfcourse.bench.soak.commands import end_of, running, start, temporary_of
from tfcourse.bench.soak.inputs import write_search
from tfcourse.bench.soak.processes import Usage, descendants, usage_of
from tfcourse.bench.soak.records import record_faults, temporary_leftovers
from tfcourse.bench.soak.report import Part, say

__all__ = ["MEGABYTE", "MOST_MEGABYTES", "Sample", "growth", "leaks"]

MEGABYTE = 2**20
MOST_MEGABYTES = 50
SECONDS_BETWEEN = 0.2
# Until then programs are compiled and caches are filled.
SETTLED = 100


@dataclass(frozen=True)
class Sample:
    """The resources of a search at one moment.

    Attributes:
        trials: The number of trials on record.
        usage: What its processes hold together.
        temporary: The number of its temporary files.
    """

    trials: int
    usage: Usage
    temporary: int


def leaks(folder: Path, trials: int, workers: int, seed: int) -> Part:
    """Run a search of tiny trials, and watch what it holds.

    Args:
        folder: An empty folder.
        trials: The number of trials.
        workers: The number of processes that train; 1 trains in the command itself.
        seed: The seed of the search.
    """
    name = "trials in one process" if workers == 1 else f"trials with {workers} workers"
    config, log = write_search(folder / "soak.toml", trials, seed), folder / "output.log"
    temporary = temporary_of(folder)
    command = ["tfcourse", "search", str(config), "--out", str(folder / "runs"), "--json", "-q"]
    directory, begin, samples = folder / "runs" / "soak", time.monotonic(), list[Sample]()
    arguments = [*command, "--workers", str(workers)]
    with running(start(arguments, log, fork=False)) as program:
        while program.poll() is None:
            samples.append(_sample(program.pid, directory, temporary))
            if len(samples) % 50 == 0:
                say(f"{name}: {samples[-1].trials} of {trials}")
            time.sleep(SECONDS_BETWEEN)
        if program.poll() != 0:
            return Part(name, {}, (f"the search ended: {end_of(log)}",))
    seconds = time.monotonic() - begin
    increase, faults = growth(samples, trials)
    faults += temporary_leftovers(temporary) + record_faults(directory, trials)
    trained = _trainings(log)
    if trained != trials:
        faults.append(f"{trained} trainings of {trials} trials")
    return Part(name, {"trials": trials, "seconds": seconds, **increase}, tuple(faults))


def _sample(pid: int, directory: Path, temporary: Path) -> Sample:
    usages = [usage_of(process) for process in (pid, *descendants(pid))]
    records = len([*(directory / "trials").glob("[0-9]*.json")])
    hidden = len([*directory.rglob(".*")]) if records else 0
    return Sample(records, sum(usages, Usage()), hidden + len([*temporary.rglob("*")]))


def growth(samples: Sequence[Sample], trials: int) -> tuple[dict[str, int | float], list[str]]:
    """Return how much is held more at the end than after the first trials, and what is too much.

    Memory is compared as it is; of files and threads, which a write or a call has for a moment,
    the least of the last fifth of the trials with the least of the fifth after the first.

    Args:
        samples: What the search held, in the order of time.
        trials: The number of its trials.
    """
    settled = min(SETTLED, trials // 4)
    during = [sample for sample in samples if settled <= sample.trials < trials]
    first = [sample for sample in during if sample.trials < settled + trials / 5]
    last = [sample for sample in during if sample.trials >= trials * 4 / 5]
    if not first or not last:
        return {}, [f"only {len(during)} samples during the trials: they were too few"]
    begin, most = first[0].usage.memory, max(sample.usage.memory for sample in during)
    increase: dict[str, int | float] = {
        f"megabytes after {settled} trials": begin / MEGABYTE,
        "megabytes more at most": (most - begin) / MEGABYTE,
    }
    faults = []
    if most - begin >= MOST_MEGABYTES * MEGABYTE:
        faults.append(f"memory grew by {(most - begin) / MEGABYTE:.1f} MB")
    for name, ends in (
        ("open files", [[s.usage.files for s in part] for part in (first, last)]),
        ("threads", [[s.usage.threads for s in part] for part in (first, last)]),
        ("temporary files", [[s.temporary for s in part] for part in (first, last)]),
    ):
        before, after = map(min, ends)
        increase[name], increase[f"{name} more"] = before, after - before
        if after > before:
            faults.append(f"{name} grew from {before} to {after}")
    return increase, faults


def _trainings(log: Path) -> int:
    """Return the number of trainings that a search's processes made, from its JSON."""
    text = log.read_text(encoding="utf-8")
    processes = json.loads(text[text.index("{") :])["processes"]
    kinds = ("own", "reused", "vectorized")
    return sum(effort[kind] for effort in processes.values() for kind in kinds)
