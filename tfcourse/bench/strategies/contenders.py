"""The contenders: tfcourse's strategies, and Optuna's samplers where Optuna is installed."""

import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tfcourse.bench.strategies.problems import Problem
from tfcourse.search.config.strategy_tables import STRATEGIES as TABLES
from tfcourse.search.config.strategy_tables import CoarseToFineTable
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.space.parameters import Choice, Parameter, Range, active, any_of
from tfcourse.search.strategies.proposals import propose
from tfcourse.search.strategies.study import Memo, Study

__all__ = [
    "CONTENDERS",
    "OPTUNA",
    "Player",
    "missing_packages",
    "new_player",
    "new_study",
    "suggest",
]

CONTENDERS = ("random", "quasi_random", "halving", "coarse_to_fine", "gp")
# Optuna's samplers and the packages that each needs.
OPTUNA: dict[str, tuple[str, ...]] = {
    "optuna QMC": ("optuna", "scipy"),
    "optuna CMA-ES": ("optuna", "cmaes"),
    "optuna TPE": ("optuna",),
    "optuna GP": ("optuna", "scipy", "torch"),
}


class Player(Protocol):
    """A strategy at work on a problem."""

    def ask(self, trial: int) -> dict[str, Any]:
        """Return the values of the next trial."""

    def tell(self, trial: int, values: dict[str, Any], score: float) -> None:
        """Receive the trial's score; the smaller the better."""


def missing_packages(name: str) -> list[str]:
    """Return the packages that a contender needs and that can't be imported."""
    missing = []
    for package in OPTUNA.get(name, ()):
        try:
            importlib.import_module(package)
        except ImportError:
            missing.append(package)
    return missing


def new_player(name: str, problem: Problem, seed: int, trials: int) -> Player:
    """Return a contender at the beginning of a problem."""
    if name in OPTUNA:
        return _Optuna(name, problem, seed)
    return _Ours(name, problem, seed, trials)


def new_study(name: str, seed: int) -> Any:
    """Return an Optuna study that minimizes, with the sampler of that contender."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    samplers: Mapping[str, Callable[[], Any]] = {
        "optuna QMC": lambda: optuna.samplers.QMCSampler(
            qmc_type="halton", scramble=True, seed=seed, warn_independent_sampling=False
        ),
        "optuna CMA-ES": lambda: optuna.samplers.CmaEsSampler(
            seed=seed, warn_independent_sampling=False
        ),
        "optuna TPE": lambda: optuna.samplers.TPESampler(seed=seed),
        "optuna GP": lambda: optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # QMC and GP are experimental
        return optuna.create_study(sampler=samplers[name]())


class _Ours:
    def __init__(self, name: str, problem: Problem, seed: int, trials: int) -> None:
        settings: Any = TABLES[name]() if name in TABLES else None
        if name == "halving":
            name, settings = "coarse_to_fine", CoarseToFineTable(rule="halving")
        self._study = Study(name, settings, problem.space, seed, "min", trials, 1)
        self._records, self._memo = dict[int, TrialRecord](), Memo()

    def ask(self, trial: int) -> dict[str, Any]:
        return dict(propose(self._study, trial, self._records, self._memo) or {})

    def tell(self, trial: int, values: dict[str, Any], score: float) -> None:
        self._records[trial] = TrialRecord(trial, "completed", values, score)


class _Optuna:
    """An Optuna study. Ranges go over as positions on their scales, so that all scales count.

    A parameter whose condition does not hold is suggested all the same, and not used: only TPE has
    a space that depends on choices.
    """

    def __init__(self, name: str, problem: Problem, seed: int) -> None:
        self._space, self._depends = problem.space, name == "optuna TPE"
        self._study = new_study(name, seed)
        self._trial: Any = None

    def ask(self, trial: int) -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._trial = self._study.ask()
            values = dict[str, Any]()
            for name in self._space:
                self._suggest(name, values)
        return active(self._space, values)

    def _suggest(self, name: str, values: dict[str, Any]) -> bool:
        """Add a parameter's value, after those of its parents; return whether it is active."""
        parameter = self._space[name]
        parents = [(parent, self._suggest(parent, values), v) for parent, v in parameter.when]
        holds = all(is_active and values[p] in any_of(v) for p, is_active, v in parents)
        if holds or not self._depends:
            values[name] = suggest(self._trial, name, parameter)
        return holds

    def tell(self, trial: int, values: dict[str, Any], score: float) -> None:
        self._study.tell(self._trial, score)


def suggest(trial: Any, name: str, parameter: Parameter) -> Any:
    """Return an Optuna trial's value of a parameter; asked again it is the same."""
    if isinstance(parameter, Choice):
        places = list(range(parameter.count))
        return parameter.values[trial.suggest_categorical(name, places)]
    if isinstance(parameter, Range) and parameter.step is not None and parameter.count is not None:
        return parameter.after(trial.suggest_int(name, 0, parameter.count - 1))
    return parameter.value_at(trial.suggest_float(name, 0.0, 1.0))
