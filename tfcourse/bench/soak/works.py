"""The works of one program that the soak kills: `fit`, a population, and a babysat training."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfcourse.bench.soak.commands import Program, end_of, start
from tfcourse.bench.soak.inputs import CHECKPOINTS, END, write_babysit, write_search
from tfcourse.bench.soak.records import (
    arrays_of,
    differences,
    different_arrays,
    leftovers,
    record_faults,
    weights,
)

__all__ = ["Babysat", "Fit", "OneProcess", "run_alone"]

TRAINING = "tfcourse.bench.soak.trainings"


def run_alone(arguments: Sequence[str], log: Path) -> list[str]:
    """Run a program that nobody disturbs; return what went wrong."""
    program = start(arguments, log)
    return [f"undisturbed it ended: {end_of(log)}"] if program.wait() else []


class Fit:
    """A call of ``fit(checkpoint_dir=...)``, of a process that saves all the time.

    Args:
        folder: The folder of the undisturbed training.
        epochs: The epochs of each.
        seed: Their seed.
    """

    name = "fit"

    def __init__(self, folder: Path, epochs: int, seed: int) -> None:
        self.epochs, self.seed, self.alone = str(epochs), str(seed), folder / "alone"
        self.alone.mkdir()
        self.errors = run_alone(self._arguments(self.alone), folder / "alone.log")

    def _arguments(self, folder: Path) -> list[str]:
        return [TRAINING, str(folder), self.epochs, self.seed]

    def start(self, folder: Path, log: Path) -> Program:
        """Start the training."""
        return start(self._arguments(folder), log)

    def progress(self, folder: Path) -> int:
        """Return the number of the newest checkpoint, from 1."""
        names = [path.stem for path in (folder / CHECKPOINTS).glob("checkpoint-*.npz")]
        return max((int(name.split("-")[1]) + 1 for name in names), default=0)

    def before_kill(self, folder: Path, chance: random.Random) -> None:
        """Disturb nothing else."""

    def faults(self, folder: Path) -> list[str]:
        """Return what differs at the end: history, weights, or the state of the optimizer."""
        ours, theirs = (f / f"{END}.npz" for f in (folder, self.alone))
        names = different_arrays(arrays_of(ours), arrays_of(theirs))
        faults = [f"the state of variable {name} differs" for name in names[:1]]
        texts = {(f / f"{END}.json").read_text(encoding="utf-8") for f in (folder, self.alone)}
        hidden = [path.name for path in (folder / CHECKPOINTS).glob(".*")]
        return (
            faults
            + ["the history differs"] * (len(texts) > 1)
            + [f"{n} is left over" for n in hidden]
        )


class OneProcess:
    """A search of one process, such as one whose trials are members of a population.

    Args:
        name: Its name.
        folder: The folder of the undisturbed search.
        trials: The number of its trials.
        seed: Its seed.
        search: Further keys of ``[search]``.
    """

    def __init__(self, name: str, folder: Path, trials: int, seed: int, **search: Any) -> None:
        self.name, self.trials = name, trials
        self.config = write_search(folder / "soak.toml", trials, seed, 6, **search)
        self.alone = folder / "alone"
        self.errors = run_alone(self._arguments(self.alone), folder / "alone.log")

    def _arguments(self, folder: Path) -> list[str]:
        return ["tfcourse", "search", str(self.config), "--out", str(folder), "--quiet"]

    def start(self, folder: Path, log: Path) -> Program:
        """Start the command."""
        return start(self._arguments(folder), log)

    def progress(self, folder: Path) -> int:
        """Return the number of trials on record."""
        return len([*(folder / "soak" / "trials").glob("[0-9]*.json")])

    def before_kill(self, folder: Path, chance: random.Random) -> None:
        """Disturb nothing else."""

    def faults(self, folder: Path) -> list[str]:
        """Return what is lost or doubled, and what differs."""
        run = folder / "soak"
        return record_faults(run, self.trials) + differences(run, self.alone / "soak")


class Babysat:
    """A training under supervision, which is nudged and rolled back besides.

    The undisturbed training is one that repeats the journal.

    Args:
        folder: The folder of its config.
        epochs: The epochs of each.
        seed: Their seed.
    """

    name = "babysit"

    def __init__(self, folder: Path, epochs: int, seed: int) -> None:
        self.config, self.log = write_babysit(folder / "run.toml", epochs, seed), folder / "out.log"
        self.errors: list[str] = []
        self.commands = 0

    def _arguments(self, folder: Path) -> list[str]:
        return ["tfcourse", "babysit", str(self.config), "--out", str(folder), "--quiet"]

    def start(self, folder: Path, log: Path) -> Program:
        """Start the command."""
        return start(self._arguments(folder), log)

    def progress(self, folder: Path) -> int:
        """Return the number of epochs in the journal."""
        return sum(entry["kind"] == "epoch" for entry in _journal(folder / "run"))

    def before_kill(self, folder: Path, chance: random.Random) -> None:
        """Send a command, sometimes."""
        run, kind = str(folder / "run"), chance.random()
        rate = ["--learning-rate", str(chance.uniform(0.001, 0.02)), "--no-wait"]
        epoch = _journal(folder / "run")[-1]["epoch"]
        back = str(max(0, epoch - chance.randrange(1, 5)))
        if kind < 0.3:
            command = ["nudge", run, *rate]
        elif kind < 0.4:
            command = ["rollback", run, "--to", back, *rate]
        else:
            return
        self.commands += not start(["tfcourse", *command, "--quiet"], self.log).wait()

    def faults(self, folder: Path) -> list[str]:
        """Return how the journal and the end differ from those of a replay."""
        replay = ["--replay", str(folder / "run" / "journal.jsonl")]
        faults = run_alone([*self._arguments(folder / "replay"), *replay], self.log)
        runs = folder / "run", folder / "replay" / "run"
        if faults:
            return faults
        if len({tuple(map(_of_any_time, _journal(run))) for run in runs}) > 1:
            faults.append("the journal differs")
        ours, theirs = (arrays_of(max(run.glob("checkpoints/*.npz"))) for run in runs)
        faults += [f"the state {name} differs" for name in different_arrays(ours, theirs)[:1]]
        ours, theirs = (weights(run / "model.keras") for run in runs)
        faults += [f"model.keras: {name} differs" for name in different_arrays(ours, theirs)[:1]]
        return faults + [
            f"{name} is left over" for name in leftovers(runs[0]) if name != CHECKPOINTS
        ]


def _journal(run: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a journal."""
    path = run / "journal.jsonl"
    text = path.read_bytes() if path.exists() else b""
    return [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]


def _of_any_time(entry: dict[str, Any]) -> str:
    """Return an entry without its time and the ids of the run and of commands."""
    return json.dumps({k: v for k, v in entry.items() if k not in ("time", "run", "id")})
