"""Saving models so that they load without tfcourse, and loading them with its parts."""

import io
import json
import logging
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import keras
import numpy as np

# Importing them registers their classes with Keras, which finds them by name.
import tfcourse.layers
import tfcourse.models.many_classes
import tfcourse.optimizers  # noqa: F401  (see above)
from tfcourse.errors import error_line
from tfcourse.internals.layers import flatten_layers
from tfcourse.internals.models import compile_arguments, function_arguments, set_compile_arguments
from tfcourse.losses import keras_loss, smoothed_loss
from tfcourse.models.copies import copy_weights, paired_weights, uncompiled
from tfcourse.models.swap import exchanged_copy
from tfcourse.optimizers.keras_equivalent import is_own_optimizer, keras_equivalent
from tfcourse.types import KerasConfig, KerasModel, Layer

__all__ = ["load_model", "save_model", "why_not_loadable"]

# The parts of a file beside the model of Keras's own layers: the configuration of the model with
# tfcourse's, and its optimizer's variables and further weights.
_CONFIG, _STATE = "tfcourse.json", "tfcourse.npz"
# The configuration of the model of Keras's own layers, in every file of Keras's.
_KERAS_CONFIG = "config.json"

_log = logging.getLogger(__name__)


def load_model(path: str | Path, compile: bool = True) -> KerasModel:
    """Load a model with tfcourse's layers or optimizer, as ``keras.models.load_model`` does.

    The best model of a search, which plain Keras can load too, gets tfcourse's layers and
    optimizer again.

    Args:
        path: A ``.keras`` file.
        compile: Whether to restore the optimizer, loss and metrics too.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            if {_CONFIG, _KERAS_CONFIG} <= {*file.namelist()}:
                config, state = json.loads(file.read(_CONFIG)), file.read(_STATE)
                plain = json.loads(file.read(_KERAS_CONFIG), object_hook=_without_ids)
                return _with_own_parts(path, config, plain, state, compile)
    model: KerasModel = keras.models.load_model(path, compile=compile)
    return model


def save_model(model: KerasModel, path: str | Path) -> None:
    """Save a model so that ``keras.models.load_model`` loads it where tfcourse is not installed.

    There it has Keras's layers, with the same predictions, and Keras's loss. Instead of one of
    tfcourse's optimizers or schedules it has Keras's optimizer of the same hyperparameters, which
    has taken no step; `load_model` returns the model as it was. A model that `swap` can't
    exchange, such as a subclassed one with tfcourse's layers inside, is saved as it is, and loads
    with tfcourse only. A loss or metric of one's own that Keras can't load again is left out, and
    with it the rest of the compilation.

    Args:
        model: A built model.
        path: The ``.keras`` file to write.
    """
    loadable = _has_loadable_compilation(model)
    with _in_its_precision(model), nullcontext() if loadable else uncompiled(model):
        _save(model, path)


def _save(model: KerasModel, path: str | Path) -> None:
    has_layers = any(_is_own(layer) for layer in flatten_layers(model))
    if not has_layers and not _has_own_compilation(model):
        model.save(path)
        return
    plain = model
    if has_layers:
        try:
            plain = exchanged_copy(model, to="keras")
        except Exception as error:
            _log.info('"%s" is saved with tfcourse\'s layers: %s', model.name, error)
            model.save(path)
            return
    config = json.dumps(keras.saving.serialize_keras_object(model))
    with _keras_compilation(plain):
        plain.save(path)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(_CONFIG, config)
        file.writestr(_STATE, _own_state(model, plain))


def why_not_loadable(error: Exception) -> str:
    """Return the message for a model that failed to be saved or loaded, with the remedy."""
    reason = error_line(error)
    return (
        f"model can't be saved and loaded again ({reason}). Give layers of your own get_config and "
        "@keras.saving.register_keras_serializable(), and use no lambda."
    )


def _is_own(layer: Layer) -> bool:
    return any(kind.__module__.startswith("tfcourse.layers.") for kind in type(layer).__mro__)


def _has_own_compilation(model: KerasModel) -> bool:
    """Return True if a model was compiled with a part of tfcourse's that can be exchanged."""
    compiled = bool(model.compiled)
    return compiled and (is_own_optimizer(model.optimizer) or smoothed_loss(model) is not None)


