"""``fit``: a drop-in for ``model.fit`` that runs whole epochs as one compiled program."""

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras.callbacks import TerminateOnNaN

from tfcourse.errors import InputError
from tfcourse.training.arrays import split_off_validation
from tfcourse.training.inputs import (
    Order,
    check_sizes,
    evaluation_feed,
    steps_per_call,
    train_feed,
)
from tfcourse.training.jit import choose_jit
from tfcourse.training.loop import Loop, Plan
from tfcourse.training.non_finite import OnNan, check_on_nan
from tfcourse.training.state import build_state

__all__ = ["fit"]


def fit(
    model: Any,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: int | str = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool = True,
    class_weight: Any = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: int | Sequence[int] = 1,
    *,
    seed: int | None = None,
    jit_compile: bool | Literal["auto"] = "auto",
    on_nan: OnNan = "stop",
) -> Any:
    """Trains a compiled Keras model: ``model.fit``'s arguments and its numbers, in less time.

    Data in memory (arrays and tensors, and dicts, lists and tuples of them) runs as one
    compiled program per epoch; ``tf.data`` datasets, ``PyDataset`` and generators run many
    steps a call. With ``shuffle=False`` and without XLA, history, weights and optimizer state
    are those of ``model.fit``. A callback that acts on batches gets every batch. A model's own
    ``train_step`` is kept.

    A dataset that shuffles anew in each epoch gives other orders than under ``model.fit``,
    which takes two iterators an epoch from it where one is needed.

    Args:
        model: A compiled ``keras.Model``.
        x, y, batch_size, epochs, verbose, callbacks, validation_split, validation_data,
        shuffle, class_weight, sample_weight, initial_epoch, steps_per_epoch, validation_steps,
        validation_batch_size, validation_freq: As for ``model.fit``.
        seed: The shuffling of epoch e comes from (seed, e) alone. None draws a seed from
            NumPy's global generator, which ``keras.utils.set_random_seed`` sets.
        jit_compile: Whether to compile with XLA; ``"auto"`` chooses by
            `tfcourse.training.jit.choose_jit`. Under XLA the numbers agree to float tolerance,
            and dropout draws from XLA's generator.

        on_nan: What to do when the loss, or a weight, becomes NaN or infinite. ``"stop"`` raises
            an error that names the batch and the layer, and leaves the model with its last
            finite weights (of arrays those before that batch); a ``TerminateOnNaN`` callback
            comes first. ``"rollback"`` goes back to the last copy of the state, at most the
            beginning of the epoch, with half the learning rate, up to three times.
            ``"ignore"`` goes on, as Keras does.

    Returns:
        ``keras.callbacks.History``.

    Raises:
        NonFiniteLossError: See ``on_nan``.
        InputError: The model is not compiled, the data is empty or its parts differ in length,
            a size is not a positive whole number, or ``seed`` or ``jit_compile`` is given for
            data that Keras's loop takes.
    """
    if getattr(model, "optimizer", None) is None or not model.compiled:
        raise InputError(
            "fit needs a compiled model. Call model.compile(optimizer, loss, metrics) first."
        )
    check_on_nan(on_nan, model.optimizer)
    check_sizes(
        epochs=epochs,
        batch_size=batch_size,
        validation_batch_size=validation_batch_size,
        steps_per_epoch=steps_per_epoch,
        validation_steps=validation_steps,
    )
    data = x, y, sample_weight
    if validation_split and validation_data is None:
        data, validation_data = split_off_validation(data, validation_split)
    order = Order(shuffle, seed, initial_epoch)
    train = train_feed(model, data, batch_size, steps_per_epoch, order, class_weight)
    build_state(model, train.sample)
    validation = None
    if validation_data is not None:
        parts = keras.utils.unpack_x_y_sample_weight(validation_data)
        size = validation_batch_size or batch_size
        validation = evaluation_feed(model, parts, size, validation_steps, "validation_steps")
    callbacks = _callback_list(callbacks, model, verbose, epochs, train.steps)
    if on_nan == "stop" and any(isinstance(c, TerminateOnNaN) for c in callbacks.callbacks):
        on_nan = "ignore"
    if jit_compile == "auto":
        planned = train.steps and train.steps * max(epochs - initial_epoch, 0)
        jit_compile = choose_jit(model, train.sample, train.batch_size, planned)
    plan = Plan(jit_compile, steps_per_call(model, train), validation_freq, on_nan)
    return Loop(model, train, validation, plan, callbacks).run(initial_epoch, epochs)


def _callback_list(
    callbacks: Any, model: Any, verbose: int | str, epochs: int, steps: int | None
) -> Any:
    """The callbacks with Keras's history and progress bar, as ``model.fit`` makes them."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks
    return keras.callbacks.CallbackList(
        callbacks,
        add_history=True,
        add_progbar=verbose != 0,
        verbose=verbose,
        epochs=epochs,
        steps=steps,
        model=model,
    )
