"""``fit``: a drop-in for ``model.fit`` that runs whole epochs as one compiled program."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from tfcourse.errors import InputError
from tfcourse.training.arrays import Arrays, epoch_order, in_memory, split_off_validation
from tfcourse.training.callbacks import TEST_HOOKS, TRAIN_HOOKS, acts_on_batches, numbers_of
from tfcourse.training.jit import choose_jit
from tfcourse.training.step import build_state, test_program, train_program

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
) -> Any:
    """Trains a compiled Keras model: ``model.fit``'s arguments and its numbers, in less time.

    Data in memory (arrays and tensors, and dicts, lists and tuples of them) runs as one
    compiled program per epoch. With ``shuffle=False`` and without XLA, history, weights and
    optimizer state are those of ``model.fit``. A callback that acts on batches gets every batch.
    A model's own ``train_step`` is kept.

    Data of other kinds (``tf.data``, ``PyDataset``, generators), ``steps_per_epoch``,
    ``validation_steps`` and models under a ``tf.distribute`` strategy are handed to Keras's own
    loop, ``model.fit``, with the same arguments; ``seed`` and ``jit_compile`` can't be had there.

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
    val = keras.utils.unpack_x_y_sample_weight(validation_data)
    counted = steps_per_epoch is not None or validation_steps is not None
    if counted or _distributed(model) or not in_memory(x, y, sample_weight, *val):
        if seed is not None or jit_compile != "auto":
            raise InputError(
                "seed and jit_compile are for data in memory, without steps_per_epoch, "
                "validation_steps or a tf.distribute strategy. Leave them out: this training runs "
                "in Keras's own loop, by the model's jit_compile and the data's own shuffling."
            )
        return model.fit(
            x,
            y,
            batch_size,
            epochs,
            verbose,
            callbacks,
            validation_split,
            validation_data,
            shuffle,
            class_weight,
            sample_weight,
            initial_epoch,
            steps_per_epoch,
            validation_steps,
            validation_batch_size,
            validation_freq,
        )
    batch_size = 32 if batch_size is None else batch_size
    validation_batch_size = validation_batch_size or batch_size
    _check_sizes(epochs=epochs, batch_size=batch_size, validation_batch_size=validation_batch_size)
    if validation_split and validation_data is None:
        (x, y, sample_weight), val = split_off_validation((x, y, sample_weight), validation_split)
    train = Arrays.of(x, y, sample_weight, class_weight)
    validation = None if val[0] is None else Arrays.of(*val)
    seed = int(np.random.randint(2**31 - 1)) if seed is None else seed
    plan = _Plan(batch_size, validation_batch_size, validation_freq, shuffle, seed)
    return _fit_arrays(
        model, train, validation, plan, callbacks, verbose, initial_epoch, epochs, jit_compile
    )


def _fit_arrays(
    model: Any,
    train: Arrays,
    validation: Arrays | None,
    plan: "_Plan",
    callbacks: Any,
    verbose: int | str,
    initial_epoch: int,
    epochs: int,
    jit_compile: bool | Literal["auto"],
) -> Any:
    build_state(model, train.first(plan.batch_size))
    steps = train.batches(plan.batch_size)
    if jit_compile == "auto":
        planned = steps * max(epochs - initial_epoch, 0)
        jit_compile = choose_jit(model, train.data, plan.batch_size, planned)
    if not isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = keras.callbacks.CallbackList(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            verbose=verbose,
            epochs=epochs,
            steps=steps,
            model=model,
        )
    return _Loop(model, train, validation, plan, callbacks, jit_compile).run(initial_epoch, epochs)


@dataclass(frozen=True)
class _Plan:
    batch_size: int
    validation_batch_size: int
    validation_freq: int | Sequence[int]
    shuffle: bool
    seed: int

    def validates(self, epoch: int) -> bool:
        if isinstance(self.validation_freq, int | np.integer):
            return (epoch + 1) % self.validation_freq == 0
        return epoch + 1 in self.validation_freq


class _Loop:
    """The epochs of one call of `fit`: it only iterates."""

    def __init__(
        self,
        model: Any,
        train: Arrays,
        validation: Arrays | None,
        plan: _Plan,
        callbacks: Any,
        jit_compile: bool,
    ) -> None:
        self.model, self.train, self.validation = model, train, validation
        self.plan, self.callbacks, self.jit_compile = plan, callbacks, jit_compile
        self.train_step_by_step = acts_on_batches(callbacks, TRAIN_HOOKS)
        self.test_step_by_step = acts_on_batches(callbacks, TEST_HOOKS)

    def run(self, initial_epoch: int, epochs: int) -> Any:
        model, callbacks, logs = self.model, self.callbacks, None
        model.stop_training = False
        callbacks.on_train_begin()
        # BackupAndRestore sets the epoch to continue from on the model.
        for epoch in range(model._initial_epoch or initial_epoch, epochs):
            model.reset_metrics()
            callbacks.on_epoch_begin(epoch)
            logs = self._train_epoch(epoch)
            if self.validation is not None and self.plan.validates(epoch):
                logs |= {f"val_{name}": value for name, value in self._validate().items()}
            callbacks.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
        if isinstance(model.optimizer, keras.optimizers.Optimizer):
            model.optimizer.finalize_variable_values(model.trainable_weights)
        callbacks.on_train_end(logs)
        return model.history

    def _train_epoch(self, epoch: int) -> dict[str, Any]:
        plan, train = self.plan, self.train
        order = epoch_order(train.count, plan.shuffle, plan.seed, epoch)
        steps = train.batches(plan.batch_size)
        program = train_program(self.model, self.jit_compile)
        logs: Any = {}
        stride = 1 if self.train_step_by_step else steps
        for start in range(0, steps, stride):
            stop = start + stride
            self.callbacks.on_train_batch_begin(start)
            logs = program(train.data, order, plan.batch_size, start, stop)
            self.callbacks.on_train_batch_end(stop - 1, logs)
            if self.model.stop_training:
                break
        return numbers_of(logs)

    def _validate(self) -> dict[str, Any]:
        model, callbacks, validation = self.model, self.callbacks, self.validation
        assert validation is not None
        size = self.plan.validation_batch_size
        steps = validation.batches(size)
        program = test_program(model, self.jit_compile)
        callbacks.on_test_begin()
        model.reset_metrics()
        order, stride = tf.range(validation.count), 1 if self.test_step_by_step else steps
        logs: Any = {}
        for start in range(0, steps, stride):
            callbacks.on_test_batch_begin(start)
            logs = program(validation.data, order, size, start, start + stride)
            callbacks.on_test_batch_end(start + stride - 1, logs)
        logs = numbers_of(logs)
        callbacks.on_test_end(logs)
        return logs


def _distributed(model: Any) -> bool:
    return tf.distribute.has_strategy() or model.distribute_strategy.num_replicas_in_sync > 1


def _check_sizes(**sizes: Any) -> None:
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise InputError(f"{name} must be a whole number >= 1. Received: {size!r}.")
