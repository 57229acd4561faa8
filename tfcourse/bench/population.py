"""A member's epoch in a population beside the epoch of a model trained alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
from sklearn.datasets import load_digits

from tfcourse.bench.frame import Comparison, Contender, Spread, compare
from tfcourse.models.build import mlp
from tfcourse.optimizers import Adam
from tfcourse.training.fit import fit
from tfcourse.training.population.fit import fit_population
from tfcourse.training.population.member import Member, PopulationHistory
from tfcourse.training.population.population import Population
from tfcourse.types import KerasModel

__all__ = ["ALONE", "EPOCHS", "PLAIN", "SIZES", "UNITS", "bench"]

ALONE, PLAIN = "fit, XLA", "fit"
SIZES = (1, 8, 32, 128)
UNITS = (64, 256)
TRAINED, BATCH, EPOCHS = 1400, 64, 10
TOLERANCE = 1e-4


def bench(
    repeats: int = 7,
    sizes: Sequence[int] = SIZES,
    units: Sequence[int] = UNITS,
    epochs: int = EPOCHS,
) -> list[Comparison]:
    """Time the digits' MLP with batch norm and validation, compiled before anything is timed.

    Args:
        repeats: The number of rounds.
        sizes: The numbers of members of the populations.
        units: The units of the two hidden layers, one comparison each.
        epochs: The epochs of a sample. Work done once per call (initial weights, the result) is
            included.

    Raises:
        RuntimeError: A member differs from the model trained alone.
    """
    return [_compare(count, sizes, epochs, repeats) for count in units]


def _compare(units: int, sizes: Sequence[int], epochs: int, repeats: int) -> Comparison:
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    data = {"x": x[:TRAINED], "y": y[:TRAINED], "validation_data": (x[TRAINED:], y[TRAINED:])}
    options = data | {"batch_size": BATCH, "epochs": epochs, "verbose": 0}

    def build() -> KerasModel:
        model: KerasModel = mlp((64,), 10, units=units)
        model.compile(Adam(), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    population = Population(build)

    def members(count: int) -> PopulationHistory:
        seeds = [Member(seed) for seed in range(count)]
        return fit_population(population, seeds, slots=count, jit_compile=True, **options)

    def alone(model: KerasModel, jit_compile: bool) -> Any:
        return fit(model, seed=0, jit_compile=jit_compile, **options)

    keras.utils.set_random_seed(0)
    model = build()
    _check(alone(model, True).history, members(2).results[0].history)
    contenders = [
        Contender(ALONE, partial(alone, model, True), number=1),
        Contender(PLAIN, partial(alone, model, False), number=1),
        *(Contender(_name(count), partial(members, count), number=1) for count in sizes),
    ]
    title = f"an epoch of one model: digits, MLP {units}-{units} with batch norm, batch {BATCH}"
    comparison = compare(title, contenders, repeats=repeats)
    return _per_epoch(comparison, [epochs * count for count in (1, 1, *sizes)])


def _name(count: int) -> str:
    return f"{count} member{'s' if count > 1 else ''}, XLA"


def _check(alone: Mapping[str, Sequence[float]], member: Mapping[str, Sequence[float]]) -> None:
    for name, values in alone.items():
        apart = float(np.abs(np.subtract(values, member[name])).max())
        if not apart < TOLERANCE:
            raise RuntimeError(
                f"A member differs from the model trained alone: by up to {apart:.2g} in its "
                f"{name}."
            )


def _per_epoch(comparison: Comparison, epochs: Sequence[int]) -> Comparison:
    """Convert timings of units of ``epochs`` epochs each to timings of one epoch of one model."""

    def scaled(spread: Spread, factor: float) -> Spread:
        return Spread(tuple(value * factor for value in spread.values))

    timings = tuple(
        replace(
            timing,
            seconds=scaled(timing.seconds, 1 / count),
            ratios=scaled(timing.ratios, epochs[0] / count),
        )
        for timing, count in zip(comparison.timings, epochs, strict=True)
    )
    return replace(comparison, timings=timings)
