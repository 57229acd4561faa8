"""The course's numerical check of a gradient, for functions and Keras models (course 5.8)."""

import inspect
import math
import numbers
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfcourse.data.frames import as_array
from tfcourse.errors import InputError, shown
from tfcourse.hyperparameters import is_number
from tfcourse.internals.models import compiled_loss
from tfcourse.models.differences import derivatives
from tfcourse.models.float64 import model_cost, trace
from tfcourse.models.gradient_result import (
    PASS,
    Difference,
    GradientCheck,
    gradient_check_result,
)
from tfcourse.models.graph import is_batch_norm, named_layers
from tfcourse.notices import working
from tfcourse.types import KerasModel, LossLike, Nested, SampleWeight

__all__ = ["Difference", "GradientCheck", "gradient_check"]


def gradient_check(
    model_or_function: KerasModel | Callable[..., Any],
    x: Nested,
    y: Nested = None,
    *,
    sample_weight: SampleWeight = None,
    loss: LossLike | None = None,
    training: bool = False,
    epsilon: float = 1e-5,
    max_parameters: int = 1000,
    seed: int = 0,
    verbose: int | str = "auto",
) -> GradientCheck:
    """Compare a gradient with two-sided differences of the cost, in float64.

    For a parameter θ of the cost J, ``approx = (J(θ+ε) - J(θ-ε)) / (2ε)``; over all of them
    ``ratio = ‖approx - grad‖₂ / (‖approx‖₂ + ‖grad‖₂)``. Below 1e-7 is a pass, above 1e-5
    suspicious: then look at ``result.worst``.

    The model does not change. It is computed in float64, also if it was built in float32, by
    tracing it once with float64 weights; every evaluation has the same dropout masks and moving
    statistics. A few examples are enough (batch norm needs several), and the fastest.

    At a kink (ReLU at 0, ``|x|``, max pooling) a difference across it is no derivative. If the
    two differ, the step is therefore made 100 times smaller; if J still has a kink there and the
    gradient lies between the slopes of both sides, the parameter is excluded and counted in
    ``result.kinks``. If there are many, as with inputs and biases of exactly 0, check at other
    weights or inputs.

    Args:
        model_or_function: A built Keras model, whose trainable weights are the parameters; or a
            function of tensors that returns a scalar, with the gradient of ``tf.GradientTape``.
        x: The model's inputs: an array, or a list or dict of them. Or the function's argument; a
            list or tuple is several arguments.
        y: The model's labels.
        sample_weight: The weights of the model's examples.
        loss: The model's loss, as ``compile`` takes it, for a model that is not compiled, or
            instead of its own. Regularization counts in either case.
        training: Whether to call the model as in training: dropout, batch norm by the batch.
        epsilon: The step, times ``max(1, |θ|)``. For seven small nets with right gradients 1e-5
            gave ratios of 3e-11 to 3e-10. The course's 1e-7 gave 1e-9 to 2e-8, nearer to failing,
            for J is rounded; 1e-4 gave up to 2e-8, for J is curved.
        max_parameters: The largest number of parameters to check, with two evaluations each. Of
            more, a sample is drawn, of the same size for each variable that has that many.
        seed: The seed of the sample, a whole number >= 0.
        verbose: 0 to say nothing on stderr where the check takes longer than a second.

    Raises:
        InputError: An argument is wrong; the cost is not a finite scalar, is random, or is not
            computed in float64; the model is not built, has no loss, or no trainable weights.

    Source: course section 5.8.
    """
    _check_numbers(epsilon, max_parameters, seed)
    if isinstance(model_or_function, keras.Model):
        _check_model(model_or_function, x, y, sample_weight, loss, training)
        what = f'model "{model_or_function.name}"'
        function, names, values = model_cost(model_or_function, x, y, sample_weight, loss, training)
    else:
        model_arguments = {
            "y": y,
            "sample_weight": sample_weight,
            "loss": loss,
            "training": training,
        }
        _check_function(function := model_or_function, model_arguments)
        what = f'function "{getattr(function, "__name__", type(function).__name__)}"'
        names, values = _arguments(function, x)
    if len(names) > max_parameters:
        raise InputError(
            "gradient_check: max_parameters must be at least the number of variables, "
            f"{len(names)}, so that each is checked. Received: {shown(max_parameters)}."
        )
    cost = trace(what, function, names, values)
    places = _sample([value.size for value in cost.values], max_parameters, seed)
    checked = sum(len(place) for place in places)
    with working(f"gradient_check: {checked} parameters", disable=verbose == 0):
        computed = derivatives(what, cost, places, float(epsilon), PASS)
    return gradient_check_result(cost, computed, float(epsilon))


