"""``fit``: a drop-in for ``model.fit`` that runs whole epochs as one compiled program."""

import os
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Literal

import keras
from keras.callbacks import TerminateOnNaN

from tfcourse.errors import InputError
from tfcourse.training.callbacks import callback_list
from tfcourse.training.checkpoints.saving import saving_of
from tfcourse.training.data.arrays import split_off_validation
from tfcourse.training.data.checks import check_training
from tfcourse.training.data.compilation import compilation_of, worth_compiling, worth_optimizing
from tfcourse.training.data.inputs import (
    Order,
    check_choices,
    check_sizes,
    evaluation_feed,
    limit_by_config,
    steps_per_call,
    train_feed,
)
from tfcourse.training.distribution import (
    agree,
    check_distribution,
    check_feeds,
    distributed_errors,
)
from tfcourse.training.loop import Loop, Plan
from tfcourse.training.non_finite.rule import OnNan, check_on_nan
from tfcourse.training.programs.building import build_state
from tfcourse.training.programs.jit import Auto
from tfcourse.training.programs.step import check_loop
from tfcourse.training.reuse.shared_traces import share_traces
from tfcourse.types import Callbacks, ClassWeight, KerasModel, SampleWeight, TrainingData

__all__ = ["fit"]


def fit(
    model: KerasModel,
    x: TrainingData = None,
    y: TrainingData = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: int | str = "auto",
    callbacks: Callbacks = None,
    validation_split: float = 0.0,
    validation_data: TrainingData = None,
    shuffle: bool = True,
    class_weight: ClassWeight | None = None,
    sample_weight: SampleWeight = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: int | Sequence[int] = 1,
    *,
    seed: int | None = None,
    jit_compile: bool | Literal["auto"] | Auto = "auto",
    on_nan: OnNan = "stop",
    checkpoint_dir: str | os.PathLike[str] | None = None,
    save_every: int | timedelta = 1,
    keep_checkpoints: int = 3,
    check_data: bool = True,
) -> keras.callbacks.History:
    """Train a compiled Keras model with ``model.fit``'s arguments, in less time.

    Data in memory (arrays and tensors, and dicts, lists and tuples of them) runs as one
    compiled program per epoch, and under XLA several short epochs in one call where nothing looks
    at the training between them (`tfcourse.training.joint_epochs`); ``tf.data`` datasets,
    ``PyDataset`` and generators run many steps a call. With ``shuffle=False`` and
    ``jit_compile=False``, history, weights and optimizer state are those of
    ``model.fit`` on a CPU. A callback that acts on batches is called at every batch. A model's own
    ``train_step`` is used.

    Under ``MirroredStrategy`` and ``MultiWorkerMirroredStrategy`` a step is that of the whole
    batch, of which each replica takes its part: create and compile the model in the strategy's
    scope, with ``synchronized=True`` in its batch normalization, and pass every worker the same
    whole data. Dropout draws the same units on all replicas. On one machine a dataset may be one
    that the strategy has distributed; its batches are put together again, which takes time.

    Three things differ on purpose:

    - A dataset that shuffles again in each epoch yields other orders than under ``model.fit``,
      which takes two iterators an epoch from it where one is needed.
    - Of data of unknown length ``model.fit`` counts the end of each epoch as an iteration of the
      optimizer, which Adam or a schedule then uses; here the steps are counted.
    - With ``steps_per_execution`` an epoch has ``steps_per_epoch`` steps, where ``model.fit`` takes
      whole executions.

    Two things are as in ``model.fit``:

    - A generator that never ends needs ``steps_per_epoch``, or ``validation_steps``: that it has
      no end can't be detected.
    - The workers of a ``PyDataset`` with ``workers=2`` or more read ahead, so that its first
      batches may be made before its ``on_epoch_begin``.

    A checkpoint (``checkpoint_dir``) holds:

    - all variables: weights, seed generators, metrics, the optimizer with its learning rate; also
      the ``tf.Variable``s and ``tf.random.Generator``s that the model and its layers have as
      attributes, and with a ``train_step`` of its own their other optimizers;
    - the history, and the seed of the shuffling;
    - the attributes of callbacks that the training changed and that are numbers, texts, arrays or
      collections of them.

    It doesn't hold NumPy's and TensorFlow's global generators, files that your own callbacks keep
    open (a ``CSVLogger``'s is continued), or the data. Of arrays the number, shapes and types
    must be the same. A dataset or generator starts at its beginning in the epoch that is
    continued, and so must yield the same batches in every epoch. Several machines must share the
    folder: the first worker writes, and all continue from the same checkpoint.

    Args:
        model: A compiled ``keras.Model``.
        x, y, batch_size, epochs, verbose, callbacks, validation_split, validation_data,
        shuffle, class_weight, sample_weight, initial_epoch, steps_per_epoch, validation_steps,
        validation_batch_size, validation_freq: As for ``model.fit``.
        seed: For arrays: the shuffling of epoch e comes from (seed, e) alone. None draws a seed
            from NumPy's global generator, which ``keras.utils.set_random_seed`` sets.
        jit_compile: Whether to compile with XLA; ``"auto"`` chooses by
            `tfcourse.training.programs.jit.choose_jit`, for the training and for its validation,
            and does without where XLA can't compile the model; ``Auto(trainings)`` of the same
            module does so for one of many trainings of a model. Under XLA the numbers agree to
            float tolerance, and dropout draws from XLA's generator. They also do where ``"auto"``
            does without XLA and computes small ``LSTM`` layers by TensorFlow's kernel for a whole
            sequence (`tfcourse.training.programs.fused_lstm`), or leaves out TensorFlow's
            optimization of the graph (``choose_optimized``), which makes products of divisions and
            powers. XLA omits some checks of a CPU: an index beyond a table reads its nearest row,
            and ``tf.debugging.assert_*`` does nothing. ``"auto"`` does without XLA where such a
            check may be lost (ids of an ``Embedding`` that are not in the arrays themselves, a
            ``tf.gather``, an assertion; it doesn't detect an ``x[i]`` or a division of whole
            numbers by 0); True accepts it.
            Programs with strings are never compiled.
        on_nan: The reaction to a loss, or a weight, that becomes NaN or infinite:

            - ``"stop"`` raises an error that names the batch and the layer, and leaves the model
              with its last finite weights, those before that batch; a ``TerminateOnNaN`` callback
              takes precedence.
            - ``"rollback"`` returns to the last copy of the state, at most to the beginning of the
              epoch, and continues there with half the learning rate of ``model.optimizer``
              (further optimizers keep theirs), up to three times.
            - ``"ignore"`` continues, as Keras does.

            For the first two, batches of a stream are kept from one copy to the next.
        checkpoint_dir: A folder for the training's state. If it holds a checkpoint, as after the
            process was killed, the same call continues from it, and ends with the weights and the
            history that it would have had without the interruption. If the training in it is
            finished, the call trains nothing; with more ``epochs`` it continues.
        save_every: A number of epochs from one checkpoint to the next, or a
            ``datetime.timedelta``, after which an epoch of arrays is also saved in its middle.
            The end of the training is always saved.
        keep_checkpoints: The number of checkpoints to keep. A damaged newest one is ignored, with
            a warning.
        check_data: Whether to check the data before the first step: for NaN and infinity,
            shapes and types that don't suit the model, ids beyond an ``Embedding``, and labels
            that the loss can't take.

    Returns:
        ``keras.callbacks.History``.

    Raises:
        NonFiniteLossError: See ``on_nan``.
        WorkFailedError: A checkpoint can't be written, as on a full disk (the earlier ones are
            intact), or the folder can't be read.
        InputError: The model is not compiled or makes its own loop (``make_train_function``), the
            data is empty, its parts differ in length or don't suit the model, a size is not a
            positive whole number, a checkpoint is of another model or of other data, ``seed`` is
            passed for data that isn't arrays in memory, or XLA is required and can't be used.
    """
    if getattr(model, "optimizer", None) is None or not model.compiled:
        raise InputError(
            "fit needs a compiled model. Call model.compile(optimizer, loss, metrics) first."
        )
    check_loop(model, "make_train_function", "model.fit")
    auto = "auto" if isinstance(jit_compile, Auto) else jit_compile
    check_choices(seed, initial_epoch, validation_freq, auto, epochs, shuffle)
    jit_compile = check_distribution(model, jit_compile)
    check_on_nan(on_nan, model.optimizer)
    check_sizes(
        batch_size=batch_size,
        validation_batch_size=validation_batch_size,
        steps_per_epoch=steps_per_epoch,
        validation_steps=validation_steps,
    )
    epochs = epochs and (limit_by_config("epochs", epochs) or epochs)
    saving = saving_of(checkpoint_dir, save_every, keep_checkpoints, seed, verbose)
    data = x, y, sample_weight
    if validation_split and validation_data is None:
        data, validation_data = split_off_validation(data, validation_split)
    order = Order(shuffle, seed, initial_epoch)
    train = train_feed(data, batch_size, steps_per_epoch, order, class_weight)
    validation = None
    if validation_data is not None:
        check_loop(model, "make_test_function", "model.fit")
        parts = keras.utils.unpack_x_y_sample_weight(validation_data)
        size = validation_batch_size or batch_size
        validation = evaluation_feed(parts, size, validation_steps, "validation_steps")
    if check_data:
        check_training(model, train, validation)
    build_state(model, train.sample, validation and validation.sample)
    share_traces(model)
    check_feeds(model, train, validation)
    all_callbacks = callback_list(callbacks, model, verbose, train.steps, epochs, add_history=True)
    if on_nan == "stop" and any(isinstance(c, TerminateOnNaN) for c in all_callbacks.callbacks):
        on_nan = "ignore"
    choice = model, jit_compile, max(epochs - initial_epoch, 0)
    jit = compilation_of(model, train, validation, jit_compile, partial(worth_compiling, *choice))
    jit = jit._replace(optimized=worth_optimizing(*choice, train))
    steps = steps_per_call(model, train)
    plan = Plan(jit, steps, validation_freq, on_nan)
    loop = Loop(model, train, validation, plan, all_callbacks, saving)
    with distributed_errors(model):
        agree(loop, seed, epochs, initial_epoch)
        return loop.run(initial_epoch, epochs)
