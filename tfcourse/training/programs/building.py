"""The variables of a model, created before the compiled loop, which can create none."""

from collections.abc import Mapping

import keras
import tensorflow as tf

from tfcourse.internals.layers import flatten_layers, output_spec
from tfcourse.internals.models import (
    build_on_symbols,
    compiled_loss,
    compiled_metrics,
    finish_building,
)
from tfcourse.internals.tensorflow import function_graph
from tfcourse.training.programs.one_device import on_one_device
from tfcourse.training.programs.program_cache import program_cache
from tfcourse.training.programs.replicas import is_distributed
from tfcourse.training.programs.step import (
    known_outputs,
    outputs_on,
    overrides,
    runs_eagerly,
    symbols_of,
)
from tfcourse.types import KerasModel, KerasTensor, Metric, Nested, Tensor

__all__ = ["build_state"]


def build_state(model: KerasModel, batch: Nested, validation: Nested = None) -> None:
    """Create all variables (weights, loss, metrics, optimizer) on symbols of a batch's shape.

    No variable can be created inside the compiled loop. Keras's fit does the same before its
    first step.

    Args:
        model: A compiled model.
        batch: A batch of the training's data, or symbols of one.
        validation: A batch of the validation's data, or symbols; None without a validation.
    """
    traced = _trace_own_steps(model, {"train_step": batch, "test_step": validation})
    if overrides(model, "call") or not overrides(model, "train_step"):
        try:
            with model.distribute_strategy.scope():
                if runs_eagerly(model):
                    _build_without_symbols(model, batch)
                elif not _build_from_shapes(model, batch):
                    build_on_symbols(model, batch)
        except Exception:
            # A step of the model's own need not call the model, or not on these inputs.
            if "train_step" not in traced and not _is_own_eager_step(model):
                raise
    if traced:
        program_cache(model).traced_steps |= traced


def _is_own_eager_step(model: KerasModel) -> bool:
    return runs_eagerly(model) and overrides(model, "train_step")


def _build_without_symbols(model: KerasModel, batch: Nested) -> None:
    """Create the variables without a call of losses and metrics, which may look at values.

    A model whose layers do so is called on the batch, if that holds values.
    """
    x, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
    parts = [part for part in (compiled_metrics(model), compiled_loss(model)) if part is not None]
    if not all(part.built for part in (*flatten_layers(model), *parts)):
        try:
            y_pred = outputs_on(model, model, x, training=False)
        except Exception:
            if any(isinstance(leaf, keras.KerasTensor) for leaf in keras.tree.flatten(x)):
                raise
            y_pred = model(x, training=False)
        for part in parts:
            if not part.built:
                part.build(y, y_pred)
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    finish_building(model)


def _build_from_shapes(model: KerasModel, batch: Nested) -> bool:
    """Create the variables of a model of layers with one output, without a call of it.

    The output's shape is known, and a loss and averages of metrics need no more. The call on
    symbols takes a tenth of the time of a small model's first training.

    Returns:
        False if the call is needed, and nothing has been created.
    """
    output = known_outputs(model)
    own = any(overrides(model, name) for name in ("compute_metrics", "compute_loss"))
    if output is None or own or is_distributed(model):
        return False
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(symbols_of(batch))
    single = not (keras.tree.is_nested(y) or keras.tree.is_nested(output))
    if not (single and all(layer.built for layer in flatten_layers(model))):
        return False
    size = keras.tree.flatten(x)[0].shape[0]
    y_pred = keras.KerasTensor((size, *output.shape[1:]), output.dtype)
    loss, metrics = compiled_loss(model), compiled_metrics(model)
    if metrics is not None and not metrics.built:
        metrics.build(y, y_pred)
        if not all(map(_is_average, metrics.metrics)):
            output_spec(model.compute_metrics, x, y, y_pred, sample_weight=sample_weight)
    if loss is not None and not loss.built:
        loss.build(y, y_pred)
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    finish_building(model)
    return True


def _is_average(metric: Metric) -> bool:
    """Return True for Keras's average of a function, which has all its variables from the start."""
    kind = type(metric)
    return issubclass(kind, keras.metrics.Mean) and kind.__module__.startswith("keras.")


def _trace_own_steps(model: KerasModel, batches: Mapping[str, Nested]) -> set[str]:
    """Trace the steps that are the model's own into a graph that is never run.

    Such a step may create variables that nothing else creates: a second optimizer's, those of a
    metric at its first update. A compiled model's steps are traced once.

    Returns:
        The names of those that have been traced.
    """
    own = {name for name, batch in batches.items() if batch is not None and overrides(model, name)}
    if not own or runs_eagerly(model) or is_distributed(model):
        return set()
    traced = set(program_cache(model).traced_steps)
    for name in sorted(own - traced, reverse=True):  # the training first
        step = on_one_device(getattr(model, name), model)
        try:
            with function_graph(name):
                step(keras.tree.map_structure(_placeholder, batches[name]))
        except Exception:  # the training raises a better error
            continue
        traced.add(name)
    return traced


def _placeholder(leaf: Tensor | KerasTensor | None) -> Tensor | None:
    return None if leaf is None else tf.compat.v1.placeholder(leaf.dtype, leaf.shape)
