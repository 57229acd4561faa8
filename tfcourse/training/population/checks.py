"""The checks of a population's model and members before the training."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from tfcourse.errors import InputError, one_of, shown
from tfcourse.hyperparameters import HYPERPARAMETERS, check
from tfcourse.internals.layers import flatten_layers
from tfcourse.internals.optimizers import HOOKS, learning_rate_source
from tfcourse.layers import BatchNorm, SoftmaxHead
from tfcourse.layers.dropout import Dropout
from tfcourse.losses import smoothed_loss
from tfcourse.optimizers.base import CourseOptimizer
from tfcourse.optimizers.schedule import TrainingSchedule, schedule_of
from tfcourse.training.data.inputs import check_sizes
from tfcourse.training.population.member import Member
from tfcourse.training.population.step import DROPOUT, SMOOTHING
from tfcourse.training.programs.step import overrides
from tfcourse.types import KerasModel, Layer, Optimizer

__all__ = ["check_members", "check_model"]

# The layers that can be vectorized, and have been compared with the model trained alone.
LAYERS = (
    BatchNorm,
    Dropout,
    SoftmaxHead,
    *(
        getattr(keras.layers, name)
        for name in (
            "InputLayer", "Identity", "Dense", "EinsumDense", "Embedding",
            "BatchNormalization", "LayerNormalization", "RMSNormalization", "UnitNormalization",
            "Dropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization",
            "Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax",
            "Flatten", "Reshape", "Permute", "RepeatVector", "Rescaling",
            "GlobalAveragePooling1D", "GlobalMaxPooling1D",
            "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot",
        )
    ),
)  # fmt: skip
OPTIONS = (
    "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "use_ema", "loss_scale_factor",
    "gradient_accumulation_steps",
)  # fmt: skip
# The methods of an optimizer that the program replaces; it calls its `step`.
UPDATE = (
    "build", "apply", "apply_gradients", "update_step", "assign", "assign_sub", "scale_loss",
    "finalize_variable_values", *HOOKS,
)  # fmt: skip
METHODS = ("train_step", "test_step", "compute_loss", "compute_metrics")
ALONE = "Train it with tfcourse.fit"


def check_model(model: KerasModel) -> None:
    """Check that a population can train models like this one.

    Raises:
        InputError: It can't; the message names the layer or the option.
    """
    if not isinstance(model, keras.Model):
        raise InputError(
            "build must be a compiled keras.Model, or a function that returns one. "
            f"Received: {type(model).__name__}."
        )
    if getattr(model, "optimizer", None) is None or not model.compiled:
        raise InputError(
            "fit_population needs a compiled model. Call model.compile(optimizer, loss, metrics) "
            "in build."
        )
    _check_optimizer(model.optimizer)
    if model.run_eagerly:
        raise InputError("run_eagerly=True does not work in a population, which is one program.")
    for layer in flatten_layers(model):
        _check_layer(layer)


def _check_optimizer(optimizer: Optimizer) -> None:
    if not isinstance(optimizer, CourseOptimizer):
        raise InputError(
            f"A population's optimizer must be one of tfcourse's. Received: {_kind(optimizer)}. "
            f"Take tfcourse.GradientDescent, Momentum, RMSprop or Adam. {ALONE} to keep it."
        )
    for method in UPDATE:
        if overrides(optimizer, method, CourseOptimizer):
            raise InputError(
                f"A population can't have an optimizer whose {method} is its own "
                f"({type(optimizer).__name__}). Override step in its place. {ALONE} to keep it."
            )
    for option in OPTIONS:
        if getattr(optimizer, option, None):
            raise InputError(
                f"A population can't have an optimizer with {option}. Leave it out. {ALONE} to "
                "keep it."
            )


def _check_layer(layer: Layer) -> None:
    name = f'layer "{layer.name}" ({type(layer).__name__})'
    if isinstance(layer, keras.Model):
        # A Functional or Sequential model; its own layers come next.
        if any(overrides(layer, method) for method in METHODS) or not type(
            layer
        ).call.__module__.startswith("keras."):
            raise InputError(
                f'A population can\'t train the model "{layer.name}" ({type(layer).__name__}), '
                f"which has methods of its own. {ALONE}."
            )
        return
    if type(layer) not in LAYERS:
        raise InputError(f"A population can't train the {name}: it can't be vectorized. {ALONE}.")
    if layer.quantization_mode == "float8":
        raise InputError(
            f"A population can't train the {name} in float8, whose scales Keras's optimizer sets "
            f"from their gradients. {ALONE}, or without quantize()."
        )
    if layer.compute_dtype != layer.variable_dtype:
        raise InputError(
            f"A population can't train the {name} in mixed precision ({layer.dtype_policy.name}). "
            f'Build it with dtype="float32". {ALONE} to keep it.'
        )


def _kind(value: object) -> str:
    return f"{type(value).__module__.split('.')[0]}'s {type(value).__name__}"


def check_members(members: object, model: KerasModel) -> list[Member]:
    """Return the members as a list, each with valid hyperparameters.

    Raises:
        InputError: There are none, or one is wrong; the message has its number.
    """
    if not isinstance(members, Sequence) or not members:
        raise InputError(
            "members must be a list of at least one tfcourse.Member. Received: "
            f"{'an empty one' if isinstance(members, Sequence) else type(members).__name__}."
        )
    for number, member in enumerate(members):
        if not isinstance(member, Member):
            raise InputError(
                f"members must be of tfcourse.Member. Received: {shown(member)} at index {number}."
            )
        try:
            _check_member(member, model)
        except ValueError as error:
            raise InputError(f"Member {number}: {error}") from None
    return list(members)


def _check_member(member: Member, model: KerasModel) -> None:
    seed, optimizer = member.seed, model.optimizer
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise InputError(f"seed must be a whole number in [0, 2**32). Received: {shown(seed)}.")
    if member.epochs is not None:
        check_sizes(epochs=member.epochs)
    if not isinstance(member.hyperparameters, Mapping):
        raise InputError(
            'hyperparameters must be a dict such as {"learning_rate": 0.01}. Received: '
            f"{shown(member.hyperparameters)}."
        )
    names = ["learning_rate", *optimizer.hyperparameters]
    if any(isinstance(layer, Dropout) for layer in flatten_layers(model)):
        names.append(DROPOUT)
    if smoothed_loss(model) is not None:
        names.append(SMOOTHING)
    schedule = schedule_of(optimizer)
    if schedule is not None:
        names += [name for name in schedule.parameters if name not in names]
    for name, value in member.hyperparameters.items():
        if name not in names:
            raise InputError(one_of(f"a hyperparameter of {type(optimizer).__name__}", name, names))
        if name == DROPOUT:
            if not (HYPERPARAMETERS[DROPOUT].admits(value) and value):
                raise InputError(f"dropout must be a number in (0, 1). Received: {shown(value)}.")
            continue
        if name == SMOOTHING:
            check(SMOOTHING, value, "SmoothedCrossentropy")
            continue
        source = learning_rate_source(optimizer)
        if name == "learning_rate" and not isinstance(source, keras.Variable | TrainingSchedule):
            raise InputError(
                "learning_rate can't differ where the optimizer has a schedule. Compile the model "
                "with a number."
            )
        optimizer.assignment(name, value)
