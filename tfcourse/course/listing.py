"""The claims with their scripts and last verdicts, a line each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from tfcourse.course.register import Claim, claims, sections
from tfcourse.course.runs import Run, Store, Verdict
from tfcourse.course.scripts import Script, scripts

__all__ = ["Status", "lines", "statuses", "without_script"]


@dataclass(frozen=True)
class Status:
    """A claim, its script, and the last run of it.

    Attributes:
        claim: The claim.
        script: Its script; None if there is none yet.
        run: The script's last run: in full, or else in quick mode; None if it has not run.
        current: True if nothing that the run depends on has changed since.
    """

    claim: Claim
    script: Script | None
    run: Run | None
    current: bool

    @property
    def verdict(self) -> Verdict | None:
        """The last verdict; None without one."""
        return None if self.run is None else self.run.verdict_of(self.claim.number)

    @property
    def text(self) -> str:
        """The last verdict in words: ``holds (quick, outdated)``."""
        if self.script is None or self.run is None:
            return "no script yet" if self.script is None else "not run yet"
        notes = ["quick"] * self.run.quick + ["outdated"] * (not self.current)
        word = "failed" if self.run.error or self.verdict is None else self.verdict.word
        return f"{word} ({', '.join(notes)})" if notes else word

    def as_json(self) -> dict[str, object]:
        """Return it as an entry of JSON."""
        verdict = self.verdict
        return {
            "claim": self.claim.number,
            "title": self.claim.titles["en"],
            "script": None if self.script is None else str(self.script.path),
            "status": self.text,
            "holds": None if verdict is None else verdict.holds,
            "figures": None if verdict is None else verdict.figures,
            "pictures": [] if self.run is None else [str(p) for p in self.run.picture_paths],
        }


def statuses(store: Store, quick: bool | None = None) -> list[Status]:
    """Return the status of each claim, in the course's order.

    Args:
        store: The folder of the runs.
        quick: The mode of the runs; None for the last one in full or, without it, in quick mode.
    """
    by_claim = {number: script for script in scripts() for number in script.claims}
    runs = {script.name: _last(store, script, quick) for script in by_claim.values()}
    found = []
    for number, claim in claims().items():
        script = by_claim.get(number)
        run, current = (None, False) if script is None else runs[script.name]
        found.append(Status(claim, script, run, current))
    return found


def _last(store: Store, script: Script, quick: bool | None) -> tuple[Run | None, bool]:
    """Return the run of a script to show, and True if it is current."""
    modes = (False, True) if quick is None else (quick,)
    for mode in modes:
        run = store.current(script, mode)
        if run is not None:
            return run, True
    return next(filter(None, (store.last(script.name, mode) for mode in modes)), None), False


def without_script() -> list[str]:
    """Return the numbers of the claims that have no script yet."""
    with_script = {number for script in scripts() for number in script.claims}
    return [number for number in claims() if number not in with_script]


def lines(listed: Iterable[Status], language: str) -> Iterator[str]:
    """Return a line for each claim, and one for each section before its claims."""
    listed = list(listed)
    width = max(len(s.script.name) + 3 if s.script else 0 for s in listed)
    verdicts = max(len(status.text) for status in listed)
    for key, group in groupby(listed, key=lambda status: status.claim.section):
        yield f"{key}  {sections()[key][language]}"
        for status in group:
            number, title = status.claim.number, status.claim.titles[language]
            script = "" if status.script is None else status.script.path.name
            yield f"   {number:<5} {status.text:<{verdicts}}  {script:<{width}}  {title}"
