"""Compiled models: their losses and metrics, and the parts of Keras's training loop."""

from typing import TYPE_CHECKING, Any

import keras

from tfcourse.internals.versions import uses
from tfcourse.types import KerasModel, Logs, Metric, MetricLike, Nested, Strategy, Tensor

__all__ = [
    "CompileLoss",
    "CompileMetrics",
    "averaged_function",
    "build_on_symbols",
    "compile_arguments",
    "compiled_loss",
    "compiled_metrics",
    "compute_loss",
    "direction_of",
    "finish_building",
    "function_arguments",
    "initial_epoch_of",
    "loss_arguments",
    "loss_tracker",
    "metric_arguments",
    "metrics_in_order",
    "set_compile_arguments",
    "strategy_of",
    "supports_jit",
]

if TYPE_CHECKING:
    from keras.src.trainers.compile_utils import CompileLoss, CompileMetrics
else:
    CompileLoss = CompileMetrics = Any


@uses("keras.Model._compile_config")
def compile_arguments(model: KerasModel) -> dict[str, Any]:
    """Return the arguments of ``compile`` as they were passed, by name.

    The public ``get_compile_config`` gives them serialized, which fails on functions.
    """
    return dict(model._compile_config.config)


@uses("keras.Model._compile_config")
def set_compile_arguments(model: KerasModel, arguments: dict[str, Any]) -> None:
    """Set what a model saves as the arguments of ``compile``, without compiling it."""
    model._compile_config.config = arguments


@uses("keras.Model._compile_loss")
def compiled_loss(model: KerasModel) -> CompileLoss | None:
    """Return the object that computes all losses of a compiled model; None without a loss.

    The public ``model.loss`` is what ``compile`` was passed.
    """
    loss: CompileLoss | None = model._compile_loss
    return loss


@uses("keras.Model._compile_metrics")
def compiled_metrics(model: KerasModel) -> CompileMetrics | None:
    """Return the object that computes the metrics of ``compile``; None without metrics.

    The public ``model.metrics`` need not list it where a model overrides that.
    """
    metrics: CompileMetrics | None = model._compile_metrics
    return metrics


@uses(
    "keras.src.trainers.compile_utils.CompileLoss._user_loss",
    "keras.src.trainers.compile_utils.CompileLoss._user_loss_weights",
)
def loss_arguments(compiled: CompileLoss) -> tuple[Nested, Nested]:
    """Return the losses and their weights that a `compiled_loss` was made of."""
    return compiled._user_loss, compiled._user_loss_weights


@uses(
    "keras.src.trainers.compile_utils.CompileMetrics._user_metrics",
    "keras.src.trainers.compile_utils.CompileMetrics._user_weighted_metrics",
)
def metric_arguments(compiled: CompileMetrics) -> tuple[Nested, Nested]:
    """Return the metrics and weighted metrics that `compiled_metrics` were made of."""
    return compiled._user_metrics, compiled._user_weighted_metrics


@uses("keras.Model._compute_loss")
def compute_loss(
    model: KerasModel,
    x: Nested,
    y: Nested,
    y_pred: Nested,
    sample_weight: Nested = None,
    training: bool = True,
) -> Tensor:
    """Return a model's loss as its own steps compute it.

    It calls the public ``compute_loss``, with ``training`` where a model's override takes it.
    """
    return model._compute_loss(
        x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training
    )


@uses("keras.Model._loss_tracker")
def loss_tracker(model: KerasModel) -> Any:
    """Return the ``keras.metrics.Mean`` of a model's loss; None before it is compiled.

    The public ``model.metrics`` begins with it, unless a model overrides that.
    """
    return model._loss_tracker


@uses("keras.Model._flatten_metrics_in_order")
def metrics_in_order(model: KerasModel, logs: Logs) -> Any:
    """Return the logs as the list (or the one number) that ``model.evaluate`` returns."""
    return model._flatten_metrics_in_order(logs)


@uses("keras.Model._initial_epoch")
def initial_epoch_of(model: KerasModel) -> int | None:
    """Return the epoch that ``BackupAndRestore`` has a training continue from, if there is one.

    The callback leaves it there for Keras's own loop.
    """
    return model._initial_epoch


@uses("keras.Model._symbolic_build")
def build_on_symbols(model: KerasModel, batch: Nested) -> None:
    """Create the variables of a model, its losses, metrics and optimizer, as Keras's ``fit`` does.

    Public are only ways that run a step.
    """
    model._symbolic_build(data_batch=batch)


@uses("keras.Model._post_build")
def finish_building(model: KerasModel) -> None:
    """Do what `build_on_symbols` does last, for a model whose parts were built one by one."""
    model._post_build()


@uses("keras.src.trainers.trainer.model_supports_jit")
def supports_jit(model: KerasModel) -> bool:
    """Return True if Keras would compile a model with XLA for ``jit_compile="auto"``."""
    from keras.src.trainers.trainer import model_supports_jit

    return bool(model_supports_jit(model))


@uses("keras.Model._distribute_strategy")
def strategy_of(model: KerasModel) -> Strategy | None:
    """Return the strategy in whose scope a model was created; None outside of any.

    The public ``distribute_strategy`` is then the current one.
    """
    return model._distribute_strategy


@uses("keras.metrics.MeanMetricWrapper._fn")
def averaged_function(metric: MetricLike) -> Any:
    """Return the function that a metric averages; the metric itself (or function) if it does not.

    ``get_config`` has it only serialized.
    """
    return metric._fn if isinstance(metric, keras.metrics.MeanMetricWrapper) else metric


@uses(
    "keras.src.losses.losses.LossFunctionWrapper._fn_kwargs",
    "keras.metrics.MeanMetricWrapper._fn_kwargs",
)
def function_arguments(part: object) -> dict[str, Any] | None:
    """Return the arguments that a loss or metric passes to its function; None if it has none.

    Some configs leave them out, such as that of Huber its delta.
    """
    from keras.src.losses.losses import LossFunctionWrapper

    wrappers = LossFunctionWrapper, keras.metrics.MeanMetricWrapper
    return part._fn_kwargs if isinstance(part, wrappers) else None


@uses("keras.metrics.MeanMetricWrapper._direction")
def direction_of(metric: Metric) -> str | None:
    """Return ``"up"`` or ``"down"`` for a metric of which more or less is better, if it says so.

    ``ModelCheckpoint`` and ``EarlyStopping`` read it as well.
    """
    return getattr(metric, "_direction", None)
