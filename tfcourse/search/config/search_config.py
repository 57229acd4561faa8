"""The checked config of a search."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias

import tomli_w

from tfcourse.data.arrays import ArrayData
from tfcourse.data.splitting.stored_split import StoredSplit
from tfcourse.data.streams.datasets import Datasets
from tfcourse.data.tables.table_data import TableData
from tfcourse.search.config.builders import Builder
from tfcourse.search.config.column_tables import without_defaults
from tfcourse.search.config.metrics import direction_of
from tfcourse.search.config.objectives import objectives_of
from tfcourse.search.config.outputs import Output, training_outputs
from tfcourse.search.config.parts import Objects
from tfcourse.search.config.settings import HYPERBAND_VALUES, trials_of
from tfcourse.search.config.tables import DataTable, ModelTable, SearchTable, TrainingTable
from tfcourse.search.records.objective import MILLISECONDS, Objective
from tfcourse.search.records.satisficing import Bound
from tfcourse.search.records.score_at import BEST
from tfcourse.search.space.parameters import Parameter
from tfcourse.search.strategies.pruning import Pruning
from tfcourse.search.strategies.stopping import Limits
from tfcourse.search.strategies.study import Study

__all__ = ["DataInMemory", "SearchConfig"]

# Examples that were passed as objects, and in a worker the file with them.
DataInMemory: TypeAlias = ArrayData | TableData | StoredSplit


@dataclass(frozen=True)
class SearchConfig:
    """The checked config of a search.

    Attributes:
        search: ``[search]``.
        settings: The table of the strategy; None if it has none.
        data: ``[data]``.
        model: ``[model]``.
        training: ``[training]``.
        space: The parameters by name.
        builder: The builder of the models.
        raw_space: The tables of ``[space]`` by name.
        origin: The name of the file, for error messages.
        arrays: The data, if it was passed as arrays or tables; in a worker the file with it.
        datasets: The data, if it was passed as datasets.
        objects: The losses, metrics and callbacks that were passed as objects, by their names.
        in_memory: True if data, builder or others were passed as objects, which another process
            can't read from a file.
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
    arrays: DataInMemory | None = field(default=None, compare=False, repr=False)
    datasets: Datasets | None = field(default=None, compare=False, repr=False)
    objects: Objects = field(default_factory=dict, compare=False, repr=False)
    in_memory: bool = field(default=False, compare=False)

    @property
    def is_streamed(self) -> bool:
        """True if the examples are read batch by batch."""
        streamed = self.data.source in ("images", "tfrecord") or self.data.stream
        return bool(streamed) or self.datasets is not None

    @property
    def direction(self) -> Literal["max", "min"]:
        """The better direction of the objective."""
        direction = self.search.direction or self.direction_of(self.search.objective)
        assert direction is not None, "checked with the config"
        return direction

    def direction_of(self, name: str) -> Literal["max", "min"] | None:
        """Return the better direction of a name in a history; None if it is not known."""
        return direction_of(name, [output.name for output in self.outputs])

    @cached_property
    def objectives(self) -> tuple[Objective, ...]:
        """The objectives, of which the first one is the score."""
        return objectives_of(self.search, self.direction, self.direction_of)

    @cached_property
    def trials(self) -> int:
        """The number of trials, see `trials_of`."""
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
            self.search.start,
            self._pruning,
            self.objectives,
        )

    @property
    def _pruning(self) -> Pruning | None:
        search = self.search
        if search.pruning is None:
            return None
        return Pruning(
            search.pruning.settings,
            search.pruning.parallel,
            search.objective,
            self.direction,
            self.training.folds * self.training.repeats,
            search.score_at,
        )

    @property
    def limits(self) -> Limits:
        """The limits that can end the search before its last trial."""
        search = self.search
        return Limits(search.target, search.patience, search.min_delta, search.max_seconds)

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """The limits within which a trial must be to be the best."""
        return () if self.search.limits is None else self.search.limits.bounds

    @property
    def measures_predictions(self) -> bool:
        """True if an objective or a limit is the time of a prediction."""
        names = [objective.name for objective in self.objectives]
        return MILLISECONDS in (*names, *(limit.name for limit in self.bounds))

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The outputs of the models; one without a name, unless the loss is a table."""
        return training_outputs(self.training)

    @property
    def targets(self) -> Any:
        """The targets that the loss takes, see `AnyTargets`; a dict for outputs with names."""
        kinds = {output.name: output.targets for output in self.outputs}
        assert None not in kinds.values(), "checked with the config"
        return kinds.get("", kinds)

    @property
    def columns(self) -> list[str]:
        """The names that a trial's values can have; hyperband adds some of its own."""
        return [*self.space, *(HYPERBAND_VALUES if self.search.strategy == "hyperband" else ())]

    def as_tables(self) -> dict[str, Any]:
        """Return the config with all defaults as the tables of a TOML file."""
        of_strategy: dict[str, Any] = {}
        if self.settings is not None:
            of_strategy[self.search.strategy] = self.settings.model_dump(exclude_none=True)
        search = self.search.model_copy(update={"direction": self.direction})
        if search.objectives:
            of_strategy["objectives"] = [asdict(objective) for objective in self.objectives]
        # Searches without these keys have the config of earlier versions.
        of_strategy |= {"start": [dict(table) for table in search.start]} if search.start else {}
        without = {"start", "objectives", *(["min_delta"] if search.patience is None else [])}
        without |= {"score_at"} if search.score_at == BEST else set()
        tables = {
            "search": search.model_dump(exclude_none=True, exclude=without) | of_strategy,
            "data": self._data_table(),
            "model": self.model.model_dump(exclude_none=True),
            "training": self.training.model_dump(exclude_none=True),
        }
        return {**tables, "space": {name: dict(table) for name, table in self.raw_space.items()}}

    def _data_table(self) -> dict[str, Any]:
        table = without_defaults(self.data.model_dump(exclude_none=True), self.data)
        if self.data.split_by is not None or self.data.split_rows is not None:
            del table["split"]
        return table

    def as_toml(self) -> str:
        """Return `as_tables` as the text of a TOML file, which `load_config` reads."""
        return tomli_w.dumps(self.as_tables())