def _has_loadable_compilation(model: KerasModel) -> bool:
    """Return True unless a loss or metric is lost, or becomes another one, when Keras loads it.

    Keras loads functions and classes that are registered, no lambda, and Huber without its delta.
    """
    if not model.compiled:
        return True
    arguments = compile_arguments(model)
    compiled = [arguments.get(key) for key in ("loss", "metrics", "weighted_metrics")]
    for part in keras.tree.flatten(compiled):
        if part is None or isinstance(part, str):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that a lambda can't be loaded
                config = keras.saving.serialize_keras_object(part)
            loaded = keras.saving.deserialize_keras_object(config)
        except Exception:  # Keras raises many, and a get_config of the user's can raise anything
            return False
        if function_arguments(part) != function_arguments(loaded):
            return False
    return True


@contextmanager
def _in_its_precision(model: KerasModel) -> Iterator[None]:
    """Set Keras's global policy to the model's inside, and save an optimizer that scales the loss.

    Keras saves the optimizer that ``compile`` was passed, and wraps it on loading only under a
    global policy of float16.
    """
    before, compiled = keras.config.dtype_policy(), bool(model.compiled)
    scales = compiled and isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    arguments = compile_arguments(model) if scales else {}
    keras.config.set_dtype_policy(model.dtype_policy)
    try:
        if scales:
            set_compile_arguments(model, {**arguments, "optimizer": model.optimizer})
        yield
    finally:
        keras.config.set_dtype_policy(before)
        if scales:
            set_compile_arguments(model, arguments)


@contextmanager
def _keras_compilation(model: KerasModel) -> Iterator[None]:
    """Replace tfcourse's optimizer, schedule and loss in a model by Keras's inside the context.

    If Keras has none, the model is not compiled meanwhile.
    """
    if not _has_own_compilation(model):
        yield
        return
    compiled, optimizer, loss = compile_arguments(model), model.optimizer, smoothed_loss(model)
    plain = optimizer
    if is_own_optimizer(optimizer):
        plain = keras_equivalent(optimizer)
    plain_loss = compiled["loss"] if loss is None else keras_loss(loss)
    try:
        # Without __setattr__, which would track it.
        model.__dict__["optimizer"] = plain
        if plain is None or plain_loss is None:
            model.compiled = False
        else:
            plain.build(model.trainable_variables)
            set_compile_arguments(model, {**compiled, "optimizer": plain, "loss": plain_loss})
        yield
    finally:
        model.__dict__["optimizer"] = optimizer
        set_compile_arguments(model, compiled)
        model.compiled = True


def _own_state(model: KerasModel, plain: KerasModel) -> bytes:
    """Return the optimizer's variables, and the weights that the plain model does not have."""
    arrays = {
        f"weight {i}": weight.numpy()
        for i, weight in enumerate(_unpaired_weights(paired_weights(plain, model), model))
    }
    if model.compiled and model.optimizer is not None and model.optimizer.built:
        model.optimizer.save_own_variables(arrays)
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _with_own_parts(
    path: str | Path, config: KerasConfig, plain_config: KerasConfig, state: bytes, compile: bool
) -> KerasModel:
    """Load the plain model, and convert it to the one that was saved."""
    plain: KerasModel = keras.models.load_model(path, compile=False)
    compiled = config.pop("compile_config", None)
    plain_config.pop("compile_config", None)
    arrays = dict(np.load(io.BytesIO(state), allow_pickle=False))
    if config == plain_config:  # Keras's layers alone: only the compilation was exchanged
        model = plain
    else:
        model = keras.saving.deserialize_keras_object(config)
        for i, weight in enumerate(_unpaired_weights(copy_weights(plain, model), model)):
            weight.assign(arrays.pop(f"weight {i}"))
    if compile and compiled:
        model.compile_from_config(compiled)
        if arrays and model.optimizer is not None:
            model.optimizer.load_own_variables(arrays)
    return model


def _without_ids(config: KerasConfig) -> KerasConfig:
    """Drop the numbers by which Keras has parts share an object, such as a dtype policy."""
    config.pop("shared_object_id", None)
    return config


def _unpaired_weights(pairs: list[tuple[Any, Any]], model: KerasModel) -> list[Any]:
    """Return the weights of a model that are the second of no pair."""
    paired = {id(weight) for _, weight in pairs}
    return [weight for weight in model.weights if id(weight) not in paired]