def _sample(sizes: list[int], limit: int, seed: int) -> list[Any]:
    """Draw flat indices into each variable: all of a small one, equally many of each other one."""
    places: list[Any] = [None] * len(sizes)
    for position, k in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        count = min(sizes[k], limit // (len(sizes) - position))
        limit -= count
        rng = np.random.default_rng([seed, k])
        places[k] = np.sort(rng.choice(sizes[k], count, replace=False, shuffle=False))
    return places


def _check_function(function: Callable[..., Any], arguments: dict[str, Any]) -> None:
    if isinstance(function, keras.Layer) or not callable(function):
        hint = " Wrap the layer: keras.Sequential([layer])." if callable(function) else ""
        raise InputError(
            "gradient_check: model_or_function must be a Keras model or a function of tensors. "
            f"Received: {shown(function)}.{hint}"
        )
    if wrong := [
        name for name, value in arguments.items() if value is not None and value is not False
    ]:
        raise InputError(
            f"gradient_check: {wrong[0]} is for a model. For a function give its parameters in x, "
            "and let the rest be inside: lambda w, b: cost(w, b, data)."
        )


def _arguments(function: Callable[..., Any], x: Nested) -> tuple[list[str], list[Any]]:
    """Return the names of the arguments, from the signature if it has them, and their values."""
    several = isinstance(x, list | tuple)
    try:
        values = [as_array(value, "x").astype(np.float64) for value in (x if several else [x])]
    except (TypeError, ValueError):
        values = []
    if not sum(value.size for value in values):
        raise InputError(
            "gradient_check: x must be the function's parameter, an array of numbers, or a list "
            f"of several. Received: {shown(x)}."
        )
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(names) < len(values):
        names = [f"x[{n}]" for n in range(len(values))] if several else ["x"]
    return names[: len(values)], values


def _check_numbers(epsilon: float, max_parameters: int, seed: int) -> None:
    if not is_number(epsilon) or not 0 < epsilon < math.inf:
        raise InputError(
            f"gradient_check: epsilon must be a number > 0. Received: {shown(epsilon)}."
        )
    for name, value, least in (("max_parameters", max_parameters, 1), ("seed", seed, 0)):
        if not is_number(value, numbers.Integral) or value < least:
            raise InputError(
                f"gradient_check: {name} must be a whole number >= {least}. "
                f"Received: {shown(value)}."
            )


def _check_model(
    model: KerasModel,
    x: Nested,
    y: Nested,
    sample_weight: SampleWeight,
    loss: LossLike | None,
    training: object,
) -> None:
    if not isinstance(training, bool):
        message = f"gradient_check: training must be True or False. Received: {shown(training)}."
        raise InputError(message)
    if not model.built:
        raise InputError(
            f'gradient_check: model "{model.name}" must be built, so that it has weights. Call it '
            "on a batch, or give it a keras.Input."
        )
    _check_layers(model, training)
    if not model.trainable_weights:
        raise InputError(
            f'gradient_check: model "{model.name}" must have trainable weights. Received: none; '
            "look for trainable=False."
        )
    own = type(model).compute_loss is not keras.Model.compute_loss
    if loss is None and not model.compiled and not own:
        raise InputError(
            f'gradient_check: model "{model.name}" must have a loss. Compile it, or give '
            'loss="mse" or the like.'
        )
    if y is None and (loss is not None or compiled_loss(model) is not None):
        raise InputError(
            "gradient_check: y must be the labels that the loss takes. Received: None."
        )
    lengths: dict[str, list[int]] = {}
    for name, data in (("x", x), ("y", y), ("sample_weight", sample_weight)):
        for leaf in tf.nest.flatten(data) if data is not None else ():
            if not np.ndim(leaf):
                raise InputError(
                    f"gradient_check: {name} must be an array, or a list or dict of arrays. "
                    f"Received: {shown(data)}."
                )
            lengths.setdefault(name, []).append(len(leaf))
    if len({n for own in lengths.values() for n in own}) != 1 or not lengths["x"][0]:
        received = ", ".join(f"{name} of {own}" for name, own in lengths.items())
        raise InputError(
            "gradient_check: x, y and sample_weight must be of one length, at least 1. Received: "
            f"{received.replace('[', '').replace(']', '')}."
        )


def _check_layers(model: KerasModel, training: bool) -> None:
    """Raise InputError for layers whose gradient is by design not that of the cost."""
    quantized = [n for n, layer in named_layers(model) if layer.quantization_mode]
    if quantized:
        raise InputError(
            f'gradient_check: model "{model.name}" must not be quantized, since rounding has no '
            f'derivative. Received: quantized layer "{quantized[0]}". Check the model before '
            "quantize()."
        )
    renormalized = [n for n, part in named_layers(model) if is_batch_norm(part) and part.renorm]
    if training and renormalized:
        raise InputError(
            "gradient_check: training must be False for batch renormalization, whose r and d are "
            "constants to the gradient and not to the cost. Received: True, and "
            f'"{renormalized[0]}".'
        )
