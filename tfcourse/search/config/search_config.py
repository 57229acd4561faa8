"""A search's config, checked and frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import tomli_w

from tfcourse.data.arrays import ArrayData
from tfcourse.search.config.builders import Builder
from tfcourse.search.config.metrics import LOSSES, Targets, direction_of
from tfcourse.search.config.settings import HYPERBAND_VALUES, trials_of
from tfcourse.search.config.tables import DataTable, ModelTable, SearchTable, TrainingTable
from tfcourse.search.space.parameters import Parameter
from tfcourse.search.strategies.study import Study

__all__ = ["SearchConfig"]


@dataclass(frozen=True)
class SearchConfig:
    """A search, checked: what to run, on what, over which space.

    ``settings`` are the strategy's own, None where it has none; ``origin`` is the file it came
    from, for error messages; ``arrays`` the data, where it was given as such. ``in_memory``:
    whether data or builder were given as objects, which another process can't read from a file.
    """

    search: SearchTable
    settings: Any
    data: DataTable
    model: ModelTable
    training: TrainingTable
    space: Mapping[str, Parameter]
    builder: Builder
    raw_space: Mapping[str, Any]
    origin: str = field(compare=False)
    arrays: ArrayData | None = field(default=None, compare=False, repr=False)
    in_memory: bool = field(default=False, compare=False)

    @property
    def direction(self) -> Literal["max", "min"]:
        """Whether the objective is to be large or small."""
        direction = self.search.direction or direction_of(self.search.objective)
        assert direction is not None, "checked with the config"
        return direction

    @cached_property
    def trials(self) -> int:
        """How many trials there are to be, see `trials_of`."""
        return trials_of(self.search, self.space)

    @cached_property
    def study(self) -> Study:
        """The part of the config that the values of the trials depend on."""
        return Study(
            self.search.strategy,
            self.settings,
            self.space,
            self.search.seed,
            self.direction,
            self.trials,
            self.training.epochs,
        )

    @property
    def targets(self) -> Targets:
        """What the loss compares the model's outputs with."""
        return LOSSES[self.training.loss]

    @property
    def columns(self) -> list[str]:
        """The names that a trial's values can have; hyperband sets its epochs as well."""
        return [*self.space, *(HYPERBAND_VALUES if self.search.strategy == "hyperband" else ())]

    def as_tables(self) -> dict[str, Any]:
        """The config as run, all defaults filled in, as the tables of a TOML file."""
        own: dict[str, Any] = {}
        if self.settings is not None:
            own[self.search.strategy] = self.settings.model_dump(exclude_none=True)
        search = self.search.model_copy(update={"direction": self.direction})
        tables = {
            "search": search.model_dump(exclude_none=True) | own,
            "data": self.data.model_dump(exclude_none=True) | {"split": list(self.data.split)},
            "model": self.model.model_dump(exclude_none=True),
            "training": self.training.model_dump(exclude_none=True),
        }
        return {**tables, "space": {name: dict(table) for name, table in self.raw_space.items()}}

    def as_toml(self) -> str:
        """`as_tables` as the text of a TOML file, which can be searched again."""
        return tomli_w.dumps(self.as_tables())
