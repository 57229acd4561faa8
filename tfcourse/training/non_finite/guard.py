"""What `fit` does when the loss becomes NaN or infinite: find the cause, stop or go back."""

import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import keras
import tensorflow as tf

from tfcourse.errors import InputError, WorkFailedError, one_of
from tfcourse.training.data.feeds import ArrayFeed, Feed
from tfcourse.training.programs.cache import state_copier

__all__ = ["Guard", "NonFiniteLossError", "OnNan", "check_on_nan"]

OnNan = Literal["stop", "rollback", "ignore"]
MOST_ROLLBACKS = 3


class NonFiniteLossError(WorkFailedError):
    """The loss, or a weight, became NaN or infinite; the model has its last finite weights.

    Attributes:
        epoch: The epoch, from 0.
        batch: The batch of the epoch, from 0.
        layer: The name of the first layer whose output was not finite; None if it isn't known.
    """

    def __init__(self, message: str, epoch: int, batch: int, layer: str | None) -> None:
        super().__init__(message)
        self.epoch, self.batch, self.layer = epoch, batch, layer


class Guard:
    """Keeps states to go back to while a model is trained.

    Args:
        model: The model that is trained.
        feed: Its data.
        on_nan: ``"stop"`` or ``"rollback"``.
        every: The most steps between two copies of the state.
    """

    def __init__(self, model: Any, feed: Feed, on_nan: OnNan, every: int) -> None:
        self.model, self.feed, self.on_nan, self.every = model, feed, on_nan, every
        self.state = state_copier(model)
        self.copies: deque[Any] = deque(maxlen=1 if on_nan == "stop" else 3)
        self.step = 0  # of the epoch, at which the newest copy was taken
        self.rollbacks = 0
        self.useless = 0  # how many of the newest copies have led to the same end
        self.returned = False

    def keep(self, step: int, first: bool) -> None:
        """Copies the state before a step of an epoch, if it is the first or a copy is due."""
        if self.returned:
            self.returned = False
        elif first or step - self.step >= self.every:
            self.copies.append(self.state.copy())
            self.step, self.useless = step, 0

    def handle(self, epoch: int, step: int, program: Any) -> int:
        """Goes back; gives the step of the epoch to go on from.

        Raises:
            NonFiniteLossError: With ``"stop"``, or when going back has not helped.
        """
        if self.on_nan == "stop" or self.rollbacks == MOST_ROLLBACKS:
            raise self._error(epoch, step, program)
        # The first loss from a copy doesn't depend on the learning rate: that copy can't help.
        self.useless += self.feed.repeatable and step == self.step
        older = min(self.useless, len(self.copies) - 1)
        self.useless += 1
        self.rollbacks += 1
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self._assign(self.copies[-1])
        self._assign(self.copies[-1 - older], metrics=False)
        self.model.optimizer.learning_rate = rate / 2
        self.returned = self.feed.repeatable
        back = self.step if self.feed.repeatable else step + 1
        copy = f"of {older} copies earlier" if older else f"from before batch {self.step + 1}"
        warnings.warn(
            f"The loss was not finite in epoch {epoch + 1}, batch {step + 1}. Going on from batch "
            f"{back + 1} with the state {copy} and the learning rate {rate / 2:g} instead of "
            f"{rate:g} ({self.rollbacks} of {MOST_ROLLBACKS} times).",
            stacklevel=6,  # who called fit
        )
        return back

    def _assign(self, copy: Any, metrics: bool = True) -> None:
        """Goes back to a copy, but not to the learning rate from before a rollback."""
        optimizer = self.model.optimizer
        rate = (
            float(keras.ops.convert_to_numpy(optimizer.learning_rate)) if self.rollbacks else None
        )
        self.state.assign(copy, metrics)
        if rate is not None:
            optimizer.learning_rate = rate

    def _error(self, epoch: int, step: int, program: Any) -> NonFiniteLossError:
        layer, cause = None, "The batch can't be looked at again, as it came from a stream."
        if isinstance(self.feed, ArrayFeed):
            step = self._go_to_the_cause(epoch, step, program)
            layer, cause = self._cause(self.feed.batch(epoch, step))
            kept = step
        else:
            self._assign(self.copies[-1])
            kept = self.step
        often = f" after {self.rollbacks} rollbacks" if self.rollbacks else ""
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        return NonFiniteLossError(
            f"The loss is not finite in epoch {epoch + 1}, batch {step + 1}{often}, at learning "
            f"rate {rate:g}. {cause}\nThe model has the weights from before batch {kept + 1}. "
            'Lower the learning rate, or clip the gradients (clipnorm); on_nan="ignore" goes on.',
            epoch,
            step,
            layer,
        )

    def _go_to_the_cause(self, epoch: int, step: int, program: Any) -> int:
        """Repeats the steps one by one up to the first after which something is not finite.

        That may be earlier than ``step``: weights are only looked at when a program ends. The
        model is left as it was before the step returned.
        """
        self._assign(self.copies[-1])
        now = self.step
        for now in range(self.step, step + 1):
            self.copies.append(self.state.copy())
            if not next(iter(self.feed.chunks(epoch, 1, now))).run(program).finite:
                break
        self._assign(self.copies[-1])
        return now

    def _cause(self, batch: Any) -> tuple[str | None, str]:
        """The first layer whose output is not finite on a batch, and a sentence on it."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
        if not _finite(x):
            return None, "x of that batch holds NaN or infinity."
        standard = type(self.model).train_step is keras.Model.train_step
        with _outputs_watched(self.model) as found:
            y_pred = self.model(x, training=True)
            loss = self.model.compute_loss(x, y, y_pred, sample_weight) if standard else None
        self._assign(self.copies[-1])
        if found:
            return found[0], f'The first output that is not finite is that of layer "{found[0]}".'
        if not standard:
            return None, "Every layer's output is finite on that batch."
        if not _finite(loss):
            return None, "Every layer's output is finite, but the loss of that batch is not."
        return None, "The loss of that batch is finite, but the weights after its step are not."


def check_on_nan(on_nan: str, optimizer: Any) -> None:
    """Whether ``on_nan`` is one of the three words, and a rollback can halve the learning rate.

    Raises:
        InputError: It isn't, or it can't.
    """
    words = ("stop", "rollback", "ignore")
    if on_nan not in words:
        raise InputError(one_of("on_nan", on_nan, words))
    rate = getattr(optimizer, "_learning_rate", None)
    if on_nan == "rollback" and (callable(rate) and not isinstance(rate, keras.Variable)):
        raise InputError(
            'on_nan="rollback" halves the learning rate, which must therefore be a number. '
            f"Received: the schedule {type(rate).__name__}."
        )


@contextmanager
def _outputs_watched(model: Any) -> Iterator[list[str]]:
    """Collects the names of the layers whose output is not finite, in the order of their calls."""
    found: list[str] = []
    layers = [layer for layer in model._flatten_layers(include_self=False) if layer.built]

    def watched(layer: Any) -> Any:
        call = layer.call

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            outputs = call(*args, **kwargs)
            if not _finite(outputs):
                found.append(layer.name)
            return outputs

        return wrapper

    # Around Keras's own __setattr__, which would track the wrapper as a part of the layer.
    for layer in layers:
        object.__setattr__(layer, "call", watched(layer))
    try:
        yield found
    finally:
        for layer in layers:
            object.__delattr__(layer, "call")


def _finite(tensors: Any) -> bool:
    leaves = [leaf for leaf in keras.tree.flatten(tensors) if isinstance(leaf, tf.Tensor)]
    checks = [tf.reduce_all(tf.math.is_finite(leaf)) for leaf in leaves if leaf.dtype.is_floating]
    return all(bool(check) for check in checks)
