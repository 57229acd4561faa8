"""Optuna's samplers as strategies: an Optuna study, replayed from the records.

The first trials don't depend on results. After them the trials run in batches of ``parallel``: when
all trials before a batch have ended, the study proposes the batch's trials one after the other, as
if the earlier ones of the batch were running. (`TPESampler` counts running trials among the bad
ones, a constant liar; `GPSampler` computes the improvement over what they may bring; the others
take no notice of them.) After the batch the study gets its scores, in the order of the trials; a
pruned trial's is that of its best epoch.

A sampler has a state, which is not on record. A search that is resumed repeats the proposals of all
trials before, and so reaches the state again: 0.5 s for 96 trials of `TPESampler`, 2.4 s for 300,
and less for the others. But a proposal of `GPSampler` takes some tenths of a second: it is built
again for each batch, with the batch's seed, and learns from the trials on record without proposing
them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.space.discrete import Configuration, configuration_of, new_values
from tfcourse.search.space.sampling import trial_seed
from tfcourse.search.strategies.batches import first_of_batch
from tfcourse.search.strategies.random_search import draw
from tfcourse.search.strategies.study import Memo, Records, Strategy, Study
from tfcourse.types import Hyperparameters

if TYPE_CHECKING:
    from tfcourse.search.engine.optuna_study import OptunaStudy, Proposal

__all__ = ["INITIAL", "OPTUNA", "Replay", "SamplerSettings"]

# The argument that is the number of random trials before a sampler's own, and its default.
INITIAL = {
    "TPESampler": ("n_startup_trials", 10),
    "CmaEsSampler": ("n_startup_trials", 1),
    "GPSampler": ("n_startup_trials", 10),
    "NSGAIISampler": ("population_size", 50),
}

# Samplers whose proposals take much longer than the study needs to read the trials on record.
REBUILT = ("GPSampler",)


@dataclass(frozen=True)
class SamplerSettings:
    """A sampler of Optuna's.

    Attributes:
        name: The name of its class.
        arguments: Its arguments, without ``seed``; the others have Optuna's defaults.
        initial: How many first trials don't depend on results.
    """

    name: str
    arguments: Mapping[str, Any]
    initial: int


@dataclass
class Replay:
    """An Optuna study that has proposed all trials up to a batch, with the scores before it.

    Attributes:
        optuna: Optuna's study.
        first: The number of the batch's first trial.
        batch: The proposals for the batch's trials.
        repetitions: Proposals of the batch whose configurations other trials have.
        scores: The scores of the configurations before the batch; None for one that failed.
    """

    optuna: "OptunaStudy"
    first: int = 0
    batch: list["Proposal"] = field(default_factory=list)
    repetitions: list["Proposal"] = field(default_factory=list)
    scores: dict[Configuration, list[float] | None] = field(default_factory=dict)


def _values(study: Study, trial: int, finished: Records, memo: Memo) -> Hyperparameters:
    """Return the values that the sampler proposes for the trial.

    In a discrete space a sampler may return to a configuration that was tried: the trial then draws
    a new one, and the study gets the configuration's score once more, as Optuna's FAQ recommends.
    """
    first = _dependencies(study, trial).stop
    if first not in memo.batches and _sampler(study).name in REBUILT:
        replay = _begin(study, trial_seed(study.seed, first) if first else study.seed)
        for number in range(first):
            values = _values_on_record(study, finished[number])
            _tell(study, replay, replay.optuna.ask(values), finished[number])
        replay.first = first
        _ask(study, replay, memo)
    while first not in memo.batches:
        if memo.replay is None:
            memo.replay = _begin(study, study.seed)
        else:
            _end_batch(study, memo.replay, finished)
        _ask(study, memo.replay, memo)
    return memo.batches[first][trial - first]


def _begin(study: Study, seed: int) -> Replay:
    """Return a replay without trials."""
    # Importing Optuna takes time, and it is an extra.
    from tfcourse.search.engine.optuna_study import OptunaStudy

    sampler = _sampler(study)
    others = [objective.direction for objective in study.objectives[1:]]
    return Replay(
        OptunaStudy(study.space, [study.direction, *others], sampler.name, sampler.arguments, seed)
    )


def _ask(study: Study, replay: Replay, memo: Memo) -> None:
    """Ask for the batch that begins at ``replay.first``, and keep its values in the memo."""
    space, configurations = study.space, {*replay.scores}
    replay.batch, replay.repetitions = [], []
    for trial in range(replay.first, replay.first + _size_of_batch(study, replay.first)):
        if trial < len(study.start):
            proposal = replay.optuna.ask(draw(study, trial, {}, Memo()))
        else:
            proposal = replay.optuna.ask()
            new = new_values(space, proposal.values, study.seed, trial, configurations)
            if new != proposal.values:
                replay.repetitions.append(proposal)
                proposal = replay.optuna.ask(new)
        configurations.add(configuration_of(space, proposal.values))
        replay.batch.append(proposal)
    memo.batches[replay.first] = [proposal.values for proposal in replay.batch]


def _end_batch(study: Study, replay: Replay, finished: Records) -> None:
    """Give the study the scores of the batch's trials, and move on to the next batch."""
    for trial, proposal in enumerate(replay.batch, replay.first):
        _tell(study, replay, proposal, finished[trial])
    for proposal in replay.repetitions:
        configuration = configuration_of(study.space, proposal.values)
        replay.optuna.tell(proposal.number, replay.scores.get(configuration))
    replay.first += len(replay.batch)


def _tell(study: Study, replay: Replay, proposal: "Proposal", record: TrialRecord) -> None:
    """Give the study a trial's score.

    A trial with other values on record, those of another version of Optuna, counts with the latter.
    """
    values, scores = _values_on_record(study, record), _scores(study, record)
    if not _is_close(values, proposal.values):
        replay.optuna.tell(proposal.number, None)
        proposal = replay.optuna.ask(values)
    replay.optuna.tell(proposal.number, scores)
    replay.scores.setdefault(configuration_of(study.space, values), scores)


def _values_on_record(study: Study, record: TrialRecord) -> dict[str, Any]:
    return {name: value for name, value in record.values.items() if name in study.space}


def _scores(study: Study, record: TrialRecord) -> list[float] | None:
    """Return the value of each objective that the study gets.

    None for a failure, such as a score of infinity.
    """
    values = [record.comparable_score, *(record.value_of(o) for o in study.objectives[1:])]
    if all(value is not None and math.isfinite(value) for value in values):
        return [value for value in values if value is not None]
    if study.settings.failures == "ignore":
        return None
    directions = [study.direction, *(objective.direction for objective in study.objectives[1:])]
    return [math.inf if direction == "min" else -math.inf for direction in directions]


def _is_close(values: Hyperparameters, others: Hyperparameters) -> bool:
    """Return whether values agree to rounding, as those of two machines do."""
    return values.keys() == others.keys() and all(
        math.isclose(value, other, rel_tol=1e-9)
        if isinstance(value, float) and isinstance(other, float)
        else value == other
        for value, other in ((value, others[name]) for name, value in values.items())
    )


def _sampler(study: Study) -> SamplerSettings:
    settings: SamplerSettings = study.settings.sampler_settings
    return settings


def _size_of_batch(study: Study, first: int) -> int:
    return int(study.settings.parallel) if first else _sampler(study).initial


def _dependencies(study: Study, trial: int) -> range:
    """Return the trials before the batch."""
    return range(first_of_batch(trial, _sampler(study).initial, study.settings.parallel))


OPTUNA = Strategy(_values, _dependencies)
