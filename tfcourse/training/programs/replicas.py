"""The steps of a model under ``tf.distribute``: each replica a part of the batch, then one step.

A batch of B examples is cut into N parts of almost equal size, in their order. Each replica's
mean loss counts by its share nᵣ/B, so that the summed gradient is that of the whole batch also
where N does not divide B, and the optimizer takes one step with it, as on one device. (Keras
counts every replica alike, 1/N, and clips the gradient of each by itself.)
"""

import functools
import itertools
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tfcourse.errors import InputError
from tfcourse.internals.layers import takes_training
from tfcourse.internals.models import compute_loss, loss_tracker, strategy_of
from tfcourse.optimizers.keras_equivalent import optimizer_parts
from tfcourse.training.programs.tree import first_leaf, map_leaves
from tfcourse.types import (
    Array,
    KerasModel,
    Nested,
    Optimizer,
    Scalar,
    Strategy,
    Tensor,
    TensorFunction,
)

__all__ = [
    "distributed_test_step",
    "distributed_train_step",
    "gather_numbers",
    "is_distributed",
    "needs_whole_gradient",
    "uneven",
]

BatchFunction = Callable[[Nested], Nested]


def is_distributed(model: KerasModel) -> bool:
    """Return True if the model was created in the scope of a ``tf.distribute`` strategy."""
    return strategy_of(model) is not None


def distributed_train_step(model: KerasModel, own: bool, logs: bool) -> BatchFunction:
    """Return a training step on a whole batch.

    Args:
        model: A built model, created in a strategy's scope.
        own: Whether the model has a ``train_step`` of its own. The replicas run it as it is, and
            count alike, as in Keras; so N must divide the batch.
        logs: Whether the step returns its logs, the mean over the replicas.
    """
    strategy, optimizer = model.distribute_strategy, model.optimizer
    whole = needs_whole_gradient(optimizer)

    def step(batch: Nested) -> Nested:
        parts = _parts(batch, strategy.num_replicas_in_sync, even=own)
        if own:
            values = strategy.run(_on_part(lambda part, _: model.train_step(part)), (parts,))
        else:
            values, gradients = strategy.run(_on_part(_learn, model, whole), (parts,))
            if whole:
                optimizer.apply(_first(strategy, gradients), model.trainable_weights)
        return _means(strategy, values) if logs else ()

    return step


def distributed_test_step(model: KerasModel, logs: bool) -> BatchFunction:
    """Return an evaluation step on a whole batch, of which a replica's part may be empty."""
    strategy = model.distribute_strategy

    def step(batch: Nested) -> Nested:
        parts = _parts(batch, strategy.num_replicas_in_sync, least=0)
        values = strategy.run(_on_part(lambda part, _: model.test_step(part)), (parts,))
        return _means(strategy, values) if logs else ()

    return step


def needs_whole_gradient(optimizer: Optimizer) -> bool:
    """Return True if replicas can't take the optimizer's step with their parts of the gradient.

    Clipping is not linear; accumulation and overwriting by averages branch, and TensorFlow's
    replicas can't meet within a branch. Such a step is taken outside of them.
    """
    options = ("clipnorm", "clipvalue", "global_clipnorm", "gradient_accumulation_steps",
               "ema_overwrite_frequency")  # fmt: skip
    parts = optimizer_parts(optimizer)
    return any(getattr(part, option, None) is not None for part in parts for option in options)


def gather_numbers(strategy: Strategy, numbers: Sequence[int]) -> Array:
    """Return the numbers of all replicas, a row for each; every worker must call it at once."""
    rows: Array = _gather(strategy)(tf.constant([numbers], tf.int64)).numpy()
    return rows


@functools.cache
def _gather(strategy: Strategy) -> TensorFunction:
    def gather(row: Tensor) -> Tensor:
        return strategy.gather(strategy.run(lambda: row), axis=0)

    return tf.function(gather, autograph=False)


def uneven(replicas: int, own: bool) -> str:
    """Return the message for a batch that can't be divided among the replicas."""
    if own:
        return (
            f"A model with its own train_step needs batches that {replicas} replicas can share "
            "equally, because each of them counts alike."
        )
    return f"Every batch must hold an example for each of the {replicas} replicas."


def _learn(
    part: Nested, share: Tensor, model: KerasModel, whole: bool
) -> tuple[Nested, Sequence[Tensor | None]]:
    """Take a replica's side of a step; return its metrics and, if ``whole``, the gradients.

    It is Keras's ``train_step`` with the replica's share in the loss. If not ``whole``, the
    optimizer adds up the replicas' gradients and takes its step.
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
        parts = [gradient for gradient in gradients if gradient is not None]
        sums = iter(context.all_reduce(tf.distribute.ReduceOp.SUM, parts))
        gradients = [None if gradient is None else next(sums) for gradient in gradients]
    else:
        model.optimizer.apply(gradients, model.trainable_weights)
    metrics = model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)
    return metrics, gradients if whole else ()


def _on_part(call: Callable[..., Nested], *arguments: object) -> BatchFunction:
    """Return a function of all parts that calls ``call`` on the replica's own part."""

    def replica(parts: Nested) -> Nested:
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        part, share = parts[tf.get_static_value(number)]
        return call(part, share, *arguments)

    return replica


def _parts(
    batch: Nested, replicas: int, least: int = 1, even: bool = False
) -> list[tuple[Nested, Tensor]]:
    """Return the parts of a batch, each with its share: N·nᵣ/B, which is 1 where all are equal."""
    rows = _rows(batch)
    right = (rows >= replicas * least) & ((rows % replicas == 0) | (not even))
    if not isinstance(rows, int):
        with tf.control_dependencies([tf.debugging.Assert(right, [uneven(replicas, even)])]):
            rows = tf.identity(rows)
    elif not right or rows < replicas:  # a part whose shape says that it is empty has no mean
        raise InputError(f"{uneven(replicas, even)} Received: a batch of {rows}.")
    ends = [number * rows // replicas for number in range(replicas + 1)]

    def part(start: Scalar, stop: Scalar) -> tuple[Nested, Tensor]:
        share = tf.cast((stop - start) * replicas / rows, tf.float32)
        return map_leaves(lambda t: t[start:stop], batch), share

    return [part(start, stop) for start, stop in itertools.pairwise(ends)]


def _rows(batch: Nested) -> int | Tensor:
    """Return the number of examples of a batch; a tensor where its shape lacks it."""
    leaf = first_leaf(batch)
    return tf.shape(leaf)[0] if leaf.shape[0] is None else leaf.shape[0]


def _first(strategy: Strategy, values: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Return the values of the first of this machine's replicas."""
    return [v if v is None else strategy.experimental_local_results(v)[0] for v in values]


def _means(strategy: Strategy, values: Nested) -> Nested:
    mean = lambda value: strategy.reduce(tf.distribute.ReduceOp.MEAN, value, axis=None)  # noqa: E731
    return tf.nest.map_structure(mean, values)
