"""The settings of a config that rule out training its trials in populations."""

import math
from collections.abc import Mapping

from tfcourse.hyperparameters import OPTIMIZER_ARGUMENTS
from tfcourse.search.config.architecture import architectures
from tfcourse.search.config.builders import Builder
from tfcourse.search.config.tables import SearchTable, TrainingTable
from tfcourse.search.space.parameters import Choice, Parameter

__all__ = ["validate_vectorized", "vectorization_obstacles"]


def validate_vectorized(
    search: SearchTable, training: TrainingTable, builder: Builder, space: Mapping[str, Parameter]
) -> list[str]:
    """Return a line for each setting that excludes ``caviar = "population"``, if that is set."""
    if search.caviar != "population":
        return []
    return [
        f'[search] caviar = "population" is not possible with {obstacle} Leave it out, or use '
        'caviar = "auto".'
        for obstacle in vectorization_obstacles(search, training, builder, space)
    ]


def vectorization_obstacles(
    search: SearchTable, training: TrainingTable, builder: Builder, space: Mapping[str, Parameter]
) -> list[str]:
    """Return the settings of a search that no population can have, each with the reason."""
    obstacles = [
        f"[training] {name} = {value}: its members are trained once, on the same data."
        for name, value in (("folds", training.folds), ("repeats", training.repeats))
        if value > 1
    ]
    if search.trial_timeout is not None:
        obstacles.append(
            f"[search] trial_timeout = {search.trial_timeout:g}: its members are trained together, "
            "and end together."
        )
    if training.dtype_policy not in (None, "float32"):
        obstacles.append(
            f'[training] dtype_policy = "{training.dtype_policy}": its members are trained in '
            "float32."
        )
    if training.callbacks:
        obstacles.append("[training] callbacks: each would see all members.")
    if not search.reuse_models:
        obstacles.append("[search] reuse_models = 0: its members share a compiled program.")
    if builder.fit is not None:
        obstacles.append(f'the builder "{builder.name}": its own fit trains one model at a time.')
    if builder.compiles:
        obstacles.append(
            f'the builder "{builder.name}": it compiles its models itself, so that each trial\'s '
            "is another one."
        )
        return obstacles
    searched = space.get("optimizer")
    optimizers = list(searched.values) if isinstance(searched, Choice) else []
    if not optimizers or (searched is not None and searched.when):
        optimizers.append(training.optimizer)
    obstacles += [
        f'the optimizer "{name}", which is none of tfcourse\'s.'
        for name in optimizers
        if name not in OPTIMIZER_ARGUMENTS
    ]
    obstacles += [
        f"[space.{name}]: no two trials have the same value, and each value is another model."
        for name, parameter in space.items()
        if architectures(name, parameter, builder) == math.inf
    ]
    return obstacles
