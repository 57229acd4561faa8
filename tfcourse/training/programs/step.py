"""A model's steps of training and evaluation, as the programs repeat them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import tensorflow as tf

from tfcourse.errors import InputError
from tfcourse.internals.layers import flatten_layers, output_spec
from tfcourse.internals.models import averaged_function, loss_tracker
from tfcourse.optimizers.keras_equivalent import optimizer_parts
from tfcourse.training.programs.finite import all_finite
from tfcourse.training.programs.one_device import on_one_device
from tfcourse.training.programs.replicas import (
    distributed_test_step,
    distributed_train_step,
    is_distributed,
)
from tfcourse.training.programs.trainable import FirstTrainable
from tfcourse.types import KerasModel, KerasTensor, Logs, Nested, Tensor, Variable

__all__ = [
    "Step",
    "check_loop",
    "known_outputs",
    "layer_names",
    "outputs_on",
    "overrides",
    "runs_eagerly",
    "safe_scopes",
    "symbols_of",
    "test_step",
    "train_step",
]


@dataclass(frozen=True)
class Step:
    """A step on a batch, and the facts about it that a loop of such steps needs.

    Attributes:
        call: The step, such as ``model.train_step``.
        result: Reads the metrics after the last step; None where the logs are those that the last
            step returned, as for a model with a step of its own.
        loss: Reads, from the result of a step, a number that is finite only as long as every loss
            was; None if the loss is not looked at.
        weights: The variables that must be finite after the last step.
        layers: The names of the model's layers, for messages.
        safe: Scopes whose operations need none of the checks that XLA leaves out.
        in_range: The names of ``Embedding`` layers whose ids are known to be in range.
    """

    call: Callable[[Nested], Nested]
    result: Callable[[], Logs] | None
    loss: Callable[[Nested], Tensor] | None = None
    weights: Sequence[Variable] = ()
    layers: Sequence[str] = ()
    safe: Sequence[str] = ()
    in_range: Sequence[str] = ()

    def finite(self, logs: Nested) -> Tensor:
        """Return whether the loss is still a finite number, as a tensor."""
        if self.loss is None:
            return tf.constant(True)
        return all_finite([self.loss(logs)])

    def finite_weights(self) -> Tensor:
        """Return whether all weights are finite numbers, as a tensor."""
        return all_finite(self.weights)

    def logs_after(self, logs: Nested) -> Nested:
        """Return the logs after the last step, of which ``logs`` is the result."""
        return logs if self.result is None else self.result()


def train_step(
    model: KerasModel, guarded: bool, trainable: FirstTrainable, in_range: Sequence[str] = ()
) -> Step:
    """Return the step ``model.train_step`` (a ``GradientTape`` step, or the model's own).

    A model's own step returns its own logs; after Keras's, the metrics are read once at the end.

    Args:
        model: A compiled model.
        guarded: Whether the loop ends when the loss is not a finite number, and checks the
            weights when it ends.
        trainable: That of the compiled model; a step of its own may set ``trainable`` itself.
        in_range: The attribute of `Step`.
    """
    own = overrides(model, "train_step")
    result = None if own or overrides(model, "compute_metrics") else model.get_metrics_result
    if is_distributed(model):
        call = distributed_train_step(model, own, logs=result is None)
    else:
        call = on_one_device(model.train_step, model)
    call = call if own else trainable.wrap(call, model)
    loss, weights = None, []
    if guarded:
        loss = _logged_loss if own else lambda _: loss_tracker(model).total
        weights = model.trainable_variables
    safe = safe_scopes(model, "train_step")
    return Step(call, result, loss, weights, layer_names(model), safe, in_range)


def test_step(model: KerasModel, in_range: Sequence[str] = ()) -> Step:
    """Return the step ``model.test_step``, Keras's or the model's own."""
    own = overrides(model, "test_step") or overrides(model, "compute_metrics")
    call = distributed_test_step(model, logs=own) if is_distributed(model) else model.test_step
    result = None if own else model.get_metrics_result
    safe = safe_scopes(model, "test_step")
    return Step(call, result, layers=layer_names(model), safe=safe, in_range=in_range)


def safe_scopes(model: KerasModel, step: str) -> list[str]:
    """Return the scopes whose indices are in range by construction, "" for outside of any scope.

    They are those of the optimizers, and "" if only Keras's own step and metrics work there. An IoU
    of labels takes classes that may not exist.
    """
    optimizer = getattr(model, "optimizer", None)
    scopes = [] if optimizer is None else [part.name for part in optimizer_parts(optimizer)]
    metrics = [m for each in model.metrics for m in (each, *getattr(each, "metrics", ()))]
    of_labels = keras.metrics.IoU, keras.metrics.MeanIoU
    are_keras = all(
        # Keras averages a function of the user's in a metric of its own.
        type(metric).__module__.startswith("keras.")
        and getattr(averaged_function(metric), "__module__", "").startswith("keras.")
        and type(metric) not in of_labels
        for metric in metrics
    )
    own = any(overrides(model, name) for name in (step, "compute_metrics", "compute_loss"))
    return [*scopes, ""] if are_keras and not own else scopes


def layer_names(model: KerasModel) -> list[str]:
    """Return the names of the model's layers, and of those inside them."""
    return [layer.name for layer in flatten_layers(model, include_self=False)]


def outputs_on(
    model: KerasModel, call: Callable[..., Nested], batch: Nested, **options: bool
) -> Nested:
    """Return symbols of the outputs of a model, or its step; create variables still missing.

    Args:
        model: The model.
        call: The model or its step.
        batch: The input of the call, or symbols of it.
        **options: Arguments of the call, such as ``training``.
    """

    with model.distribute_strategy.scope():
        return output_spec(call, symbols_of(batch), **options)


def symbols_of(batch: Nested) -> Nested:
    """Return symbols of the shapes and types of a batch."""

    def symbol(leaf: Tensor | KerasTensor | None) -> KerasTensor | None:
        if leaf is None:
            return None
        return keras.KerasTensor(leaf.shape, keras.backend.standardize_dtype(leaf.dtype))

    return keras.tree.map_structure(symbol, batch)


def known_outputs(model: KerasModel) -> Nested:
    """Return the symbols of what a model made of layers returns; None for others."""
    if not (type(model).call.__module__.startswith("keras.") and getattr(model, "outputs", None)):
        return None
    outputs = model.outputs[0] if isinstance(model, keras.Sequential) else model.output
    # A model of a list of one returns that one.
    single = isinstance(outputs, list | tuple) and len(outputs) == 1
    return outputs[0] if single else outputs


def runs_eagerly(model: KerasModel) -> bool:
    """Return True if the model's steps are to run as plain Python, for debugging."""
    return bool(model.run_eagerly) or tf.config.functions_run_eagerly()


def overrides(model: KerasModel, name: str, base: type = keras.Model) -> bool:
    """Return True if the model, or its class, has its own method in place of its base's."""
    return getattr(getattr(model, name), "__func__", None) is not getattr(base, name)


def check_loop(model: KerasModel, name: str, instead: str) -> None:
    """Check that a model leaves the loop over its steps to this library.

    Args:
        model: The model.
        name: Keras's method that makes the loop, such as ``make_train_function``.
        instead: The method to call if the model has a loop of its own, for the message.

    Raises:
        InputError: The model overrides the method.
    """
    if overrides(model, name):
        raise InputError(
            f"The model has its own {name}, and with it a loop that would not be run here. Call "
            f"{instead}, or put into the model's step what it does."
        )


def _logged_loss(logs: Nested) -> Tensor:
    loss = logs.get("loss") if isinstance(logs, dict) else None
    return tf.constant(0.0) if loss is None else tf.cast(loss, "float32")
