"""``evaluate``: a drop-in for ``model.evaluate`` with many batches in one compiled call."""

from typing import Any, Literal

from tfcourse.errors import InputError
from tfcourse.internals.layers import flatten_layers
from tfcourse.internals.models import compiled_loss, compiled_metrics, metrics_in_order
from tfcourse.training.callbacks import callback_list
from tfcourse.training.data.checks import check_feed
from tfcourse.training.data.compilation import Compilation, can_compile
from tfcourse.training.data.inputs import (
    check_choices,
    check_sizes,
    evaluation_feed,
    steps_per_call,
)
from tfcourse.training.loop import Plan, evaluate_feed
from tfcourse.training.programs.step import check_loop, outputs_on, runs_eagerly
from tfcourse.types import Callbacks, KerasModel, Nested, SampleWeight, TrainingData

__all__ = ["evaluate"]


def evaluate(
    model: KerasModel,
    x: TrainingData = None,
    y: TrainingData = None,
    batch_size: int | None = None,
    verbose: int | str = "auto",
    sample_weight: SampleWeight = None,
    steps: int | None = None,
    callbacks: Callbacks = None,
    return_dict: bool = False,
    *,
    jit_compile: bool | Literal["auto"] = "auto",
) -> Any:
    """Return the loss and metrics of a compiled model, with ``model.evaluate``'s arguments.

    Data in memory runs as one compiled program, data of other kinds many steps a call, in the
    program that `tfcourse.fit` validates with. The numbers are those of ``model.evaluate`` to
    the last bit; on a GPU, where Keras compiles with XLA, to float tolerance. A callback that acts
    on batches is called at every batch, and a model's own ``test_step`` is used.

    Args:
        model: A compiled ``keras.Model``.
        x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict: As for
            ``model.evaluate``.
        jit_compile: Whether to compile with XLA. ``"auto"`` is False: the compilation costs one
            to four seconds, which one pass over the data hardly ever saves. With True the
            numbers agree to float tolerance.

    Returns:
        The loss if there is nothing else, or a list of the loss and the metrics; with
        ``return_dict`` a dict of them.

    Raises:
        InputError: The model is not compiled or makes its own loop (``make_test_function``), the
            data is empty, its parts differ in length or don't suit the model, a size is not a
            positive whole number, or XLA is required and can't compile the model.
    """
    if not model.compiled:
        raise InputError(
            "evaluate needs a compiled model. Call model.compile(loss=..., metrics=...) first."
        )
    check_loop(model, "make_test_function", "model.evaluate")
    check_sizes(batch_size=batch_size, steps=steps)
    check_choices(jit_compile=jit_compile)
    data = (x, y, sample_weight)
    feed = evaluation_feed(data, batch_size, steps, "steps", once=True)
    check_feed(model, feed, "test_step", thorough=False)
    if not runs_eagerly(model):
        _build(model, feed.sample)
    all_callbacks = callback_list(callbacks, model, verbose, feed.steps)
    can_compile([feed], jit_compile)
    jit = Compilation(jit_compile is True, jit_compile is True, required=True)
    plan = Plan(jit, steps_per_call(model, feed))
    logs = evaluate_feed(model, feed, plan, all_callbacks, model.reset_metrics)
    if not logs:
        raise InputError("x holds no batches: there is nothing to evaluate.")
    return logs if return_dict else metrics_in_order(model, logs)


def _build(model: KerasModel, batch: Nested) -> None:
    """Create the variables of the model, its loss and its metrics, and not the optimizer's.

    Those may be twice the model's size, and an evaluation does not determine which weights will
    be trained.
    """
    parts = [*flatten_layers(model), compiled_loss(model), compiled_metrics(model)]
    if all(part is None or part.built for part in parts):
        return
    outputs_on(model, model.test_step, batch)
