"""The model's own step, and the programs that repeat it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

__all__ = ["Step", "test_step", "train_step"]


@dataclass(frozen=True)
class Step:
    """A step on a batch, and what a loop of such steps must know of it.

    Attributes:
        call: The step, such as ``model.train_step``.
        result: Reads the metrics after the last step; None when what the step itself returned
            last counts, as for a model with a step of its own.
        loss: Reads a number that is finite only as long as every loss was, from what the step
            returned; None not to look.
    """

    call: Callable[[Any], Any]
    result: Callable[[], Any] | None
    loss: Callable[[Any], Any] | None = None

    def finite(self, logs: Any) -> Any:
        """Whether the loss is still a finite number, as a tensor."""
        if self.loss is None:
            return tf.constant(True)
        return tf.reduce_all(tf.math.is_finite(self.loss(logs)))

    def logs_after(self, logs: Any) -> Any:
        """The logs after the last step."""
        return logs if self.result is None else self.result()


def train_step(model: Any, guarded: bool) -> Step:
    """``model.train_step`` (a ``GradientTape`` step, or the model's own).

    A model's own step returns its own logs; Keras's gives the metrics, read once at the end.

    Args:
        model: A compiled model.
        guarded: Whether the loop is to end when the loss is no finite number any more.
    """
    own = _overrides(model, "train_step")
    result = None if own or _overrides(model, "compute_metrics") else model.get_metrics_result
    loss = None
    if guarded:
        loss = _logged_loss if own else lambda _: model._loss_tracker.total
    return Step(model.train_step, result, loss)


def test_step(model: Any) -> Step:
    """``model.test_step``, or the model's own."""
    own = _overrides(model, "test_step") or _overrides(model, "compute_metrics")
    return Step(model.test_step, None if own else model.get_metrics_result)


def _overrides(model: Any, name: str) -> bool:
    return getattr(type(model), name) is not getattr(keras.Model, name)


def _logged_loss(logs: Any) -> Any:
    loss = logs.get("loss") if isinstance(logs, dict) else None
    return tf.constant(0.0) if loss is None else tf.cast(loss, "float32")
