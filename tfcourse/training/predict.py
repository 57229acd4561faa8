"""``predict``: a drop-in for ``model.predict`` with many batches in one compiled call."""

import math
from typing import Literal

import keras
import tensorflow as tf

from tfcourse.errors import InputError
from tfcourse.internals.layers import flatten_layers
from tfcourse.training.callbacks import acts_on_batches, callback_list, next_stride
from tfcourse.training.data.adapters import stream_of
from tfcourse.training.data.arrays import Arrays, in_memory
from tfcourse.training.data.checks import check_feed
from tfcourse.training.data.feeds import ArrayFeed, Feed, StreamFeed
from tfcourse.training.data.inputs import (
    check_choices,
    check_sizes,
    limit_by_config,
    steps_per_call,
)
from tfcourse.training.programs.collect import CollectProgram, batch_specs
from tfcourse.training.programs.model_programs import predict_program
from tfcourse.training.programs.replicas import is_distributed
from tfcourse.training.programs.step import overrides, runs_eagerly
from tfcourse.types import CallbackList, Callbacks, KerasModel, Nested, TrainingData

__all__ = ["predict"]

PREDICT_HOOKS = ("on_predict_batch_begin", "on_predict_batch_end")
# The most bytes that one call of a program returns; its outputs are in memory three times.
BYTES_PER_CALL = 64 * 2**20
UNKNOWN_BATCH = 256


def predict(
    model: KerasModel,
    x: TrainingData,
    batch_size: int | None = None,
    verbose: int | str = "auto",
    steps: int | None = None,
    callbacks: Callbacks = None,
    *,
    jit_compile: bool | Literal["auto"] = "auto",
) -> Nested:
    """Return a model's outputs, with ``model.predict``'s arguments and in less time.

    Data in memory runs as one compiled program that collects the outputs of its batches, data
    of other kinds many steps a call. The outputs are those of ``model.predict`` to the last bit;
    on a GPU, where Keras compiles with XLA, to float tolerance. A callback that acts on batches is
    called at every batch, and a model's own ``predict_step`` is used.

    ``model.predict`` itself runs where outputs can't be collected in one tensor (sparse or
    ragged ones, rows whose shape is known only batch by batch, scalars), where the model has
    no weights yet, runs eagerly or makes its own loop (``make_predict_function``), and under a
    ``tf.distribute`` strategy of several devices.

    Args:
        model: A ``keras.Model``; it need not be compiled.
        x, batch_size, verbose, steps, callbacks: As for ``model.predict``.
        jit_compile: Whether to compile the step with XLA. ``"auto"`` is False: the compilation
            costs one to four seconds, which one pass over the data hardly ever saves. With True
            the numbers agree to float tolerance.

    Returns:
        The outputs as NumPy arrays, nested as the model's.

    Raises:
        InputError: The data is empty or does not suit the model, a size is not a positive whole
            number, or XLA is required and can't compile the model.
    """
    check_choices(jit_compile=jit_compile)
    check_sizes(batch_size=batch_size, steps=steps)
    feed = _feed(x, batch_size, steps)
    check_feed(model, feed, "predict_step", thorough=False)
    if not _can_be_compiled(model):
        return model.predict(_data_for_keras(feed, x), batch_size, verbose, steps, callbacks)
    program = predict_program(model, jit_compile is True)
    specs = batch_specs(feed)
    outputs = program.outputs(specs)
    if outputs is None:
        return model.predict(_data_for_keras(feed, x), batch_size, verbose, steps, callbacks)
    all_callbacks = callback_list(callbacks, model, verbose, feed.steps)
    stride = min(steps_per_call(model, feed), _steps_of_bytes(outputs, feed.batch_size))
    if acts_on_batches(all_callbacks, PREDICT_HOOKS):
        stride = int(model.steps_per_execution)
    parts = _collect(model, feed, program, stride, all_callbacks)
    if not parts:
        raise InputError("x holds no batches: there is nothing to predict.")
    return tf.nest.map_structure(
        lambda *p: (p[0] if len(p) == 1 else tf.concat(p, 0)).numpy(), *parts
    )


def _collect(
    model: KerasModel, feed: Feed, program: CollectProgram, stride: int, callbacks: CallbackList
) -> list[Nested]:
    """Return the outputs of all steps, a part for each call of the program."""
    parts: list[Nested] = []
    model.stop_predicting = False
    callbacks.on_predict_begin()
    for chunk in feed.chunks(0, next_stride(model, model.stop_predicting, stride)):
        callbacks.on_predict_batch_begin(chunk.start)
        result = chunk.run(program)
        if not result.steps:
            continue  # the feed ends, with a warning if it should not
        parts.append(result.logs)
        callbacks.on_predict_batch_end(chunk.start + result.steps - 1, {"outputs": result.logs})
        if model.stop_predicting:
            break
    callbacks.on_predict_end()
    return parts


def _can_be_compiled(model: KerasModel) -> bool:
    """Return True if the step can be traced as it is, and all its variables exist."""
    distributed = is_distributed(model) or tf.distribute.has_strategy()
    built = all(layer.built for layer in flatten_layers(model))
    own = overrides(model, "make_predict_function")
    return built and not (own or runs_eagerly(model) or distributed)


def _feed(x: TrainingData, batch_size: int | None, steps: int | None) -> Feed:
    steps = limit_by_config("steps_per_epoch", steps)
    if not in_memory(x):
        return stream_of(
            (x, None, None), steps, "steps", reset=False, once=True, batch_size=batch_size
        )
    arrays = Arrays.of(x)
    return ArrayFeed(arrays, arrays.batch_size(batch_size, steps), steps_per_epoch=steps)


def _data_for_keras(feed: Feed, x: TrainingData) -> TrainingData:
    """Return the data for Keras's own loop.

    An adapter has read the first batch of a generator, and yields it again.
    """
    if isinstance(feed, ArrayFeed):  # a table as a tensor: Keras refuses some tables
        return keras.utils.unpack_x_y_sample_weight(feed.arrays.data)[0]
    return feed.adapter if isinstance(feed, StreamFeed) else x


def _steps_of_bytes(outputs: Nested, batch_size: int | None) -> int:
    """Return the most steps of a call whose outputs take at most `BYTES_PER_CALL`."""
    leaves = tf.nest.flatten(outputs)
    row: int = sum(math.prod(leaf.shape[1:]) * leaf.dtype.size for leaf in leaves)
    return max(1, BYTES_PER_CALL // max(1, row * (batch_size or UNKNOWN_BATCH)))
