"""Losses, metrics and callbacks that a config names: Keras's, or one's own.

One's own are ``package.module:name``, or objects that `tfcourse.Search` was passed.
"""

import inspect
import re
import sys
from collections.abc import Mapping
from typing import Any

from tfcourse.errors import InputError, error_text, shown
from tfcourse.imports import load_function
from tfcourse.quiet import quiet_start
from tfcourse.search.code.model_config import without_addresses
from tfcourse.search.config.builders import object_name
from tfcourse.types import LossLike, MetricLike

__all__ = [
    "Objects",
    "is_importable",
    "is_metric_object",
    "is_own",
    "load_part",
    "metric_name",
    "part_name",
    "resolve_loss",
    "resolve_metric",
    "snake_case",
]

# The objects that `tfcourse.Search` was passed, by their names in the config.
Objects = Mapping[str, object]


def is_own(entry: str) -> bool:
    """Return True for ``package.module:name``, False for one of Keras's names."""
    return ":" in entry


def metric_name(entry: str) -> str:
    """Return the name of a metric in a history; ``package.module:name`` is ``name``."""
    return entry.rpartition(":")[2]


def snake_case(name: str) -> str:
    """Return the name of a class of Keras's as Keras writes it: ``"r2_score"`` for "R2Score"."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def load_part(entry: str, key: str, objects: Objects) -> Any:
    """Return the object of ``package.module:name``, or the one that `tfcourse.Search` was passed.

    Args:
        entry: The name in the config.
        key: The config's key, for the message.
        objects: The objects that were passed.

    Raises:
        InputError: As from `tfcourse.imports.load_function`.
    """
    return objects[entry] if entry in objects else load_function(entry, key)


def is_importable(name: str, value: object) -> bool:
    """Return True if another process finds the object by its name, ``package.module:name``."""
    module, _, attribute = name.partition(":")
    is_module = module in sys.modules and module != "__main__"
    return is_module and getattr(sys.modules[module], attribute, None) is value


def part_name(value: object) -> str:
    """Return the name in a config of an object: that of its class, its arguments and its own name.

    ``"keras.src.losses.losses:Huber(delta=2.0)"``: with other arguments it is another search.
    """
    if inspect.isfunction(value):
        return f"{value.__module__}:{value.__name__}"
    if not isinstance(value, type) and hasattr(value, "set_model"):  # a callback
        plain = (bool, int, float, str)
        public = {k: v for k, v in vars(value).items() if not k.startswith("_")}
        simple = {k: v for k, v in public.items() if isinstance(v, plain)}
        text = ", ".join(f"{key}={simple[key]!r}" for key in sorted(simple))
        return without_addresses(f"{object_name(value)}({text})")
    if isinstance(value, type) or not hasattr(value, "get_config"):
        return object_name(value)
    from tfcourse.internals.models import function_arguments

    try:
        arguments = {**value.get_config(), **(function_arguments(value) or {})}
    except Exception:  # of a function in it that Keras can't write down
        arguments = {}
    defaults = {n: p.default for n, p in inspect.signature(type(value)).parameters.items()}
    without = {"name", "fn", "dtype"}
    pairs = [
        f"{key}={arguments[key]!r}"
        for key in sorted(arguments.keys() - without)
        if key not in defaults or repr(arguments[key]) != repr(defaults[key])
    ]
    text = without_addresses(f"{object_name(value)}({', '.join(pairs)})")
    return f"{text}:{getattr(value, 'name', '')}" if _is_metric(value) else text


def resolve_loss(entry: str, objects: Objects) -> LossLike:
    """Return the loss of an entry as ``compile`` takes it; Keras's own by its name.

    Args:
        entry: Keras's name, or ``package.module:name`` of a function ``loss(y_true, y_pred)``, an
            instance of ``keras.losses.Loss``, or a class of it that is made without arguments.
        objects: The objects that `tfcourse.Search` was passed.

    Raises:
        InputError: There is no such loss, or it is no loss.
    """
    if not is_own(entry):
        _check_keras_name(entry, "losses")
        return entry
    value = _instance(load_part(entry, "loss", objects), entry, "loss")
    _check_takes_targets(value, entry, "loss")
    loss: LossLike = value
    return loss


def resolve_metric(entry: str, objects: Objects) -> MetricLike:
    """Return the metric of an entry as ``compile`` takes it, with `metric_name` as its name.

    An instance of ``keras.metrics.Metric`` is used as it is, in all trials of a process, as a copy
    would lack arguments that its config leaves out. It is reset here: Keras does not before the
    first epoch of a model.

    Args:
        entry: Keras's name, or ``package.module:name`` of a function ``metric(y_true, y_pred)``,
            an instance of ``keras.metrics.Metric`` or a class of it.
        objects: The objects that `tfcourse.Search` was passed.

    Raises:
        InputError: There is no such metric, or it is no metric.
    """
    if not is_own(entry):
        return _keras_metric(entry)
    value, name = load_part(entry, "metrics", objects), metric_name(entry)
    if isinstance(value, type) and "name" in inspect.signature(value).parameters:
        metric: Any = _instance(value, entry, "metrics", name=name)
    else:
        metric = _instance(value, entry, "metrics")
    if _is_metric(metric):
        metric.name = name
        metric.reset_state()
        return metric  # type: ignore[no-any-return]  # the user's
    _check_takes_targets(metric, entry, "metrics")
    from keras.metrics import MeanMetricWrapper

    return MeanMetricWrapper(metric, name=name)


def is_metric_object(entry: str, objects: Objects) -> bool:
    """Return True if the entry is an instance of ``keras.metrics.Metric``, which has a state.

    Args:
        entry: An entry that `resolve_metric` takes.
        objects: The objects that `tfcourse.Search` was passed.
    """
    if not is_own(entry):
        return False
    value = load_part(entry, "metrics", objects)
    return not isinstance(value, type) and _is_metric(value)


def _keras_metric(entry: str) -> MetricLike:
    """Return a new metric of Keras's, which is no short name of one, such as "MeanIoU"."""
    _check_keras_name(entry, "metrics")
    import keras

    try:
        metric: Any = keras.metrics.get(entry)
    except TypeError as error:
        raise InputError(
            f'metrics: "{entry}" can\'t be made without arguments ({error_text(error)}). Name an '
            'instance of it: "package.module:instance".'
        ) from error
    metric.name = entry
    return metric  # type: ignore[no-any-return]  # Keras has no types


