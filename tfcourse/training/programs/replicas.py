"""The steps of a model under ``tf.distribute``: each replica a part of the batch, then one step.

A batch of B examples is cut into N parts of almost equal size, in their order. Each replica's
mean loss counts by its share nᵣ/B, so that the summed gradient is that of the whole batch also
where N does not divide B, and the optimizer takes one step with it, as on one device. (Keras
counts every replica alike, 1/N, and clips the gradient of each by itself.)
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfcourse.errors import InputError
from tfcourse.internals.layers import takes_training
from tfcourse.internals.models import compute_loss, loss_tracker, strategy_of
from tfcourse.optimizers.keras_equivalent import optimizer_parts
from tfcourse.training.programs.tree import first_leaf, map_leaves

__all__ = [
    "distributed_test_step",
    "distributed_train_step",
    "gathered",
    "is_distributed",
    "needs_whole_gradient",
    "uneven",
]

Call = Callable[[Any], Any]


def is_distributed(model: Any) -> bool:
    """Whether the model was created in the scope of a ``tf.distribute`` strategy."""
    return strategy_of(model) is not None


def distributed_train_step(model: Any, own: bool, logs: bool) -> Call:
    """A training step on a whole batch.

    Args:
        model: A built model, created in a strategy's scope.
        own: Whether the model has a ``train_step`` of its own. The replicas run it as it is, and
            count alike, as in Keras; so N must divide the batch.
        logs: Whether what the step returns is wanted: its mean over the replicas.
    """
    strategy, optimizer = model.distribute_strategy, model.optimizer
    whole = needs_whole_gradient(optimizer)

    def step(batch: Any) -> Any:
        parts = _parts(batch, strategy.num_replicas_in_sync, even=own)
        if own:
            found = strategy.run(_on_part(lambda part, _: model.train_step(part)), (parts,))
        else:
            found, gradients = strategy.run(_on_part(_learn, model, whole), (parts,))
            if whole:
                optimizer.apply(_first(strategy, gradients), model.trainable_weights)
        return _means(strategy, found) if logs else ()

    return step


def distributed_test_step(model: Any, logs: bool) -> Call:
    """An evaluation step on a whole batch, of which a replica's part may be empty."""
    strategy = model.distribute_strategy

    def step(batch: Any) -> Any:
        parts = _parts(batch, strategy.num_replicas_in_sync, least=0)
        found = strategy.run(_on_part(lambda part, _: model.test_step(part)), (parts,))
        return _means(strategy, found) if logs else ()

    return step


def needs_whole_gradient(optimizer: Any) -> bool:
    """Whether the optimizer does what replicas can't do with their parts of the gradient.

    Clipping is not linear; accumulation and overwriting by averages branch, and TensorFlow's
    replicas can't meet within a branch. Such a step is taken outside of them.
    """
    options = ("clipnorm", "clipvalue", "global_clipnorm", "gradient_accumulation_steps",
               "ema_overwrite_frequency")  # fmt: skip
    parts = optimizer_parts(optimizer)
    return any(getattr(part, option, None) is not None for part in parts for option in options)


def gathered(strategy: Any, numbers: Sequence[int]) -> Any:
    """The numbers of all replicas, a row for each; every worker must ask at the same time."""
    return _gather(strategy)(tf.constant([numbers], tf.int64)).numpy()


@functools.cache
def _gather(strategy: Any) -> Any:
    def gather(row: Any) -> Any:
        return strategy.gather(strategy.run(lambda: row), axis=0)

    return tf.function(gather, autograph=False)


def uneven(replicas: int, own: bool) -> str:
    """What a batch that can't be divided among the replicas is told."""
    if own:
        return (
            f"A model with its own train_step needs batches that {replicas} replicas can share "
            "equally, because each of them counts alike."
        )
    return f"Every batch must hold an example for each of the {replicas} replicas."


def _learn(part: Any, share: Any, model: Any, whole: bool) -> tuple[Any, Any]:
    """A replica's side of a step: its metrics and, if ``whole``, the batch's gradients.

    Keras's ``train_step`` with the replica's share in the loss. If not ``whole``, the optimizer
    adds up the replicas' gradients and takes its step.
    """
    context = tf.distribute.get_replica_context()
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(part)
    with tf.GradientTape() as tape:
        training = {"training": True} if takes_training(model) else {}
        y_pred = model(x, **training)
        loss = compute_loss(model, x, y, y_pred, sample_weight, training=True)
        # Keras has divided the loss by N.
        mean = loss * context.num_replicas_in_sync
        loss_tracker(model).update_state(mean, sample_weight=_rows(part))
        scaled = model.optimizer.scale_loss(loss * tf.cast(share, loss.dtype))
    gradients = tape.gradient(scaled, model.trainable_weights)
    if whole:
        known = [gradient for gradient in gradients if gradient is not None]
        summed = iter(context.all_reduce(tf.distribute.ReduceOp.SUM, known))
        gradients = [None if gradient is None else next(summed) for gradient in gradients]
    else:
        model.optimizer.apply(gradients, model.trainable_weights)
    metrics = model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)
    return metrics, gradients if whole else ()


def _on_part(call: Callable[..., Any], *arguments: Any) -> Call:
    """``call`` on a replica's own part of what every replica is given."""

    def replica(parts: Any) -> Any:
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        part, share = parts[tf.get_static_value(number)]
        return call(part, share, *arguments)

    return replica


def _parts(batch: Any, replicas: int, least: int = 1, even: bool = False) -> list[Any]:
    """The parts of a batch, each with its share: N·nᵣ/B, which is 1 where all are equal."""
    rows = _rows(batch)
    right = (rows >= replicas * least) & ((rows % replicas == 0) | (not even))
    if not isinstance(rows, int):
        with tf.control_dependencies([tf.debugging.Assert(right, [uneven(replicas, even)])]):
            rows = tf.identity(rows)
    elif not right or rows < replicas:  # a part whose shape says that it is empty has no mean
        raise InputError(f"{uneven(replicas, even)} Received: a batch of {rows}.")
    ends = [number * rows // replicas for number in range(replicas + 1)]

    def part(start: Any, stop: Any) -> Any:
        share = tf.cast((stop - start) * replicas / rows, tf.float32)
        return map_leaves(lambda t: t[start:stop], batch), share

    return [part(start, stop) for start, stop in itertools.pairwise(ends)]


def _rows(batch: Any) -> Any:
    """The examples of a batch: a number where its shape tells, or a tensor."""
    leaf = first_leaf(batch)
    return tf.shape(leaf)[0] if leaf.shape[0] is None else leaf.shape[0]


def _first(strategy: Any, values: Any) -> list[Any]:
    """What the first of this machine's replicas gave."""
    return [v if v is None else strategy.experimental_local_results(v)[0] for v in values]


def _means(strategy: Any, values: Any) -> Any:
    mean = lambda value: strategy.reduce(tf.distribute.ReduceOp.MEAN, value, axis=None)  # noqa: E731
    return tf.nest.map_structure(mean, values)
