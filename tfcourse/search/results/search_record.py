"""The record of a search, finished or not, from its run directory alone."""

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from tfcourse.data.sources import OBJECT_SOURCES
from tfcourse.errors import InputError
from tfcourse.search.config.load import load_config
from tfcourse.search.records.objective import Objective
from tfcourse.search.records.pareto import pareto_set
from tfcourse.search.records.score_at import BEST
from tfcourse.search.records.trial_record import TrialRecord, rank
from tfcourse.search.results.completion import complete_result
from tfcourse.search.results.damage import damage_lines, objective_on_record
from tfcourse.search.results.findings import findings
from tfcourse.search.results.layout import Printable
from tfcourse.search.results.outcomes import WIDER_LIMITS, failure_lines, infeasible_lines
from tfcourse.search.results.pareto_table import entry_of, pareto_tables
from tfcourse.search.results.search_result import SearchResult
from tfcourse.search.results.tables import format_score, search_tables
from tfcourse.search.results.trials_space import space_of
from tfcourse.search.space.parameters import Parameter, fits
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.identity import identity
from tfcourse.search.store.reading import read_json, read_toml
from tfcourse.search.store.recognition import not_a_run_directory
from tfcourse.search.store.resume import as_recorded, finished_trials
from tfcourse.search.store.summary import Summary

__all__ = ["SearchRecord", "read_record", "read_result"]

# The keys of ``[training]`` that name objects.
OWN_PARTS = ("loss", "metrics", "weighted_metrics", "callbacks")


@dataclass(frozen=True)
class SearchRecord(Printable):
    """The record of a search, which may be unfinished or damaged.

    Attributes:
        directory: The run directory.
        tables: The tables of its config; empty if it is lost.
        space: The parameters by name; without a config, ranges and choices of the trials' values.
        objective: The name of the score.
        direction: ``"max"`` or ``"min"``.
        planned: The number of trials that the config asks for; None without a config.
        trials: All records by number.
        summary: The best trial and its metrics on the test set, if any; None before the end.
        rounds: The trials and the box of each round of a search from coarse to fine.
        versions: The versions of the packages that it ran with.
        problems: What is lost or damaged, a line each.
        result: The result; None if the search is not finished.
        objectives: The objectives, of which the first one is the score.
    """

    directory: Path
    tables: Mapping[str, Any]
    space: Mapping[str, Parameter]
    objective: str
    direction: str
    planned: int | None
    trials: Mapping[int, TrialRecord]
    summary: Summary | None
    rounds: Sequence[Mapping[str, Any]]
    versions: Mapping[str, str]
    problems: Sequence[str]
    result: SearchResult | None
    objectives: Sequence[Objective]

    @property
    def name(self) -> str:
        """The name of the search; without a config that of its run directory."""
        return str(self.tables.get("search", {}).get("name", self.directory.resolve().name))

    @property
    def identity(self) -> str | None:
        """See `tfcourse.search.store.identity.identity`; None if it is lost."""
        return identity(self.tables) if self.tables else RunDirectory(self.directory).identity()

    @cached_property
    def ranking(self) -> list[TrialRecord]:
        """The completed trials that count, best first."""
        if self.result is not None:
            return self.result.ranking
        return rank(self.trials.values(), self.direction, self.objectives[1:])

    @cached_property
    def pareto_set(self) -> list[TrialRecord]:
        """The trials that no other dominates, best first; none with one objective."""
        return pareto_set(self.ranking, self.objectives) if len(self.objectives) > 1 else []

    @property
    def best(self) -> TrialRecord | None:
        """The best trial; None if none has completed within the limits."""
        return self.ranking[0] if self.ranking else None

    @cached_property
    def findings(self) -> list[str]:
        """The findings of the trials so far about the space and the budget, a line each."""
        if self.result is not None:
            return list(self.result.findings)
        if not self.ranking:
            return []
        schedule = self.tables.get("training", {}).get("schedule")
        score_at = self.tables.get("search", {}).get("score_at", BEST)
        score = (self.objective, self.direction, score_at)
        return findings(self.space, self.trials.values(), self.ranking, schedule, *score)

    @property
    def counts(self) -> dict[str, int]:
        """The number of trials of each status; completed and failed ones come first."""
        statuses = Counter[str](sorted(record.status for record in self.trials.values()))
        return {"completed": 0, "failed": 0, **statuses}

    @property
    def is_from_objects(self) -> bool:
        """True if data, builder or others were objects in Python, which no command has."""
        builder = str(self.tables.get("model", {}).get("builder", ""))
        training = self.tables.get("training", {})
        parts = str([training.get(key) for key in OWN_PARTS])
        is_local = re.search(r"<|^__main__:", builder) or re.search(r"<|\(|__main__:", parts)
        return bool(is_local) or self.tables.get("data", {}).get("source") in OBJECT_SOURCES

    def command(self, out: Path | None = None) -> str:
        """Return the command that continues the search, or repeats it in another folder ``out``."""
        if self.is_from_objects or not self.tables:
            call = "The same call of tfcourse.Search" if self.tables else "The search's own command"
            return call if out is None else f"{call} with another out"
        config = shlex.quote(str(self.directory / "config.toml"))
        folder = shlex.quote(str(self.directory.parent if out is None else out))
        return f"tfcourse search {config} --out {folder}"

    def rich_tables(self, top: int | None = None) -> list[RenderableType]:
        """Return the table of the rounds and that of the best trials, as far as there are any."""
        tables = search_tables(self.trials, self.ranking, self.rounds, self.objective, top)
        return [*tables, *pareto_tables(self.pareto_set, self.objectives)]

    def lines(self) -> list[str]:
        """Return the lines below the tables: counts, failures, damage, and how to continue."""
        lines = [self.counts_in_words(), *failure_lines(self.trials)]
        lines += infeasible_lines(self.trials)
        if self.best is not None:
            score = f"{self.objective} {format_score(self.best.score)}"
            lines.append(f"{'dev set':<12}{score} (trial {self.best.trial}, best so far)")
        return [*lines, f"{'record':<12}{self.directory}", *self.problems, self.advice()]

    def advice(self) -> str:
        """Return the way to continue a search, or to begin again if all its trials failed."""
        if len(self.trials) == self.planned and not self.ranking:
            if self.counts.get("infeasible"):
                return f"No trial is within [search.limits]. {WIDER_LIMITS}"
            return f"No trial has a score. {self.command()} --fresh begins again."
        return f"The search is not finished. {self.command()} continues it."

    def counts_in_words(self) -> str:
        """Return ``"20 of 24 trials are on record: 19 completed, 1 failed."``."""
        planned = "" if self.planned is None else f" of {self.planned}"
        parts = ", ".join(f"{n} {status}" for status, n in self.counts.items() if n)
        return f"{len(self.trials)}{planned} trials are on record{': ' if parts else ''}{parts}."

    def as_json(self, top: int | None = None) -> dict[str, Any]:
        """Return the summary and the trials, best first, as JSON has them.

        Args:
            top: The number of best trials; None for all trials.
        """
        ranked = {record.trial for record in self.ranking}
        others = [r for n, r in sorted(self.trials.items()) if n not in ranked]
        records = [*self.ranking, *others] if top is None else self.ranking[:top]
        return {
            "directory": str(self.directory),
            "finished": self.result is not None,
            "objective": self.objective,
            "direction": self.direction,
            "objectives": [asdict(objective) for objective in self.objectives],
            "pareto_set": [entry_of(record, self.objectives) for record in self.pareto_set],
            "planned": self.planned,
            "counts": self.counts,
            "ended_by": self.result and self.result.ended_by,
            "summary": None if self.summary is None else asdict(self.summary),
            "findings": self.findings,
            "problems": list(self.problems),
            "continue": None if self.result is not None else self.command(),
            "trials": [asdict(record) for record in records],
        }


