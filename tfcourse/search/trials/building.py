"""A trial's values → its compiled model."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir
from functools import partial
from typing import Any

import keras

from tfcourse.errors import InputError
from tfcourse.hyperparameters import OPTIMIZER_ARGUMENTS
from tfcourse.imports import exit_as_error
from tfcourse.internals.layers import reset_automatic_names
from tfcourse.search.config import optimizers
from tfcourse.search.config.architecture import is_ours
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.config.tables import TrainingTable
from tfcourse.search.trials.compilation import keras_metrics
from tfcourse.training.reuse.recipe import PureBuild
from tfcourse.training.reuse.seeding import set_seed

__all__ = ["build_trial", "builds_trial", "compiled_model", "given_values"]


def build_trial(
    config: SearchConfig, values: Mapping[str, Any], seed: int, shape: tuple[int, ...], classes: int
) -> Any:
    """The compiled model of a trial: its weights and dropout come from ``seed``.

    Args:
        config: The search.
        values: The trial's hyperparameters; they win over the config's fixed ones.
        seed: The trial's seed. It is set globally, for any builder's layers to draw from.
        shape: The shape of one example.
        classes: The number of outputs.

    Raises:
        InputError: The builder gave something else than a model with an output a class or number.
    """
    set_seed(seed)
    reset_automatic_names()  # the first AUC() is "auc" in every trial, and not "auc_2"
    return compiled_model(config, values, shape, classes)


def compiled_model(
    config: SearchConfig, values: Mapping[str, Any], shape: tuple[int, ...], classes: int
) -> Any:
    """`build_trial` with whatever seed is set."""
    builder = config.builder
    # A builder of the user's may leave the folder, and the record is there; or call sys.exit.
    with chdir("."), exit_as_error():
        model = builder.function(shape, classes, **_arguments(config, values))
    if not isinstance(model, keras.Model):
        raise InputError(
            f'builder "{builder.name}" must return a keras.Model. Received: {type(model).__name__}.'
        )
    each = "number" if config.targets == "numbers" else "class"
    if model.built and tuple(model.output_shape) != (None, classes):
        raise InputError(
            f'builder "{builder.name}" must give one output a {each}, shape '
            f"{(None, classes)}. Received: {model.output_shape}."
        )
    if not builder.compiles:
        model.compile(
            _optimizer(config, values),
            loss=config.training.loss,
            metrics=keras_metrics(config.training),
        )
    return model


def builds_trial(
    config: SearchConfig, values: Mapping[str, Any], seed: int, shape: tuple[int, ...], classes: int
) -> Callable[[], Any]:
    """What calls `build_trial`; of our own builders it is known what the model depends on."""

    def build() -> Any:
        return build_trial(config, values, seed, shape, classes)

    policy = keras.config.dtype_policy().name, keras.config.floatx(), keras.config.epsilon()
    # Where ``compile`` wraps the optimizer to scale the loss, it has more variables than alone.
    if not is_ours(config.builder) or policy[0] == "mixed_float16":
        return build
    arguments = repr(sorted(_arguments(config, values).items()))
    name, hyperparameters = _optimizer_arguments(config, values)
    # Ours have all of them in variables, Keras's own the learning rate alone.
    variable = OPTIMIZER_ARGUMENTS.get(name, ("learning_rate",))
    fixed = sorted((n, value) for n, value in hyperparameters.items() if n not in variable)
    # Those that are not given have their defaults in all of the same origin.
    optimizer = name, repr(fixed), tuple(sorted(hyperparameters))
    origin = (config.builder.name, shape, classes, arguments, optimizer, policy)
    return PureBuild(origin, seed, build, partial(_optimizer_values, name, hyperparameters))


def given_values(config: SearchConfig, values: Mapping[str, Any]) -> dict[str, Any]:
    """All hyperparameters of a trial: its own win over the config's fixed ones."""
    return config.training.model_dump(exclude_none=True) | config.model.arguments | dict(values)


def _arguments(config: SearchConfig, values: Mapping[str, Any]) -> dict[str, Any]:
    builder = config.builder
    return {
        name: value
        for name, value in given_values(config, values).items()
        if name in builder.arguments
        or (builder.takes_any and name not in TrainingTable.model_fields)
    }


def _optimizer_values(
    name: str, hyperparameters: Mapping[str, Any], like: Any, first: Sequence[Any]
) -> Sequence[Any]:
    """What the variables of a new optimizer hold, of ours without making any."""
    if name not in OPTIMIZER_ARGUMENTS:
        variables: Sequence[Any] = optimizers.create(name, **hyperparameters).variables
        return variables
    numbers = [like.assignment(*hyperparameter) for hyperparameter in hyperparameters.items()]
    own = {id(variable): value for variable, value in numbers}
    # The slots of one that has trained come after them.
    pairs = zip(like.variables, first, strict=False)
    return [own.get(id(variable), value) for variable, value in pairs]


def _optimizer(config: SearchConfig, values: Mapping[str, Any]) -> Any:
    name, hyperparameters = _optimizer_arguments(config, values)
    return optimizers.create(name, **hyperparameters)


def _optimizer_arguments(
    config: SearchConfig, values: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The optimizer's name, and what it is given of the trial's hyperparameters."""
    given = given_values(config, values)
    name = given["optimizer"]
    return name, {n: given[n] for n in optimizers.ARGUMENTS[name] if n in given}
