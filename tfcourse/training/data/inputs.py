"""From the arguments of `fit` and `evaluate` to the feeds that they run on."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from tfcourse.data.streams.stream import EpochBatches
from tfcourse.errors import InputError, shown, warn
from tfcourse.training.data.adapters import epoch_stream, stream_of
from tfcourse.training.data.arrays import Arrays, in_memory
from tfcourse.training.data.feeds import ArrayFeed, Feed
from tfcourse.training.programs.jit import seconds_of_step
from tfcourse.types import ClassWeight, KerasModel, Nested

__all__ = [
    "Order",
    "check_choices",
    "check_sizes",
    "evaluation_feed",
    "limit_by_config",
    "steps_per_call",
    "train_feed",
]

# The longest call of a program, by `seconds_of_step`: a call can't be interrupted.
SECONDS_PER_CALL = 0.5


@dataclass(frozen=True)
class Order:
    """The order of the examples.

    Attributes:
        shuffle: Whether an epoch's order is a permutation.
        seed: The seed that it is drawn from; None to draw the seed itself.
        first_epoch: The number of the call's first epoch.
    """

    shuffle: bool
    seed: int | None
    first_epoch: int


def train_feed(
    data: Nested,
    batch_size: int | None,
    steps: int | None,
    order: Order,
    class_weight: ClassWeight | None,
) -> Feed:
    """Return the data of a training.

    Args:
        data: ``(x, y, sample_weight)``.
        batch_size: Examples in a step, for arrays; None is 32, or what makes ``steps`` steps.
        steps: The steps of an epoch; None for all.
        order: The order of the examples, for arrays.
        class_weight: A weight for every class.

    Raises:
        InputError: A seed is passed for data that isn't arrays, or `Arrays.of` or `stream_of`
            raises it.
    """
    steps = limit_by_config("steps_per_epoch", steps)
    if not in_memory(*data):
        if order.seed is not None and not isinstance(data[0], EpochBatches):
            raise InputError(
                "seed is for arrays in memory: data of other kinds has its own order. Leave it "
                "out, and seed the data (a dataset's .shuffle(buffer_size, seed))."
            )
        if isinstance(data[0], EpochBatches):
            # Nothing is drawn from a global generator for data with an order of its own.
            seed = None if data[0].begin is None else _seed_of(order)
            return epoch_stream(data[0], steps, "steps_per_epoch", seed, class_weight)
        return stream_of(
            data, steps, "steps_per_epoch", order.shuffle, class_weight, batch_size=batch_size
        )
    x, y, sample_weight = data
    arrays = Arrays.of(x, y, sample_weight, class_weight)
    seed = _seed_of(order) or 0
    size = arrays.batch_size(batch_size, steps)
    return ArrayFeed(arrays, size, order.shuffle, seed, steps, order.first_epoch)


def _seed_of(order: Order) -> int | None:
    """Return the seed of the shuffling, drawn if there is none; None without shuffling."""
    if order.shuffle and order.seed is None:
        return int(np.random.randint(2**31 - 1))
    return order.seed if order.shuffle else None


def evaluation_feed(
    data: Nested,
    batch_size: int | None,
    steps: int | None,
    steps_argument: str,
    once: bool = False,
) -> Feed:
    """Return the data of a validation or an evaluation, in its own order.

    Args:
        data: ``(x, y, sample_weight)``.
        batch_size: Examples in a step, for arrays; None is 32, or what makes ``steps`` steps.
        steps: The most steps; None for all.
        steps_argument: The name of the caller's argument for ``steps``, for the messages.
        once: Whether it is used once only.
    """
    steps = limit_by_config("steps_per_epoch", steps)
    if isinstance(data[0], EpochBatches):
        return epoch_stream(data[0], steps, steps_argument, once=once)
    if not in_memory(*data):
        return stream_of(data, steps, steps_argument, once=once, batch_size=batch_size)
    arrays = Arrays.of(*data)
    return ArrayFeed(arrays, arrays.batch_size(batch_size, steps), steps_per_epoch=steps)


def steps_per_call(model: KerasModel, feed: Feed, members: int = 1) -> int:
    """Return the most steps that a program takes in one call.

    Args:
        model: A built model.
        feed: Its training data.
        members: The models that the program trains at once.
    """
    seconds = members * seconds_of_step(model, feed.sample, feed.batch_size)
    return max(1, int(SECONDS_PER_CALL / seconds))


def limit_by_config(name: str, number: int | None) -> int | None:
    """Limit epochs or steps as ``keras.config`` does, by a call or the environment.

    Args:
        name: ``"epochs"``, or ``"steps_per_epoch"`` for the steps of any pass over data.
        number: The caller's number; None for all.
    """
    most: int | None = (
        keras.config.max_epochs() if name == "epochs" else keras.config.max_steps_per_epoch()
    )
    if not most or (number and number <= most):
        return number
    warn(f"Limiting {name} to {most}")
    return most


def check_choices(
    seed: object = None,
    initial_epoch: object = 0,
    validation_freq: object = 1,
    jit_compile: object = "auto",
    epochs: object = 0,
    shuffle: object = False,
) -> None:
    """Check these arguments of `fit`.

    Raises:
        InputError: One is of a wrong type or out of its range.
    """
    numbers = {"seed": 0 if seed is None else seed, "initial_epoch": initial_epoch}
    numbers["epochs"] = epochs
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 0:
            raise InputError(f"{name} must be a whole number >= 0. Received: {shown(number)}.")
    if not isinstance(validation_freq, Sequence | set | np.ndarray):
        check_sizes(validation_freq=0 if validation_freq is None else validation_freq)
    if isinstance(shuffle, str):
        raise InputError(f"shuffle must be True or False. Received: {shown(shuffle)}.")
    if not isinstance(jit_compile, bool) and jit_compile != "auto":
        raise InputError(
            f'jit_compile must be True, False or "auto". Received: {shown(jit_compile)}.'
        )


def check_sizes(**sizes: object) -> None:
    """Check that all are whole numbers >= 1; all but the epochs may be None.

    Raises:
        InputError: One is not.
    """
    for name, size in sizes.items():
        if size is None and name != "epochs":
            continue
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise InputError(f"{name} must be a whole number >= 1. Received: {shown(size)}.")
