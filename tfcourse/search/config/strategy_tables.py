"""The tables of the strategies' own settings, ``[search.STRATEGY]``."""

from abc import abstractmethod
from typing import Any, ClassVar, Literal

from pydantic import Field

from tfcourse.search.config.table import RuleTable, Table
from tfcourse.search.strategies.optuna_samplers import INITIAL, SamplerSettings

__all__ = [
    "STRATEGIES",
    "BayesianTable",
    "CoarseToFineTable",
    "GpTable",
    "HyperbandTable",
    "OptunaTable",
    "SamplerTable",
]


class CoarseToFineTable(RuleTable):
    """``[search.coarse_to_fine]``: rounds of trials, each drawn from a box.

    ``rule``: the rule of the box: ``"posterior"``, see `tfcourse.search.strategies.posterior_box`,
    or ``"halving"``, see `tfcourse.search.strategies.halving_box`, with ``keep`` in the place of
    ``coverage``. A run directory without a rule is older than the choice, and continues with
    ``"halving"``. The size of a round does not depend on the number of trials: with more trials
    there are more rounds, and the earlier ones stay the same. By ``"posterior"`` the rounds after
    the first one have half of its trials, at least 4, and grow with the trials before them.
    ``rounds = "equal"`` is what a run directory without the key continues with: they have all of
    its trials, and those outside of the box are drawn without the process.
    """

    KEYS: ClassVar = {"posterior": ("coverage", "rounds"), "halving": ("keep",)}
    rule: Literal["posterior", "halving"] = "posterior"
    rounds: Literal["halved", "equal"] = "halved"
    trials_per_round: int = Field(default=8, ge=1)
    coverage: float = Field(default=0.8, gt=0, le=1)
    keep: float = Field(default=0.25, gt=0, le=1)
    shrink: float = Field(default=0.5, gt=0, lt=1)
    floor: float = Field(default=0.05, gt=0, le=1)


class BayesianTable(Table):
    """``[search.bayesian]``: keras-tuner's Gaussian process.

    Attributes:
        initial: The number of random trials before it; by default three for each hyperparameter.
        parallel: The most trials at a time, which don't know each other's results.
        beta: The weight of the standard deviation against the mean of the predicted score.
    """

    initial: int | None = Field(default=None, ge=1)
    parallel: int = Field(default=1, ge=1)
    beta: float = Field(default=2.6, ge=0)

    def initial_of(self, hyperparameters: int) -> int:
        """Return ``initial`` for a space with this number of hyperparameters."""
        return self.initial or max(3 * hyperparameters, 3)


class GpTable(Table):
    """``[search.gp]``: a Gaussian process of tfcourse's own, see `tfcourse.search.strategies.gp`.

    ``initial``: quasi-random trials before it. ``parallel``: how many trials may run at a time;
    they don't know each other's results. ``acquisition``: ``"improvement"``, or ``"turns"``, with
    which a run directory without the key continues.
    """

    initial: int = Field(default=8, ge=1)
    parallel: int = Field(default=1, ge=1)
    acquisition: Literal["improvement", "turns"] = "improvement"


class SamplerTable(Table):
    """A table of a sampler of Optuna's, see `tfcourse.search.strategies.optuna_samplers`.

    ``parallel``: the most trials at a time, which don't know each other's results. ``failures``:
    what failed trials count as. Optuna's samplers ignore them, so that they may propose such values
    again and again; ``"worst"``, the default of ``[search.tpe]``, is a score worse than all others.
    """

    parallel: int = Field(default=1, ge=1)
    failures: Literal["ignore", "worst"] = "ignore"

    @property
    @abstractmethod
    def sampler_settings(self) -> SamplerSettings:
        """The sampler and its arguments."""


class TpeTable(SamplerTable):
    """``[search.tpe]``: Optuna's `TPESampler`, a tree-structured Parzen estimator.

    ``initial``: random trials before it.
    """

    initial: int = Field(default=10, ge=1)
    failures: Literal["ignore", "worst"] = "worst"

    @property
    def sampler_settings(self) -> SamplerSettings:
        """The sampler and its arguments."""
        arguments = {"n_startup_trials": self.initial, "constant_liar": True}
        return SamplerSettings("TPESampler", arguments, self.initial)


class CmaEsTable(SamplerTable):
    """``[search.cma_es]``: Optuna's `CmaEsSampler`, a normal distribution that adapts.

    ``initial``: random trials before it. For n hyperparameters the distribution changes after each
    ``4 + ⌊3 ln n⌋`` completed trials. Choices, and hyperparameters with a condition, are random.
    """

    initial: int = Field(default=1, ge=1)

    @property
    def sampler_settings(self) -> SamplerSettings:
        """The sampler and its arguments."""
        return SamplerSettings("CmaEsSampler", {"n_startup_trials": self.initial}, self.initial)


class OptunaTable(SamplerTable):
    """``[search.optuna]``: any of Optuna's samplers for one objective, with its own arguments.

    ``sampler``: the name of its class. ``arguments``: those that are numbers, texts or booleans;
    the seed is the search's.
    """

    sampler: Literal[
        "TPESampler",
        "CmaEsSampler",
        "QMCSampler",
        "GPSampler",
        "NSGAIISampler",
        "RandomSampler",
    ]
    arguments: dict[str, Any] = Field(default_factory=dict)

    @property
    def sampler_settings(self) -> SamplerSettings:
        """The sampler and its arguments."""
        argument, default = INITIAL.get(self.sampler, ("", 1))
        number = self.arguments.get(argument, default)
        # Of another type it is an error, which the config's checks report.
        initial = max(number, 1) if isinstance(number, int) else default
        return SamplerSettings(self.sampler, self.arguments, initial)


class HyperbandTable(Table):
    """``[search.hyperband]``: the share of trials that a round keeps.

    It keeps one in ``factor``, and trains it for ``factor`` times as many epochs, up to
    ``[training] epochs``.
    """

    factor: int = Field(default=3, ge=2)


# The strategies with settings of their own, in ``[search.STRATEGY]``.
STRATEGIES: dict[str, type[Table]] = {
    "coarse_to_fine": CoarseToFineTable,
    "bayesian": BayesianTable,
    "gp": GpTable,
    "tpe": TpeTable,
    "cma_es": CmaEsTable,
    "optuna": OptunaTable,
    "hyperband": HyperbandTable,
}
