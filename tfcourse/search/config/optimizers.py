"""The optimizers that a config may name: the course's, and Keras's own as ``keras:NAME``."""

from typing import Any

from tfcourse.hyperparameters import OPTIMIZER_ARGUMENTS

__all__ = ["ALL_ARGUMENTS", "ARGUMENTS", "FLAGS", "create"]

_COMMON = ("weight_decay", "clipnorm")
_ADAM = ("learning_rate", "beta_1", "beta_2", "epsilon")

KERAS_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "keras:sgd": ("learning_rate", "momentum", "nesterov", *_COMMON),
    "keras:rmsprop": ("learning_rate", "rho", "momentum", "epsilon", "centered", *_COMMON),
    "keras:adam": (*_ADAM, "amsgrad", *_COMMON),
    "keras:adamw": (*_ADAM, "amsgrad", *_COMMON),
    "keras:adamax": (*_ADAM, *_COMMON),
    "keras:nadam": (*_ADAM, *_COMMON),
    "keras:adagrad": ("learning_rate", "epsilon", *_COMMON),
    "keras:adadelta": ("learning_rate", "rho", "epsilon", *_COMMON),
    "keras:lion": ("learning_rate", "beta_1", "beta_2", *_COMMON),
    "keras:lamb": (*_ADAM, *_COMMON),
}
# Every optimizer by the name that a config uses, with those of its arguments that it may set.
ARGUMENTS = OPTIMIZER_ARGUMENTS | KERAS_ARGUMENTS
ALL_ARGUMENTS = tuple(dict.fromkeys(name for names in ARGUMENTS.values() for name in names))
# Those that are true or false.
FLAGS = ("nesterov", "centered", "amsgrad")


def create(name: str, **hyperparameters: Any) -> Any:
    """The optimizer that a search config calls ``name``."""
    if name not in KERAS_ARGUMENTS:
        from tfcourse.optimizers.registry import create as create_ours

        return create_ours(name, **hyperparameters)
    import keras

    classes = {key.lower(): value for key, value in vars(keras.optimizers).items()}
    return classes[name.removeprefix("keras:")](**hyperparameters)
