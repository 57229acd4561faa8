"""Runs of the scripts with their verdicts and pictures, and the folder that keeps them."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path

from tfcourse.course.process import Finished, run_script
from tfcourse.course.scripts import Script
from tfcourse.files import write_atomically

__all__ = ["Run", "Store", "Verdict", "default_folder"]

# Parts of the library that no result of a script depends on.
_APART = {"cli", "report", "bench", "course", "__main__.py", "terminal.py", "console.py"}


@dataclass(frozen=True)
class Verdict:
    """A verdict that a script stated: of which claim, and the measured figures."""

    claim: str
    holds: bool
    figures: str

    def __str__(self) -> str:
        return f"claim {self.claim}: {self.word} ({self.figures})"

    @property
    def word(self) -> str:
        """``holds`` or ``does not hold``."""
        return "holds" if self.holds else "does not hold"


@dataclass(frozen=True)
class Run:
    """A run of a script.

    Attributes:
        script: The script's name.
        quick: True if it ran in its quick mode.
        key: The hash of what its results depend on.
        seconds: Its duration.
        verdicts: The verdicts that it stated.
        pictures: The pictures that it wrote: files in its folder.
        outputs: The output of each code cell, by the cell's number.
        error: The end of its error output if it failed; empty otherwise.
        folder: Its folder.
    """

    script: str
    quick: bool
    key: str
    seconds: float
    verdicts: tuple[Verdict, ...]
    pictures: tuple[str, ...]
    outputs: Mapping[int, str]
    error: str = ""
    folder: Path = field(default=Path(), compare=False)

    @property
    def picture_paths(self) -> list[Path]:
        """The paths of its pictures."""
        return [self.folder / name for name in self.pictures]

    def verdict_of(self, claim: str) -> Verdict | None:
        """Return its verdict on a claim; None if it did not state one."""
        return next((v for v in self.verdicts if v.claim == claim), None)


@dataclass(frozen=True)
class Store:
    """The folder that keeps the last run of each script in each mode.

    Attributes:
        folder: The folder; it need not exist yet.
    """

    folder: Path

    def last(self, script: str, quick: bool) -> Run | None:
        """Return the last run of a script in a mode; None if there is none."""
        folder = self._folder(script, quick)
        try:
            raw = json.loads((folder / "record.json").read_text(encoding="utf-8"))
            raw["verdicts"] = tuple(Verdict(**verdict) for verdict in raw["verdicts"])
            raw["outputs"] = {int(cell): text for cell, text in raw["outputs"].items()}
            return Run(**{**raw, "pictures": tuple(raw["pictures"]), "folder": folder})
        except (OSError, ValueError, TypeError, KeyError):  # none, or one of another version
            return None

    def current(self, script: Script, quick: bool) -> Run | None:
        """Return the last run if it succeeded and nothing it depends on has changed since."""
        run = self.last(script.name, quick)
        valid = run is not None and not run.error and run.key == key_of(script)
        return run if valid else None

    def run(self, script: Script, quick: bool) -> Run:
        """Run a script in a mode and keep the result, in the place of the last one."""
        folder = self._folder(script.name, quick)
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        (partial / "pictures").mkdir(parents=True)
        done = run_script(script.path, partial, quick)
        return self._keep(done, script, quick, partial, folder)

    def _keep(
        self, done: Finished, script: Script, quick: bool, partial: Path, folder: Path
    ) -> Run:
        """Write the record of a run, and let its folder replace that of the run before."""
        entry = Run(
            script=script.name,
            quick=quick,
            key=key_of(script),
            seconds=round(done.seconds, 2),
            verdicts=tuple(Verdict(**entry) for entry in done.verdicts),
            pictures=tuple(str(path.relative_to(partial)) for path in done.pictures),
            outputs=done.outputs,
            error=done.error or _missing(script.claims, [str(v["claim"]) for v in done.verdicts]),
            folder=folder,
        )
        raw = {name: value for name, value in asdict(entry).items() if name != "folder"}
        write_atomically(partial / "record.json", json.dumps(raw, ensure_ascii=False, indent=1))
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
        return entry

    def _folder(self, script: str, quick: bool) -> Path:
        return self.folder / ("quick" if quick else "full") / script


def _missing(planned: Sequence[str], stated: Sequence[str]) -> str:
    """Return the error of a script that does not state each of its verdicts once; else nothing."""
    if sorted(planned) == sorted(stated):
        return ""
    return f"It must state a verdict for {', '.join(planned)}. It stated: {', '.join(stated)}."


def default_folder() -> Path:
    """Return the folder for the runs of the user."""
    import platformdirs

    return platformdirs.user_cache_path("tfcourse") / "course"


def key_of(script: Script) -> str:
    """Return the hash of a script, the library and the versions below it."""
    digest = hashlib.sha256(f"{_library_key()}\n{script.text}".encode())
    return digest.hexdigest()[:16]


@cache
def _library_key() -> str:
    """Return the hash of the modules that a script's results depend on, and of the versions."""
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package)
        if name.parts[0] not in _APART or name.parts == ("course", "script.py"):
            digest.update(str(name).encode() + path.read_bytes())
    for other in ("tensorflow", "keras", "keras-tuner", "numpy"):
        digest.update(f"{other} {version(other)}".encode())
    return digest.hexdigest()
