"""The comparison of searches, finished or not, from their run directories alone."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import RenderableType

from tfcourse.errors import InputError
from tfcourse.search.config.load import load_config
from tfcourse.search.records.trial_record import without_nan
from tfcourse.search.results.joint_pareto import joint_lines, joint_pareto_set
from tfcourse.search.results.layout import FirstThatFits, Printable, table_of
from tfcourse.search.results.search_record import SearchRecord, read_record
from tfcourse.search.results.sets import has_test_set
from tfcourse.search.results.setting_differences import format_setting, setting_differences
from tfcourse.search.results.tables import LONGEST_VALUE, format_score, format_value
from tfcourse.search.store.data_record import read_data_record
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.resume import as_recorded
from tfcourse.search.strategies.stopping import seconds_on_record

__all__ = ["Comparison", "compare"]

# The settings with which the scores are others, and in what.
OTHER_SCORES = {"training.folds": "on other examples", "search.score_at": "at other epochs"}


@dataclass(frozen=True)
class Comparison(Printable):
    """The comparison of searches of one objective.

    Attributes:
        records: The records of the searches.
        names: A name of each search, none twice.
        data: The record of each search's data; None where it is lost.
    """

    records: Sequence[SearchRecord]
    names: Sequence[str]
    data: Sequence[Mapping[str, Any] | None]

    @cached_property
    def differences(self) -> dict[str, list[Any]]:
        """The value of each setting that differs, by search; "not set" where it has none."""
        return setting_differences([_with_defaults(record) for record in self.records])

    @property
    def fewest(self) -> int:
        """The number of trials of the search that has fewest."""
        return min(len(record.trials) for record in self.records)

    @property
    def hints(self) -> list[str]:
        """Reasons not to compare the scores, and damage, a line each."""
        lines = self._hints_of_data()
        for setting, other in OTHER_SCORES.items():
            if setting in self.differences:
                lines.append(
                    f"{setting} differs: the scores are measured {other}, and are not comparable."
                )
        for name, record in zip(self.names, self.records, strict=True):
            if record.result is None:
                lines.append(f"{name} is not finished: {record.counts_in_words()}")
            lines += [f"{name}: {problem}" for problem in record.problems]
        return lines

    def _hints_of_data(self) -> list[str]:
        """Return the searches whose data is another than the first's, or is not on record."""
        lines = [
            f"The data of {name} is not on record: whether its scores are comparable is not known."
            for name, data in zip(self.names, self.data, strict=True)
            if data is None
        ]
        readable = [(n, d) for n, d in zip(self.names, self.data, strict=True) if d is not None]
        for name, data in readable[1:]:
            first_name, first = readable[0]
            if data["sha256"] != first["sha256"]:
                lines.append(
                    f"The data of {first_name} and {name} differ: their scores are not comparable."
                )
        return lines

    def rich_tables(self, top: int | None = None) -> list[RenderableType]:
        """Return the table of the searches, and that of their settings that differ."""
        first = self.records[0]
        title = f"{first.objective} ({first.direction}) of {len(self.records)} searches"
        rows = self._rows()
        wide = table_of(rows, title)
        narrow = table_of(list(zip(*rows, strict=True)), title)
        wide.columns[0].justify = narrow.columns[0].justify = "left"
        tables: list[RenderableType] = [FirstThatFits([wide, narrow])]
        if differences := self.differences.items():
            cells = [["setting", *self._short_names()]]
            cells += [[k, *(format_setting(k, v) for v in each)] for k, each in differences]
            settings = table_of(cells, "Settings that differ", wrap=True)
            settings.columns[0].justify = "left"
            tables.append(FirstThatFits([settings]))
        return tables

    def lines(self) -> list[str]:
        """Return the lines below the tables: hints, and that no setting differs."""
        lines = joint_lines(self.names, self.records)
        lines += [f"Hint: {line}" for line in self.hints]
        return lines if self.differences else ["Their settings do not differ.", *lines]

    def _short_names(self) -> list[str]:
        return [format_value(name, LONGEST_VALUE) for name in self.names]

    def _rows(self) -> list[list[str]]:
        """Return the heading, and a row of cells for each search."""
        statuses = list(dict.fromkeys(s for record in self.records for s in record.counts))
        statuses += [] if "pruned" in statuses else ["pruned"]
        tested = any(has_test_set(record.directory) for record in self.records)
        test = ["test"] if tested else []
        heading = ["search", "best", "median", "quartiles", *test, *statuses, "seconds"]
        entries = [self._entry(record) for record in self.records]
        is_uneven = len({len(record.trials) for record in self.records}) > 1
        if is_uneven:
            heading.insert(2, f"best of first {self.fewest}")
        rows = [heading]
        for name, entry in zip(self._short_names(), entries, strict=True):
            low, median, high = map(format_score, entry["quartiles"])
            cells = [name, format_score(entry["best"]), median, f"{low} to {high}"]
            if is_uneven:
                cells.insert(2, format_score(entry["best_of_fewest"]))
            cells += [format_score(entry["test_score"])] if tested else []
            cells += [str(entry["counts"].get(status, 0)) for status in statuses]
            rows.append([*cells, f"{entry['seconds']:.4g}"])
        return rows

    def _entry(self, record: SearchRecord) -> dict[str, Any]:
        """Return the figures of a search, as JSON has them."""
        scores = [trial.score for trial in record.ranking]
        earliest = [trial.score for trial in record.ranking if trial.trial < self.fewest]
        summary = record.summary
        # The objective's own metric on the test set, which has no "val_".
        test = {} if summary is None else dict(summary.test)
        quartiles: list[float | None] = [None, None, None]
        if scores:
            quartiles = np.percentile(np.array(scores, float), [25, 50, 75]).tolist()
        recorded = 0.0 if summary is None else summary.seconds
        return {
            "directory": str(record.directory),
            "finished": record.result is not None,
            "best_trial": None if record.best is None else record.best.trial,
            "best": None if record.best is None else record.best.score,
            "best_of_fewest": earliest[0] if earliest else None,
            "quartiles": quartiles,
            "test_score": test.get(record.objective.removeprefix("val_")),
            "test": test,
            "counts": record.counts,
            "planned": record.planned,
            "seconds": max(seconds_on_record(record.trials), recorded),
        }

    def as_json(self) -> dict[str, Any]:
        """Return the figures, the settings that differ and the hints, as JSON has them."""
        joint = joint_pareto_set(self.records)
        entries = zip(self.names, map(self._entry, self.records), joint, strict=True)
        entry = {
            "objective": self.records[0].objective,
            "direction": self.records[0].direction,
            "fewest_trials": self.fewest,
            "searches": [{"name": n, **figures, "pareto_set": own} for n, figures, own in entries],
            "differences": self.differences,
            "hints": self.hints,
        }
        return dict(without_nan(entry))


