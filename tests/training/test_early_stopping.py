"""The rule of early stopping against Keras's callback, for one training and for many at once."""

import itertools
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tfcourse.training.early_stopping import BestEpoch, EarlyStopping, Objective

MEMBERS, EPOCHS = 40, 12
# As accuracies are: many values, and sums with a min_delta of 0.05, are equal but for rounding.
VALUES = np.random.default_rng(0).choice(np.linspace(0.5, 1, 11), (EPOCHS, MEMBERS))
VALUES = VALUES.astype("float32").astype("float64")
CASES = [*itertools.product(("min", "max"), (0, 1, 3), (0.0, 0.05), (0, 2))]


def by_keras(values, mode, patience, min_delta, start):
    """The callback after a training: the epochs that it took, its best epoch and its value."""
    stop = keras.callbacks.EarlyStopping(
        "m", min_delta, patience, mode=mode, start_from_epoch=start
    )
    stop.set_model(SimpleNamespace(stop_training=False))
    stop.on_train_begin()
    for epoch, value in enumerate(values):
        stop.on_epoch_end(epoch, {"m": float(value)})
        if stop.model.stop_training:
            break
    return epoch + 1, stop.best_epoch, stop.best


def rule(mode, patience, min_delta, start):
    return EarlyStopping(Objective("m", mode, min_delta), patience, start)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_training_stops_where_keras_stops_it(case):
    stopping, lengths = rule(*case), set()
    for values in VALUES.T:
        best = BestEpoch()
        for epoch, value in enumerate(map(float, values)):
            best = stopping.update(best, epoch, value)
            if stopping.stops(best, epoch):
                break
        assert (epoch + 1, best.epoch, best.value) == by_keras(values, *case)
        lengths.add(epoch + 1)
    assert len(lengths) > 1


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_member_axis_changes_nothing(case):
    stopping = rule(*case)
    together, each = BestEpoch(), [BestEpoch() for _ in range(MEMBERS)]
    for epoch, values in enumerate(VALUES):
        together = stopping.update(together, epoch, values)
        each = [stopping.update(*b) for b in zip(each, [epoch] * MEMBERS, values, strict=True)]
        np.testing.assert_array_equal(np.transpose(together), each)
        epochs = np.full(MEMBERS, epoch)
        expected = [bool(stopping.stops(best, epoch)) for best in each]
        np.testing.assert_array_equal(stopping.stops(together, epochs), expected)


def test_without_a_patience_nothing_stops():
    stopping = EarlyStopping(Objective("m", "min"))
    assert not stopping.stops(BestEpoch(0.0, 0, 100), 100)
    assert not stopping.stops(BestEpoch(0.0, 0, 100), np.array([99, 100])).any()


@pytest.mark.parametrize("direction", ["min", "max"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_never_improves(direction, value):
    objective = Objective("m", direction)
    assert not objective.improves(value, np.nan)
    assert not objective.improves(value, 0.0)
    assert objective.improves(0.0, np.nan)
