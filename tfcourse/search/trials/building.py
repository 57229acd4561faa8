"""The compiled model of a trial, from its hyperparameters."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir
from functools import partial
from typing import Any

import keras

from tfcourse.data.nested import map_arrays
from tfcourse.data.splits import Split
from tfcourse.errors import InputError
from tfcourse.hyperparameters import OPTIMIZER_ARGUMENTS
from tfcourse.imports import exit_as_error
from tfcourse.internals.layers import reset_automatic_names
from tfcourse.optimizers.schedule import schedule_variables
from tfcourse.search.config.architecture import is_builtin
from tfcourse.search.config.hyperparameters import (
    LEVELS,
    builder_arguments,
    hyperparameters_of,
    optimizer_arguments,
)
from tfcourse.search.config.schedules import is_scheduled
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.trials.compilation import compile_options
from tfcourse.search.trials.model_outputs import check_outputs
from tfcourse.search.trials.precision import dtype_policy
from tfcourse.search.trials.schedules import create_optimizer
from tfcourse.training.reuse.recipe import PureBuild
from tfcourse.training.reuse.seeding import set_seed
from tfcourse.types import Hyperparameters, KerasModel, Optimizer

__all__ = ["build_for", "build_function", "build_trial", "compile_loaded", "compiled_model"]


def build_trial(
    config: SearchConfig, split: Split, values: Hyperparameters, seed: int
) -> KerasModel:
    """Return the compiled model of a trial, whose weights and dropout come from ``seed``.

    Args:
        config: The search.
        split: The data, whose examples and classes the model is for.
        values: The trial's hyperparameters; they take precedence over the config's fixed ones.
        seed: The trial's seed. It is set globally, as the seed of any builder's layers.

    Raises:
        InputError: The builder returned something else than a model with one output for each
            class or number.
    """
    set_seed(seed)
    reset_automatic_names()  # the first AUC() is "auc" in every trial, and not "auc_2"
    return compiled_model(config, split, values)


def compiled_model(config: SearchConfig, split: Split, values: Hyperparameters) -> KerasModel:
    """Return the model of `build_trial` without setting a seed."""
    builder, classes = config.builder, split.classes
    hyperparameters = hyperparameters_of(config.model, config.training, values)
    arguments = builder_arguments(builder, hyperparameters)
    if split.columns is not None and LEVELS in builder.arguments:
        arguments.setdefault(LEVELS, split.columns.index_sizes)
    # A builder of the user's may change the working directory, or call sys.exit.
    with chdir("."), exit_as_error(), dtype_policy(config.training):
        model = builder.function(split.shape, classes, **arguments)
    if not isinstance(model, keras.Model):
        raise InputError(
            f'builder "{builder.name}" must return a keras.Model. Received: {type(model).__name__}.'
        )
    check_outputs(config, model, classes)
    if not builder.compiles:
        model.compile(_create_optimizer(config, hyperparameters), **compile_options(config))
    return model


def build_for(model: KerasModel, shape: Any) -> None:
    """Build a model for examples of a shape, or of a dict of shapes, if it is not built."""
    if not model.built:
        model.build(map_arrays(lambda of_input: (None, *of_input), shape))


def compile_loaded(model: KerasModel, config: SearchConfig, values: Hyperparameters) -> None:
    """Compile a loaded model with the search's loss and metrics, if it comes without them.

    `tfcourse.models.saving.save_model` leaves out those that Keras can't load again.

    Args:
        model: The model of a trial.
        config: The search.
        values: The trial's hyperparameters.
    """
    if model.compiled or config.builder.compiles:
        return
    hyperparameters = hyperparameters_of(config.model, config.training, values)
    optimizer = _create_optimizer(config, hyperparameters)
    model.compile(optimizer, **compile_options(config))


def build_function(
    config: SearchConfig, split: Split, values: Hyperparameters, seed: int
) -> Callable[[], KerasModel]:
    """Return a function that calls `build_trial` with these arguments.

    For tfcourse's own builders it is a `PureBuild`, which knows what the model depends on.
    """

    def build() -> KerasModel:
        return build_trial(config, split, values, seed)

    with dtype_policy(config.training):
        policy = keras.config.dtype_policy().name, keras.config.floatx(), keras.config.epsilon()
    # Where ``compile`` wraps the optimizer to scale the loss, it has more variables than alone.
    if not is_builtin(config.builder) or policy[0] == "mixed_float16":
        return build
    hyperparameters = hyperparameters_of(config.model, config.training, values)
    arguments = builder_arguments(config.builder, hyperparameters)
    rate = arguments.get("dropout")
    if rate:  # a rate of 0 adds no layer
        arguments["dropout"] = True
    name, of_optimizer = optimizer_arguments(hyperparameters)
    # tfcourse's optimizers have all of them in variables, Keras's only the learning rate.
    variable = OPTIMIZER_ARGUMENTS.get(name, ("learning_rate",))
    fixed = sorted((n, value) for n, value in of_optimizer.items() if n not in variable)
    # Hyperparameters that are not set have their defaults in all models of one origin.
    optimizer = name, repr(fixed), tuple(sorted(of_optimizer))
    shared = repr(sorted(arguments.items()))
    shape = repr(split.shape), repr(split.columns and split.columns.index_sizes)
    origin = (config.builder.name, shape, split.classes, shared, optimizer, policy)
    values_of = partial(_optimizer_values, name, is_scheduled(config), of_optimizer)
    return PureBuild(origin, seed, build, values_of, rate or None)


def _optimizer_values(
    name: str,
    scheduled: bool,
    hyperparameters: Mapping[str, Any],
    like: Any,
    initial: Sequence[Any],
) -> Sequence[Any]:
    """Return the values of a new optimizer's variables, for tfcourse's without creating one.

    Args:
        name: The optimizer's name in a config.
        scheduled: Whether it has a `TrainingSchedule`, whose variables come first.
        hyperparameters: Its hyperparameters.
        like: An optimizer of the same origin.
        initial: The first values of the variables of ``like``.
    """
    if name not in OPTIMIZER_ARGUMENTS:
        created = create_optimizer(name, scheduled, hyperparameters)
        return [*schedule_variables(created), *created.variables]
    numbers = [like.assignment(*hyperparameter) for hyperparameter in hyperparameters.items()]
    value_of = {id(variable): value for variable, value in numbers}
    # An optimizer that has trained has its slots after these variables.
    pairs = zip([*schedule_variables(like), *like.variables], initial, strict=False)
    return [value_of.get(id(variable), value) for variable, value in pairs]


def _create_optimizer(config: SearchConfig, hyperparameters: Mapping[str, Any]) -> Optimizer:
    name, of_optimizer = optimizer_arguments(hyperparameters)
    return create_optimizer(name, is_scheduled(config), of_optimizer)
