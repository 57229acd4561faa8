"""The costs of a trial's model: its parameters and the time of a prediction."""

from typing import Any
from weakref import WeakKeyDictionary

from tfcourse.data.splits import Split
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.objective import MILLISECONDS, PARAMETERS
from tfcourse.search.trials.latency import latency
from tfcourse.search.trials.normalized import AnyScaling, with_scaling
from tfcourse.types import KerasModel

__all__ = ["ModelCosts"]


class ModelCosts:
    """The costs of the models of a search, by their names in a record.

    The time of a prediction is that of the model as it is saved, which takes raw examples; it is
    measured only if the search needs it, and once for the trials that share a compiled model: the
    least of several calls, as other workers may keep the machine busy.

    Args:
        config: The search.
        split: The data.
    """

    def __init__(self, config: SearchConfig, split: Split) -> None:
        self.config, self.split = config, split
        self._milliseconds: WeakKeyDictionary[KerasModel, float] = WeakKeyDictionary()

    def of(self, model: KerasModel, scaling: AnyScaling | None) -> dict[str, Any]:
        """Return the costs of a built model without its scaling."""
        costs: dict[str, Any] = {PARAMETERS: model.count_params()}
        if not self.config.measures_predictions:
            return costs
        if model not in self._milliseconds:
            example = self.split.raw(self.split.dev.rows(slice(1))).x
            whole = with_scaling(model, scaling, self.split.shape)
            self._milliseconds[model] = round(latency(whole, example, statistic=min), 6)
        return {**costs, MILLISECONDS: self._milliseconds[model]}
