"""``fit_population``: many models of one architecture, trained in one compiled program."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import keras
import numpy as np

from tfcourse.errors import InputError, one_of, shown
from tfcourse.training.data.arrays import in_memory
from tfcourse.training.data.checks import check_training
from tfcourse.training.data.compilation import (
    Compilation,
    JitCompile,
    compilation_of,
    worth_compiling,
)
from tfcourse.training.data.feeds import ArrayFeed
from tfcourse.training.data.inputs import (
    Order,
    check_choices,
    check_sizes,
    evaluation_feed,
    steps_per_call,
    train_feed,
)
from tfcourse.training.early_stopping import EarlyStopping, Objective, find_direction
from tfcourse.training.population.checks import check_members
from tfcourse.training.population.halving import Halving
from tfcourse.training.population.member import Member, PopulationHistory
from tfcourse.training.population.member_training import Keep, MemberTraining
from tfcourse.training.population.population import Population
from tfcourse.training.population.progress import ProgressBar
from tfcourse.training.population.run import OnEpochEnd, OnMemberEnd, PopulationPlan, Run
from tfcourse.training.population.sizes import choose_slots, seconds_saved
from tfcourse.training.programs.jit import Auto, pays
from tfcourse.types import ClassWeight, KerasModel, Nested, SampleWeight, TrainingData

__all__ = ["fit_population"]


def fit_population(
    build: Callable[[], KerasModel] | KerasModel | Population,
    members: Sequence[Member],
    x: TrainingData,
    y: TrainingData = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: int | str = "auto",
    validation_data: TrainingData = None,
    shuffle: bool = True,
    class_weight: ClassWeight | None = None,
    sample_weight: SampleWeight = None,
    validation_batch_size: int | None = None,
    *,
    objective: str | None = None,
    direction: Literal["auto", "min", "max"] = "auto",
    patience: int | None = None,
    min_delta: float = 0.0,
    halving: int | None = None,
    halving_epochs: int = 1,
    keep: Keep = "best",
    slots: int | None = None,
    on_member_end: OnMemberEnd | None = None,
    on_epoch_end: OnEpochEnd | None = None,
    jit_compile: bool | Literal["auto"] | Auto = "auto",
    check_data: bool = True,
) -> PopulationHistory:
    """Train many models of one architecture side by side, each as if it were trained alone.

    The members differ in their seed, the optimizer's hyperparameters and the rate of tfcourse's
    dropout. All that a training changes (weights, moving statistics, seed generators, the
    optimizer's variables, metrics) is stacked, and one program takes a step of all members at
    once. That pays for models so small that a step is mostly overhead.

    Member i is the model that is built after ``keras.utils.set_random_seed(member.seed)`` and
    trained by ``tfcourse.fit(model, ..., seed=member.seed)`` with its hyperparameters: the same
    initial weights, order of examples and dropout draws. History and weights agree to 1e-5 after
    a few epochs, and depend neither on the other members nor on the slot; on a CPU, with XLA on
    both sides, they have been the same to the last bit. Two exceptions:

    - A bias right before batch normalization has a gradient that is 0 but for rounding, which
      RMSprop and Adam turn into whole steps: after three epochs of digits at a learning rate of
      0.01 such biases were up to 0.2 apart, and the moving means and the validation's loss, to
      0.003, with them; all else agreed to 2e-6. Build that layer with ``use_bias=False``.
    - Of a model with several outputs, the loss of each is averaged over examples, as `fit` does
      under XLA; without it Keras averages over batches, of which the last may be smaller.

    A member whose loss or weights become NaN or infinite ends with that epoch, as
    ``"not finite"``; the others are not affected. Layers, optimizers and options that a population
    does not support are refused before the training.

    Args:
        build: A function without arguments that returns a compiled model; or the compiled model
            itself, whose config the members are then built from. Its own weights do not change.
            All members have its architecture, loss, metrics and optimizer, which is one of
            tfcourse's. A `tfcourse.training.Population` of it keeps the compiled program for
            further calls.
        members: A list of `tfcourse.Member`: seed, hyperparameters, perhaps epochs.
        x, y, class_weight, sample_weight: Arrays in memory, as for `tfcourse.fit`.
        batch_size: The examples of a step, 32 by default. Examples that fill no batch are a
            smaller one at the end.
        epochs: The epochs of a member that has no number of its own.
        verbose: 0 for no progress bar, which counts the epochs of all members; 2 for its end.
        validation_data: ``(x, y)`` or ``(x, y, sample_weight)``, on which each member is
            evaluated after every epoch.
        shuffle: Whether each member sees the examples in an order of its own, from (seed, epoch).
        validation_batch_size: As ``batch_size``, which is its default.
        objective: The metric by which members are compared, such as ``"val_accuracy"``; None for
            the validation's loss, or the training's.
        direction: ``"min"`` or ``"max"``; ``"auto"`` takes it from the metric.
        patience: Epochs without an improvement of the objective after which a member stops, as
            ``keras.callbacks.EarlyStopping`` counts them. None for no early stopping.
        min_delta: The amount that an improvement must exceed.
        halving: Successive halving: after ``halving_epochs`` epochs, and after each ``halving``
            times as many, one in ``halving`` members continues, those with the best objective so
            far; the others stop.
        halving_epochs: The epochs before members are compared for the first time.
        keep: The weights of a member to keep: those of its ``"best"`` epoch by the objective,
            or its ``"last"``.
        slots: The members that are trained at a time; the next one takes the place of one that
            stops, in the same program. Slots without a member are idle: with as many slots, a
            smaller population needs no program of its own. None chooses
            (`tfcourse.training.population.sizes.choose_slots`).
        on_member_end: Called as ``on_member_end(index, result)`` as soon as a member has ended,
            with a `MemberResult`.
        on_epoch_end: Called as ``on_epoch_end(index, logs)`` after each epoch of each member,
            with the epoch's loss and metrics; a member stops if it returns True.
        jit_compile: Whether to compile with XLA; ``"auto"`` chooses by the work that is planned
            (`tfcourse.training.population.sizes.seconds_saved`), and does without where XLA would
            omit checks, as in `tfcourse.fit`.
        check_data: As for `tfcourse.fit`.

    Returns:
        A `PopulationHistory`: ``results``, one `MemberResult` a member; ``best``, the number of
        the best; ``weights(i)`` and ``assign(i, model)``.

    Raises:
        InputError: The model can't be trained in a population, a member or an argument is wrong,
            or the data doesn't suit the model.
    """
    population = build if isinstance(build, Population) else Population(build)
    model = population.model
    members = check_members(members, model)
    check_choices(jit_compile="auto" if isinstance(jit_compile, Auto) else jit_compile)
    check_sizes(batch_size=batch_size, validation_batch_size=validation_batch_size)
    check_sizes(epochs=epochs, slots=slots)
    _check_stopping(patience, min_delta, halving, halving_epochs, keep)
    train, validation = _feeds(
        (x, y, sample_weight), batch_size, shuffle, class_weight, validation_data,
        validation_batch_size,
    )  # fmt: skip
    if check_data:
        check_training(model, train, validation)
    step, fresh = population.prepare(train.sample)
    compared_by = _objective(model, objective, direction, min_delta, validation is not None)
    slots = slots or choose_slots(len(members), step.bytes)
    trainings = [MemberTraining(i, m, m.epochs or epochs) for i, m in enumerate(members)]
    jit = _compilation(model, train, validation, jit_compile, slots, [t.epochs for t in trainings])
    program = population.program(step, train.batch_size, (validation or train).batch_size, jit)
    plan = PopulationPlan(
        slots,
        steps_per_call(model, train, slots),
        EarlyStopping(compared_by, patience),
        Halving(halving, halving_epochs) if halving else None,
        keep,
        on_member_end,
        on_epoch_end,
    )
    progress = ProgressBar(sum(t.epochs for t in trainings), verbose, compared_by)
    traces = program.traces
    results = Run(program, fresh, train, validation, plan, progress).run(trainings)
    return PopulationHistory(
        results, compared_by, slots, program.jit_compile, program.traces - traces
    )


def _feeds(
    data: Nested,
    batch_size: int | None,
    shuffle: bool,
    class_weight: ClassWeight | None,
    validation_data: TrainingData,
    validation_batch_size: int | None,
) -> tuple[ArrayFeed, ArrayFeed | None]:
    """Return the training and the validation data, which must be arrays."""
    parts = keras.utils.unpack_x_y_sample_weight(validation_data)
    if not in_memory(*data) or not (validation_data is None or in_memory(*parts)):
        raise InputError(
            "A population is trained on arrays in memory. Received: data of another kind. Read "
            "it into arrays, or train the models with tfcourse.fit."
        )
    train: Any = train_feed(data, batch_size, None, Order(shuffle, 0, 0), class_weight)
    if validation_data is None:
        return train, None
    validation: Any = evaluation_feed(parts, validation_batch_size or batch_size, None, "")
    return train, validation


def _compilation(
    model: KerasModel,
    train: ArrayFeed,
    validation: ArrayFeed | None,
    jit_compile: JitCompile,
    slots: int,
    epochs: Sequence[int],
) -> Compilation:
    """Return the choice of XLA, for the training and the validation of a population alike."""
    if isinstance(jit_compile, Auto):
        worth_it = worth_compiling(model, jit_compile, max(epochs), train)
    else:
        steps = math.ceil(sum(epochs) / slots) * train.available
        worth_it = pays(model, seconds_saved(steps, slots))
    jit = compilation_of(model, train, validation, jit_compile, lambda _: worth_it)
    both = validation is None or jit.validation_in_range
    return jit if both else jit._replace(in_range=())


def _check_stopping(
    patience: object, min_delta: object, halving: object, halving_epochs: object, keep: object
) -> None:
    check_sizes(patience=patience, halving=halving, halving_epochs=halving_epochs)
    if halving == 1:
        raise InputError(
            "halving must be a whole number >= 2, as one in halving members continues, or None. "
            f"Received: {halving}."
        )
    if (
        isinstance(min_delta, bool)
        or not isinstance(min_delta, int | float | np.integer | np.floating)
        or not 0 <= min_delta < math.inf
    ):
        raise InputError(f"min_delta must be a number >= 0. Received: {shown(min_delta)}.")
    if keep not in get_args(Keep):
        raise InputError(one_of("keep", keep, get_args(Keep)))


def _objective(
    model: KerasModel, name: str | None, direction: str, min_delta: float, validated: bool
) -> Objective:
    """Return the objective that the members are compared by; the loss by default."""
    names = list(model.get_metrics_result())
    if validated:
        names += [f"val_{each}" for each in names]
    name = name or ("val_loss" if validated else "loss")
    if name not in names:
        raise InputError(one_of("objective", name, names))
    return Objective(name, find_direction(model, name, direction), min_delta)