def read_record(path: Path) -> SearchRecord:
    """Return the record in a run directory; neither data nor builder nor TensorFlow is needed.

    Raises:
        InputError: It is not a run directory, or nothing in it says what the score is.
    """
    directory = RunDirectory(path)
    if not directory.exists():
        raise InputError(not_a_run_directory(path))
    stored, trials = read_toml(directory.config) or {}, directory.read_trials()
    tables = {name: table for name, table in stored.items() if isinstance(table, dict)}
    summary = directory.read_summary()
    problems = damage_lines(directory, tables, trials, summary)
    result, planned = None, None
    objectives: Sequence[Objective] = ()
    space: Mapping[str, Parameter] = space_of(trials)
    try:
        config = as_recorded(load_config(directory.config, recorded=True), path)
        space, planned, objectives = config.space, config.trials, config.objectives
        within = {n: r for n, r in trials.items() if fits(r.values, space, config.columns)}
        if len(within) < len(trials):
            count = len(trials) - len(within)
            problems.append(f"{count} trials have values that are not in the space of config.toml.")
            trials = within
        result = complete_result(config, directory, finished_trials(config, directory))
    except InputError as error:
        if tables and planned is None:
            problems.append(str(error).splitlines()[-1].strip())
    objective, direction = objective_on_record(path, tables, summary)
    versions = read_json(directory.versions)
    return SearchRecord(
        path,
        tables,
        space,
        objective,
        direction,
        planned,
        trials if result is None else result.trials,
        summary,
        directory.read_rounds(),
        versions if isinstance(versions, dict) else {},
        problems,
        result,
        objectives or (Objective(objective, direction),),
    )


def read_result(path: Path) -> SearchResult:
    """Return the result of a finished search from its run directory alone.

    Raises:
        InputError: It is not a run directory, or its search is not finished.
    """
    record = read_record(path)
    if record.result is None:
        problems = " ".join([f"{path} holds no finished search.", *record.problems])
        raise InputError(f"{problems} {record.command()} continues it.")
    return record.result
