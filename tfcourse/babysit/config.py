"""The config of a training under supervision, from its TOML file; all errors at once."""

import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import Field

from tfcourse.babysit.rule import OnExplosion, Rule
from tfcourse.errors import InputError
from tfcourse.imports import search_modules_in
from tfcourse.search.config.limits import LONGEST_NAME, error_lines
from tfcourse.search.config.load import parse_config
from tfcourse.search.config.parsing import parse, unknown_tables
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.config.table import Table
from tfcourse.search.config.toml_file import read_tables

__all__ = ["BabysitConfig", "load_babysit_config"]

_TABLES = ("babysit", "data", "model", "training")
# Keys of [training] with an effect on several trainings alone, and their values without one.
_OF_SEARCHES: dict[str, Any] = {"early_stopping": None, "folds": 1, "repeats": 1}


class BabysitTable(Table):
    """``[babysit]``: the name of the run, its seed, its checkpoints, and the rule for explosions.

    Attributes:
        name: The name of the run directory.
        seed: The seed of weights, dropout and shuffling.
        keep: The number of checkpoints to keep, one an epoch: a rollback can return to these.
        threads: The number of threads of one operation; with another number the sums of
            convolutions are rounded differently.
        on_explosion, factor, cut, max_rollbacks: See `tfcourse.babysit.rule.Rule`.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=LONGEST_NAME)
    seed: int = Field(default=0, ge=0)
    keep: int = Field(default=20, ge=2)
    threads: int = Field(default=1, ge=1, le=1000)
    on_explosion: OnExplosion = Rule.on_explosion
    factor: float = Field(default=Rule.factor, gt=1)
    cut: float = Field(default=Rule.cut, gt=0, lt=1)
    max_rollbacks: int = Field(default=Rule.max_rollbacks, ge=0)


# The keys that an unfinished run may change: the weights depend on them through its journal alone.
CHANGEABLE = ("keep", "on_explosion", "factor", "cut", "max_rollbacks")


@dataclass(frozen=True)
class BabysitConfig:
    """The checked config of a training under supervision.

    Attributes:
        babysit: ``[babysit]``.
        training: The other tables, as those of a search with one trial and nothing to search.
        origin: The name of the file, for messages.
    """

    babysit: BabysitTable
    training: SearchConfig
    origin: str = field(compare=False)

    @property
    def rule(self) -> Rule:
        """The rule for explosions."""
        table = self.babysit
        return Rule(table.on_explosion, table.factor, table.cut, table.max_rollbacks)

    @property
    def epochs(self) -> int:
        """The number of epochs."""
        return self.training.training.epochs

    def as_tables(self) -> dict[str, Any]:
        """Return the config with all defaults as the tables of a TOML file."""
        tables = self.training.as_tables()
        babysit = self.babysit.model_dump(exclude_none=True)
        return {"babysit": babysit, **{name: tables[name] for name in _TABLES[1:]}}

    def as_toml(self) -> str:
        """Return `as_tables` as the text of a TOML file."""
        return tomli_w.dumps(self.as_tables())

    def changes_since(self, tables: Mapping[str, Any]) -> list[str]:
        """Return the keys on which the weights depend and whose values are others in a record."""
        return [
            f"[{table}] {key}"
            for table, entries in tomllib.loads(self.as_toml()).items()
            for key in sorted({*entries, *tables.get(table, {})})
            if not (table == "babysit" and key in CHANGEABLE)
            and entries.get(key) != tables.get(table, {}).get(key)
        ]


def load_babysit_config(path: Path) -> BabysitConfig:
    """Read and check the TOML file of a training under supervision.

    Args:
        path: The file. A relative ``[data] path`` is relative to its folder.

    Raises:
        InputError: The file can't be read, or holds errors: a line for each.
    """
    raw = read_tables(path)
    if "search" in raw and "babysit" not in raw:
        raise InputError(
            f"{path}: [search] is the table of a search, not of one training under supervision. "
            f"Search with: tfcourse search {shlex.quote(str(path))}"
        )
    lines = unknown_tables(raw, _TABLES)
    table, table_lines = parse(BabysitTable, raw.get("babysit", {}), "babysit")
    errors = [error_lines(str(path), lines + table_lines)] if lines + table_lines else []
    search: dict[str, Any] = {"name": "babysit", "trials": 1}
    if isinstance(table, BabysitTable):
        search |= {"name": table.name, "seed": table.seed, "threads": table.threads}
    tables = {name: raw.get(name, {}) for name in _TABLES[1:]} | {"search": search}
    try:
        search_modules_in(path.parent)
        training = parse_config(tables, str(path), path.parent, is_search=False)
    except InputError as error:
        raise InputError("\n".join([*errors, str(error)])) from None
    problems = _problems(training)
    if errors or problems:
        raise InputError(
            "\n".join([*errors, *([error_lines(str(path), problems)] * bool(problems))])
        )
    return BabysitConfig(table, training, str(path))


def _problems(config: SearchConfig) -> list[str]:
    """Return a line for each key that only a search can follow."""
    lines = [
        f"[training] {key} is for searches. Leave it out: here it is you who decides between the "
        "epochs."
        for key, value in _OF_SEARCHES.items()
        if getattr(config.training, key) != value
    ]
    names = ", ".join(config.space)
    if names:
        lines.append(f"[model] needs values for what the builder would search: {names}.")
    return lines