def compare(paths: Sequence[Path]) -> Comparison:
    """Return the comparison of the searches in run directories.

    Raises:
        InputError: There are fewer than two, one twice, or one that is not a run directory; or
            their objectives or directions differ.
    """
    if len(paths) < 2:
        raise InputError(f"A comparison needs two run directories or more. Received: {len(paths)}.")
    for path, count in Counter(path.resolve() for path in paths).items():
        if count > 1:
            raise InputError(f"A comparison needs different run directories. Twice: {path}.")
    records = [read_record(path) for path in paths]
    first = records[0]
    for other in records[1:]:
        if (first.objective, first.direction) != (other.objective, other.direction):
            raise InputError(
                f"Scores of different objectives are not comparable: {first.directory} has "
                f"{first.objective} ({first.direction}), {other.directory} has {other.objective} "
                f"({other.direction}). Compare searches with one objective and direction."
            )
    return Comparison(records, _names(paths), [read_data_record(path) for path in paths])


def _names(paths: Sequence[Path]) -> list[str]:
    """Return the folders' names, or the whole paths where two are equal or shortened to one."""
    short = [path.resolve().name for path in paths]
    if len({format_value(name, LONGEST_VALUE) for name in short}) == len(short):
        return short
    whole = [str(path) for path in paths]
    if len({format_value(name, LONGEST_VALUE) for name in whole}) == len(whole):
        return whole
    return [f"{number} {name}" for number, name in enumerate(whole, 1)]


def _with_defaults(record: SearchRecord) -> Mapping[str, Any]:
    """Return the tables of a config with the settings that its strategy has by default.

    An old directory has those of then.
    """
    search = record.tables.get("search", {})
    try:
        config = load_config(RunDirectory(record.directory).config, recorded=True)
        settings = as_recorded(config, record.directory).settings
    except InputError:  # the config is damaged, or has settings of another version
        return record.tables
    if settings is None:
        return record.tables
    defaults = settings.model_dump(exclude_none=True)
    return {**record.tables, "search": {**search, config.search.strategy: defaults}}
