"""``fit``: a drop-in for ``model.fit`` that runs whole epochs as one compiled program."""

from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np

from tfcourse.errors import InputError
from tfcourse.training.arrays import Arrays, in_memory, split_off_validation
from tfcourse.training.feeds import ArrayFeed, Feed, stream_of
from tfcourse.training.jit import choose_jit, seconds_of_step
from tfcourse.training.loop import Loop, Plan
from tfcourse.training.state import build_state

__all__ = ["fit"]

# A call of a program can't be interrupted: this long it may last, by the estimate of the jit rule.
SECONDS_PER_CALL = 0.5


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

    Returns:
        ``keras.callbacks.History``.

    Raises:
        InputError: The model is not compiled, the data is empty or its parts differ in length,
            a size is not a positive whole number, or ``seed`` or ``jit_compile`` is given for
            data that Keras's loop takes.
    """
    if getattr(model, "optimizer", None) is None or not model.compiled:
        raise InputError(
            "fit needs a compiled model. Call model.compile(optimizer, loss, metrics) first."
        )
    _check_sizes(
        epochs=epochs,
        batch_size=batch_size,
        validation_batch_size=validation_batch_size,
        steps_per_epoch=steps_per_epoch,
        validation_steps=validation_steps,
    )
    if validation_split and validation_data is None:
        if not in_memory(x, y, sample_weight):
            raise InputError(
                "validation_split needs x, y and sample_weight as arrays in memory. Pass "
                "validation_data instead."
            )
        (x, y, sample_weight), validation_data = split_off_validation(
            (x, y, sample_weight), validation_split
        )
    train = _train_feed(
        model, (x, y, sample_weight), batch_size, shuffle, seed, steps_per_epoch, class_weight,
        initial_epoch,
    )  # fmt: skip
    build_state(model, train.sample)
    validation = None
    if validation_data is not None:
        parts = keras.utils.unpack_x_y_sample_weight(validation_data)
        size = validation_batch_size or batch_size
        validation = evaluation_feed(model, parts, size, validation_steps, "validation_steps")
    if jit_compile == "auto":
        planned = train.steps and train.steps * max(epochs - initial_epoch, 0)
        jit_compile = choose_jit(model, train.sample, train.batch_size, planned)
    plan = Plan(jit_compile, _steps_per_call(model, train), validation_freq)
    if not isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = keras.callbacks.CallbackList(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            verbose=verbose,
            epochs=epochs,
            steps=train.steps,
            model=model,
        )
    return Loop(model, train, validation, plan, callbacks).run(initial_epoch, epochs)


def _train_feed(
    model: Any,
    data: Any,
    batch_size: int | None,
    shuffle: bool,
    seed: int | None,
    steps: int | None,
    class_weight: Any,
    first_epoch: int,
) -> Feed:
    if not in_memory(*data):
        if seed is not None:
            raise InputError(
                "seed is for arrays in memory: data of other kinds brings its own order. Leave it "
                "out, and seed the data (a dataset's .shuffle(buffer_size, seed))."
            )
        strategy = model.distribute_strategy
        return stream_of(data, strategy, steps, "steps_per_epoch", shuffle, class_weight)
    x, y, sample_weight = data
    arrays = Arrays.of(x, y, sample_weight, class_weight)
    seed = int(np.random.randint(2**31 - 1)) if seed is None else seed
    return ArrayFeed(arrays, batch_size or 32, shuffle, seed, steps, first_epoch)


def evaluation_feed(
    model: Any, data: Any, batch_size: int | None, steps: int | None, steps_argument: str
) -> Feed:
    """The data of a validation, in its own order.

    Args:
        model: The model that it is for.
        data: ``(x, y, sample_weight)``.
        batch_size: Examples in a step, for arrays; None is 32.
        steps: The most steps; None for all.
        steps_argument: What the caller calls ``steps``, for the messages.
    """
    if not in_memory(*data):
        return stream_of(data, model.distribute_strategy, steps, steps_argument)
    return ArrayFeed(Arrays.of(*data), batch_size or 32, steps_per_epoch=steps)


def _steps_per_call(model: Any, feed: Feed) -> int:
    return max(1, int(SECONDS_PER_CALL / seconds_of_step(model, feed.sample, feed.batch_size)))


def _check_sizes(**sizes: Any) -> None:
    for name, size in sizes.items():
        if size is None and name != "epochs":
            continue
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise InputError(f"{name} must be a whole number >= 1. Received: {size!r}.")
