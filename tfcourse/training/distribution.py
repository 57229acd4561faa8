"""Training under ``tf.distribute``: the checks of the model, and of several machines' arguments."""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfcourse.errors import InputError, WorkFailedError
from tfcourse.internals.models import strategy_of
from tfcourse.training.data.compilation import JitCompile
from tfcourse.training.data.feeds import ArrayFeed, Feed
from tfcourse.training.loop import Loop
from tfcourse.training.programs.replicas import (
    gather_numbers,
    is_distributed,
    needs_whole_gradient,
    uneven,
)
from tfcourse.training.programs.state import state_variables
from tfcourse.training.programs.step import overrides
from tfcourse.training.programs.tree import first_leaf, tree_leaves
from tfcourse.types import KerasModel, Strategy

__all__ = ["agree", "check_distribution", "check_feeds", "distributed_errors"]

SUPPORTED = (
    tf.distribute.MirroredStrategy,
    tf.distribute.MultiWorkerMirroredStrategy,
    tf.distribute.OneDeviceStrategy,
)
# The errors of TensorFlow when it can't reach a worker any more.
LOST_WORKER_ERRORS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)


def check_distribution(model: KerasModel, jit_compile: JitCompile) -> JitCompile:
    """Check that a model can be trained under its strategy, if it has one.

    Returns:
        ``jit_compile``, as False for "auto" under a strategy.

    Raises:
        InputError: The strategy is not one that works, a part of the model was not created in
            its scope, or an option does not work under a strategy.
    """
    if tf.distribute.has_strategy() and tf.distribute.get_strategy() is not _strategy(model):
        raise InputError(_created_outside("The model"))
    if not is_distributed(model):
        return jit_compile
    name = type(_strategy(model)).__name__
    if not isinstance(_strategy(model), SUPPORTED):
        raise InputError(
            f"fit trains under MirroredStrategy and MultiWorkerMirroredStrategy. Received: {name}."
        )
    if jit_compile is True:
        raise InputError(
            f"jit_compile=True does not work under {name}: XLA compiles for one device and "
            "can't reach the variables of the others. Leave it out."
        )
    if model.run_eagerly:
        raise InputError(
            f"run_eagerly=True does not work under {name}. Leave it out, or debug on one device."
        )
    _check_scope(model)
    _check_losses(model)
    _check_optimizer(model, name)
    return False


def check_feeds(model: KerasModel, train: Feed, validation: Feed | None) -> None:
    """Check that the replicas can share the batches of a built model's data.

    Raises:
        InputError: A batch leaves a replica without an example, or, for a model with its own
            ``train_step``, can't be divided equally; or a metric was created outside the scope.
    """
    if not is_distributed(model):
        return
    _check_scope(model)  # now with the metrics' variables
    own = overrides(model, "train_step")
    sizes = [_rows_of(train)]
    if isinstance(train, ArrayFeed):
        sizes.append(train.arrays.count % train.batch_size)
    _check_rows(model, sizes, own, "Change batch_size")
    if validation is not None:
        _check_rows(model, [_rows_of(validation)], False, "Change validation_batch_size")


def agree(loop: Loop, seed: int | None, epochs: int, initial_epoch: int) -> None:
    """Check that all workers train on the same data in the same way, and share one seed.

    Args:
        loop: The `Loop` that is to run; where ``seed`` is None, the seed of its training data
            becomes that of the first worker.
        seed: The ``seed`` argument of `fit`.
        epochs: The number of the last epoch, from 1.
        initial_epoch: The number of the first epoch, from 0.

    Raises:
        InputError: They differ, and would wait for each other forever or train on different data.
    """
    strategy, train, validation = loop.model.distribute_strategy, loop.train, loop.validation
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return
    mine: dict[str, Any] = {
        "epochs": epochs,
        "initial_epoch": initial_epoch,
        "batch_size": train.batch_size,
    }
    mine |= {"steps of an epoch": train.steps, "on_nan or validation_freq": repr(loop.plan)}
    mine["steps of a validation"] = validation and validation.steps
    mine["steps between callbacks on batches"] = loop.stride
    mine["checkpoint_dir or save_every"] = loop.checkpoints and repr(loop.checkpoints.saving.every)
    if isinstance(train, ArrayFeed):
        leaves = [leaf.numpy() for leaf in tree_leaves(train.sample)]
        first = zlib.crc32(b"".join(a.tobytes() for a in leaves if a.dtype.kind != "O"))
        mine |= {"examples": train.arrays.count, "checksum of the first batch": first}
        mine |= {"seed": seed, "drawn": train.seed}
    everyone = gather_numbers(strategy, [_number(value) for value in mine.values()])
    for name, received in zip(mine, everyone.T, strict=True):
        if name == "drawn":
            if seed is None and isinstance(train, ArrayFeed):
                train.seed = int(received[0])
        elif len(set(received)) > 1:
            raise InputError(
                "Every worker must call fit with the same arguments and the same whole data: fit "
                f"takes each one's part itself. Received: {name} {', '.join(map(str, received))}."
            )


