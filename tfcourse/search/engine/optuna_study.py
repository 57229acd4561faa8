"""Optuna's samplers behind one door: a study of a search space, asked for values and told scores.

Within the search only this module imports Optuna, and only strategies that use it import this
module.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import Trial, TrialState

from tfcourse.quiet import quiet_optuna
from tfcourse.search.space.parameters import Choice, Parameter, Range, any_of, parents_first

__all__ = ["OptunaStudy", "Proposal", "argument_types"]

# Sobol's and other generators take seeds of 32 bits.
SEEDS = 2**32
# Types of arguments that a TOML file can hold.
TYPES = ("bool", "int", "float", "str")


@dataclass(frozen=True)
class Proposal:
    """The values that a study proposes for a trial.

    Attributes:
        number: Optuna's number of the trial.
        values: The values of the active hyperparameters, in the space's order.
    """

    number: int
    values: dict[str, Any]


class OptunaStudy:
    """An Optuna study in memory. The same calls in the same order give the same values.

    Args:
        space: The parameters by name.
        directions: ``"max"`` or ``"min"`` of each objective.
        sampler: The name of the sampler's class.
        arguments: The sampler's arguments, without ``seed``.
        seed: The search's seed: the sampler's is ``seed`` mod 2³².
    """

    def __init__(
        self,
        space: Mapping[str, Parameter],
        directions: Sequence[str],
        sampler: str,
        arguments: Mapping[str, Any],
        seed: int,
    ) -> None:
        self.space = space
        # The order of the tables in the file must not matter.
        self._variables = {name: _variable(name, space[name]) for name in parents_first(space)}
        with quiet_optuna():
            self._study = optuna.create_study(
                directions=["maximize" if each == "max" else "minimize" for each in directions],
                sampler=getattr(optuna.samplers, sampler)(**arguments, seed=seed % SEEDS),
            )

    def ask(self, values: Mapping[str, Any] | None = None) -> Proposal:
        """Begin a trial, and return the values that the sampler proposes for it.

        Args:
            values: The values that the trial has, if they are known; the sampler proposes none.
        """
        with quiet_optuna():
            if values is not None:
                self._study.enqueue_trial(
                    {
                        n: v.coordinate_of(values[n])
                        for n, v in self._variables.items()
                        if n in values
                    }
                )
            trial = self._study.ask()
            proposal: dict[str, Any] = {}
            for name, variable in self._variables.items():
                when = self.space[name].when
                if all(parent in proposal and proposal[parent] in any_of(v) for parent, v in when):
                    proposal[name] = variable.value_at(variable.suggest(trial))
        ordered = {name: proposal[name] for name in self.space if name in proposal}
        return Proposal(trial.number, ordered if values is None else dict(values))

    def tell(self, number: int, scores: Sequence[float] | None) -> None:
        """End a trial with its value of each objective; with None it has failed.

        Args:
            number: Optuna's number of the trial.
            scores: The values.
        """
        with quiet_optuna():
            if scores is None:
                self._study.tell(number, state=TrialState.FAIL)
            else:
                self._study.tell(number, scores)


def argument_types(sampler: str) -> dict[str, str]:
    """Return the types of the arguments of a sampler that a TOML file can have, by name.

    Args:
        sampler: The name of the sampler's class.
    """
    parameters = inspect.signature(getattr(optuna.samplers, sampler)).parameters.values()
    types = {p.name: str(p.annotation).removesuffix(" | None") for p in parameters}
    return {name: kind for name, kind in types.items() if kind in TYPES and name != "seed"}


@dataclass(frozen=True)
class _Variable:
    """A parameter in Optuna's coordinates.

    Attributes:
        suggest: Returns the coordinate that a trial proposes.
        value_at: Returns the value at a coordinate.
        coordinate_of: Returns the coordinate of a value.
    """

    suggest: Callable[[Trial], Any]
    value_at: Callable[[Any], Any]
    coordinate_of: Callable[[Any], Any]


def _variable(name: str, parameter: Parameter) -> _Variable:
    """Return a parameter's coordinate.

    A choice is categorical. A range on a linear scale is a float, or a whole number that counts its
    steps from ``low``; on a log scale it is a float or a whole number with Optuna's own log scale.
    On the scale ``one_minus_log`` the coordinate is 1-β, on a log scale. What Optuna does not have,
    steps on a log scale, is the position on the scale, in [0, 1].
    """
    if isinstance(parameter, Choice):
        places = range(parameter.count)
        return _Variable(
            lambda trial: trial.suggest_categorical(name, places),
            lambda place: parameter.values[place],
            lambda value: parameter.values.index(value),
        )
    if parameter.step is not None:
        return _stepped(name, parameter)
    low, high, log = parameter.low, parameter.high, parameter.scale != "linear"
    if parameter.scale == "one_minus_log":
        low, high = 1 - parameter.high, 1 - parameter.low

        def complement(value: float) -> float:
            return 1 - value

    else:

        def complement(value: float) -> float:
            return value

    return _Variable(
        lambda trial: trial.suggest_float(name, low, high, log=log),
        lambda place: min(max(complement(place), parameter.low), parameter.high),
        lambda value: min(max(complement(value), low), high),
    )


def _stepped(name: str, parameter: Range) -> _Variable:
    assert parameter.step is not None and parameter.count is not None
    low, step, count = parameter.low, parameter.step, parameter.count
    if parameter.scale == "linear":
        return _Variable(
            lambda trial: trial.suggest_int(name, 0, count - 1),
            parameter.after,
            lambda value: min(max(round((value - low) / step), 0), count - 1),
        )
    if parameter.scale == "log" and parameter.kind == "int" and step == 1:
        first, last = round(low), round(low) + count - 1
        return _Variable(
            lambda trial: trial.suggest_int(name, first, last, log=True),
            int,
            lambda value: min(max(round(value), first), last),
        )
    return _Variable(
        lambda trial: trial.suggest_float(name, 0.0, 1.0), parameter.value_at, parameter.unit_of
    )
