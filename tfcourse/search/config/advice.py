"""Warnings about a valid config whose settings probably do not have the intended effect."""

from collections.abc import Mapping

from tfcourse.search.config.schedules import schedule_advice
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.config.strategy_tables import CoarseToFineTable, SamplerTable
from tfcourse.search.space.parameters import Choice, Parameter, Range
from tfcourse.search.strategies.hyperband import hyperband_round
from tfcourse.search.strategies.proposals import MODEL_BASED

__all__ = ["advice", "exhaustion"]


def advice(config: SearchConfig) -> list[str]:
    """Return a line for each setting that has no effect or an unlikely one."""
    lines = [*_of_rule(config), *_of_sampler(config), *_of_workers(config), *_of_strategy(config)]
    lines += [*_of_training(config), *schedule_advice(config), *_of_numbers(config.space)]
    search = config.search
    if search.pruning is not None:
        lines += search.pruning.advice(config.trials, search.caviar, search.strategy)
    return [*lines, *exhaustion(config.search.trials, config.trials)]


def exhaustion(trials: int, configurations: int) -> list[str]:
    """Return a line if the space has fewer configurations than the config's number of trials.

    Args:
        trials: ``[search] trials``.
        configurations: The number of trials that there will be.
    """
    if configurations == trials:
        return []
    return [
        f"[search] trials = {trials}, and [space] has {configurations} different "
        f"configurations: the search ends when each was tried once, after {configurations} trials."
    ]


def _of_rule(config: SearchConfig) -> list[str]:
    settings = config.settings
    if not isinstance(settings, CoarseToFineTable):
        return []
    other = "halving" if settings.rule == "posterior" else "posterior"
    return [
        f'[search.coarse_to_fine] {key} has no effect with rule = "{settings.rule}". '
        f'Remove it, or set rule = "{other}".'
        for key in settings.unused
        if key in settings.model_fields_set
    ]


def _of_sampler(config: SearchConfig) -> list[str]:
    settings, strategy = config.settings, config.search.strategy
    if not isinstance(settings, SamplerTable) or settings.sampler_settings.name != "CmaEsSampler":
        return []
    random = [n for n, p in config.space.items() if p.when or isinstance(p, Choice)]
    if not random:
        return []
    return [
        f'[search] strategy "{strategy}": CMA-ES learns nothing about choices and hyperparameters '
        f"with a condition, whose values are random ({', '.join(random)}). "
        'Strategies "tpe" and "gp" do.'
    ]


def _of_workers(config: SearchConfig) -> list[str]:
    workers, strategy = config.search.workers, config.search.strategy
    tables = {"pruning": config.search.pruning}
    tables |= {strategy: config.settings} if strategy in MODEL_BASED else {}
    return [
        f"[search.{name}] parallel = {table.parallel}: after the first trials no more run at a "
        f"time. With workers = {workers}, set it to {workers}."
        for name, table in tables.items()
        if table is not None and isinstance(workers, int) and workers > table.parallel
    ]


def _of_strategy(config: SearchConfig) -> list[str]:
    search, settings = config.search, config.settings
    least, kind = 0, "random"
    if search.strategy == "coarse_to_fine":
        least = settings.trials_per_round
        kind = "quasi-random" if settings.rule == "posterior" else kind
    elif search.strategy == "gp":
        least, kind = settings.initial, "quasi-random"
    elif search.strategy == "bayesian":
        least = settings.initial_of(len(config.space))
    elif isinstance(settings, SamplerTable):
        least = settings.sampler_settings.initial
    elif search.strategy == "hyperband":
        least = hyperband_round(0, config.training.epochs, settings.factor).size
        if hyperband_round(least, config.training.epochs, settings.factor).before is None:
            return [
                f"[training] epochs {config.training.epochs} is less than [search.hyperband] "
                f"factor {settings.factor}: no trial is continued, the search is random."
            ]
    if config.trials > least:
        return []
    return [
        f'[search] strategy "{search.strategy}" begins with {least} {kind} trials. '
        f"With trials = {config.trials} the search is {kind}."
    ]


def _of_training(config: SearchConfig) -> list[str]:
    lines, stopping = [], config.training.early_stopping
    objective, better = config.search.objective, config.direction_of(config.search.objective)
    if better not in (None, config.direction):
        lines.append(
            f'[search] direction "{config.direction}" looks for the worst {objective}: "{better}" '
            "is better."
        )
    if stopping is not None and "epochs" not in config.space:
        first = stopping.start_from_epoch + stopping.patience
        if first >= config.training.epochs:
            lines.append(
                f"[training.early_stopping] can't end a training before epoch {first + 1}. "
                f"With epochs = {config.training.epochs} it has no effect."
            )
    return lines


def _of_numbers(space: Mapping[str, Parameter]) -> list[str]:
    return [
        f"[space.{name}] has one value only, {parameter.low}: step {parameter.step} is larger than "
        "the range."
        for name, parameter in space.items()
        if isinstance(parameter, Range) and parameter.count == 1
    ]