def _check_keras_name(entry: str, kind: str) -> None:
    """Raise InputError if Keras has no loss or metric of this name."""
    with quiet_start():
        import keras
    try:
        getattr(keras, kind).get(entry)
    except TypeError:  # it needs arguments
        return
    except ValueError as error:
        raise InputError(f'{kind}: Keras has no "{entry}".') from error


def _instance(value: object, entry: str, key: str, **arguments: str) -> Any:
    """Return a new instance of a class, made with the arguments; other objects as they are."""
    if not isinstance(value, type):
        return value
    try:
        return value(**arguments)
    except Exception as error:
        raise InputError(
            f'{key}: "{entry}" can\'t be made without arguments ({error_text(error)}). Name an '
            'instance of it: "package.module:instance".'
        ) from error


def _check_takes_targets(value: object, entry: str, key: str) -> None:
    """Raise InputError if a function can't be called with targets and predictions."""
    if not callable(value):
        raise InputError(f'{key}: "{entry}" must be a function. Received: {shown(value)}.')
    try:
        inspect.signature(value).bind(None, None)
    except TypeError:
        received = inspect.signature(value)
        raise InputError(
            f'{key}: "{entry}" must take (y_true, y_pred). Received: {received}.'
        ) from None
    except ValueError:  # no signature, as of a function in C
        return


def _is_metric(value: object) -> bool:
    return hasattr(value, "update_state") and hasattr(value, "result")
