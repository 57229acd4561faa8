"""The soak: a thousand trials without a leak, and hundreds of kills without a difference."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tfcourse.bench.soak.fire import under_fire
from tfcourse.bench.soak.leaks import leaks
from tfcourse.bench.soak.pools import pool_under_fire
from tfcourse.bench.soak.report import Part, figures, say
from tfcourse.bench.soak.works import Babysat, Fit, OneProcess
from tfcourse.bench.table import Figures
from tfcourse.errors import InputError, one_of

__all__ = ["PARTS", "bench"]

PARTS = ("trials", "trials-two", "workers", "chief", "fit", "population", "babysit")


def bench(
    trials: int = 1000, kills: int = 100, seed: int = 0, part: Sequence[str] | None = None
) -> Iterator[Figures]:
    """Run the parts of the soak one after another.

    Args:
        trials: The trials of the searches that are watched for what grows.
        kills: The kills of processes of searches, two thirds of them of two workers and their
            parent, the others of a chief and its workers; and half as many of each of `fit`, a
            population and a babysat training.
        seed: The seed of the searches, and of the moments of the kills.
        part: The parts to run, of `PARTS`; None for all.

    Yields:
        The figures of each part.

    Raises:
        InputError: There is no such part, or the system is not Linux.
    """
    names = PARTS if part is None else tuple(part)
    for name in names:
        if name not in PARTS:
            raise InputError(one_of("part", name, PARTS))
    if sys.platform != "linux":
        raise InputError("The bench soak looks for processes in /proc, which only Linux has.")
    return _parts(names, trials, kills, seed)


def _parts(names: Sequence[str], trials: int, kills: int, seed: int) -> Iterator[Figures]:
    for name in names:
        say(f"{name} begins")
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            yield figures(_runner_of(name, trials, kills, seed)(Path(folder)))


def _runner_of(name: str, trials: int, kills: int, seed: int) -> Callable[[Path], Part]:
    """Return what runs a part in an empty folder."""
    half, third = max(1, kills // 2), max(1, kills // 3)
    in_fire = max(8, min(120, trials // 8))
    match name:
        case "trials":
            return lambda folder: leaks(folder, trials, 1, seed)
        case "trials-two":
            return lambda folder: leaks(folder, trials, 2, seed)
        case "workers":
            count = max(1, kills - third)
            return lambda folder: pool_under_fire(folder, name, in_fire, count, seed)
        case "chief":
            return lambda folder: pool_under_fire(folder, name, in_fire, third, seed)
        case "fit":
            return lambda folder: _fire(Fit(folder, max(4, trials // 5), seed), folder, half, seed)
        case "population":
            search = {"caviar": "population"}
            return lambda folder: _fire(
                OneProcess(name, folder, in_fire, seed, **search), folder, half, seed
            )
    return lambda folder: _fire(Babysat(folder, max(4, trials // 3), seed), folder, half, seed)


def _fire(work: Fit | OneProcess | Babysat, folder: Path, kills: int, seed: int) -> Part:
    if work.errors:
        return Part(work.name, {}, tuple(work.errors))
    return under_fire(work, folder, kills, seed)