def _number(value: object) -> int:
    """Return a whole number as it is, -1 for None, and a checksum of anything else."""
    if isinstance(value, int | np.integer) and abs(int(value)) < 2**63:
        return int(value)
    return -1 if value is None else zlib.crc32(repr(value).encode())


def _rows_of(feed: Feed) -> int | None:
    rows: int | None = first_leaf(feed.sample).shape[0]
    return rows


def _check_rows(model: KerasModel, sizes: Sequence[int | None], own: bool, remedy: str) -> None:
    replicas = _strategy(model).num_replicas_in_sync
    for size in sizes:
        if size and (size < replicas or (own and size % replicas)):
            raise InputError(f"{uneven(replicas, own)} {remedy}: one holds {size}.")


@contextmanager
def distributed_errors(model: KerasModel) -> Iterator[None]:
    """Explain TensorFlow's errors in a training on several devices or machines."""
    if not is_distributed(model):
        yield
        return
    try:
        yield
    except LOST_WORKER_ERRORS as error:
        if not isinstance(_strategy(model), tf.distribute.MultiWorkerMirroredStrategy):
            raise
        resolver = _strategy(model).cluster_resolver
        me = resolver.task_id
        raise WorkFailedError(
            f"Worker {me} has lost another worker of {resolver.cluster_spec().as_dict()}: it "
            "ended or can't be reached. Start all workers again."
        ) from error
    except tf.errors.InvalidArgumentError as error:
        replicas = _strategy(model).num_replicas_in_sync
        for own in (True, False):
            if uneven(replicas, own) in str(error):
                raise InputError(uneven(replicas, own)) from error
        if "in the collective instance" in str(error):
            raise WorkFailedError(
                "TensorFlow has mixed up the messages of two tf.distribute strategies on the same "
                "devices. Create one strategy in a process, and use it for all models."
            ) from error
        raise


def _strategy(model: KerasModel) -> Strategy:
    return strategy_of(model)


def _created_outside(what: str) -> str:
    return (
        f"{what} was not created in the scope of its tf.distribute strategy. Create and compile "
        "the model within `with strategy.scope():`, its optimizer and metrics too."
    )


def _check_scope(model: KerasModel) -> None:
    within = _strategy(model).extended.variable_created_in_scope
    for variable in state_variables(model):
        if not within(variable.value):
            raise InputError(_created_outside(f'The variable "{variable.path}"'))


def _check_losses(model: KerasModel) -> None:
    for loss in keras.tree.flatten(model.loss):
        reduction = getattr(loss, "reduction", "mean")
        if reduction not in ("sum_over_batch_size", "mean"):
            raise InputError(
                "Under a strategy a loss must be the mean over the batch, of which each replica "
                f'computes a part: reduction="sum_over_batch_size". Received: "{reduction}".'
            )


def _check_optimizer(model: KerasModel, name: str) -> None:
    if not needs_whole_gradient(model.optimizer):
        return
    options = "Clipping, gradient_accumulation_steps and ema_overwrite_frequency"
    if overrides(model, "train_step"):
        raise InputError(f"{options} do not work under {name} in a model's own train_step.")
    if tf.distribute.has_strategy():
        raise InputError(f"{options} need fit to be called outside `with strategy.scope():`.")
