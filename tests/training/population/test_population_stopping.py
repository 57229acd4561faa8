"""Early stopping as Keras has it, and successive halving as its definition has it."""

import keras
import numpy as np
import pytest

from tests.training.population.small import (
    BATCH,
    alone,
    assert_same_history,
    assert_same_weights,
    data,
    members,
    mlp,
    population,
)
from tfcourse.training.early_stopping import EarlyStopping, Objective
from tfcourse.training.population.halving import Halving
from tfcourse.training.population.member_training import MemberTraining
from tfcourse.training.population.population import Population

pytestmark = pytest.mark.usefixtures("kept_programs")

X, Y = data(examples=3 * BATCH)
COUNT, EPOCHS, SLOTS = 7, 9, 4
OPTIONS = {"epochs": EPOCHS, "validation_data": (X[:BATCH], Y[:BATCH]), "slots": SLOTS}
CHOSEN = members(COUNT, learning_rate=[1.0, 0.03, 0.3, 0.1, 0.001, 0.5, 0.01])


@pytest.fixture(scope="module")
def trained():
    """A population, and seven members that it has trained for all of their epochs."""
    shared = Population(mlp)
    return shared, population(shared, CHOSEN, X, Y, **OPTIONS)


def by_keras(history, metric, mode, patience, min_delta):
    """How many epochs ``EarlyStopping`` would have let pass, and the best of them."""
    callback = keras.callbacks.EarlyStopping(
        metric, min_delta, patience, mode=mode, restore_best_weights=True
    )
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(history[metric]):
        callback.on_epoch_end(epoch, {metric: value})
        if getattr(model, "stop_training", False):
            break
    return epoch + 1, callback.best_epoch


@pytest.mark.parametrize(
    ("metric", "mode", "patience", "min_delta"),
    [("val_loss", "min", 1, 0.0), ("val_accuracy", "max", 2, 0.0), ("loss", "min", 1, 0.1)],
)
def test_each_member_stops_where_keras_would_stop_it(trained, metric, mode, patience, min_delta):
    shared, whole = trained
    result = population(
        shared, CHOSEN, X, Y, **OPTIONS, objective=metric, patience=patience, min_delta=min_delta
    )
    assert result.traces == 0
    assert (result.objective.name, result.objective.direction) == (metric, mode)
    lengths = set()
    for mine, full in zip(result.results, whole.results, strict=True):
        epochs, best = by_keras(full.history, metric, mode, patience, min_delta)
        expected = {name: values[:epochs] for name, values in full.history.items()}
        assert_same_history(mine.history, expected)
        assert mine.best_epoch == best
        assert mine.stopped == ("patience" if epochs < EPOCHS else "finished")
        lengths.add(epochs)
    assert len(lengths) > 2  # they do stop, and not all at the same time


def test_the_weights_are_those_that_keras_restores(trained):
    shared, _ = trained
    result = population(shared, CHOSEN, X, Y, **{**OPTIONS, "keep": "best"}, patience=1)
    ends = [(len(r.history["loss"]) - 1, r.best_epoch) for r in result.results]
    i = next(i for i, (last, best) in enumerate(ends) if best < last)
    stop = keras.callbacks.EarlyStopping(patience=1, restore_best_weights=True)
    options = {name: OPTIONS[name] for name in ("epochs", "validation_data")}
    model, history = alone(mlp, CHOSEN[i], X, Y, **options, callbacks=[stop], jit_compile=False)
    assert_same_history(result.results[i].history, history)
    assert_same_weights(result.weights(i), model.get_weights())


def halved(histories, factor, first, epochs):
    """How many epochs each member gets, from the histories of whole trainings."""
    best = np.minimum.accumulate(histories, axis=1)
    lengths, running, rung = [0] * len(histories), list(range(len(histories))), first
    while rung < epochs:
        running.sort(key=lambda i: best[i][rung - 1])
        count = max(1, len(running) // factor)
        for i in running[count:]:
            lengths[i] = rung
        running, rung = running[:count], rung * factor
    for i in running:
        lengths[i] = epochs
    return lengths


@pytest.mark.parametrize(("factor", "first", "rungs"), [(2, 1, [1, 2, 4, 9]), (3, 2, [2, 6, 9])])
def test_the_best_of_each_rung_go_on(trained, factor, first, rungs):
    """Those that go on wait for the others, and then do as if they had never waited."""
    shared, whole = trained
    result = population(shared, CHOSEN, X, Y, **OPTIONS, halving=factor, halving_epochs=first)
    assert result.traces == 0
    expected = halved([r.history["val_loss"] for r in whole.results], factor, first, EPOCHS)
    assert sorted({len(r.history["loss"]) for r in result.results}) == sorted(set(expected))
    assert set(expected) <= set(rungs)
    for mine, full, epochs in zip(result.results, whole.results, expected, strict=True):
        cut = {name: values[:epochs] for name, values in full.history.items()}
        assert_same_history(mine.history, cut)
        assert mine.stopped == ("finished" if epochs == EPOCHS else "halving")
        if epochs == EPOCHS:
            assert_same_weights(mine.weights, full.weights)


def test_members_that_end_at_a_rung_have_their_last_weights(trained):
    shared, _ = trained
    result = population(shared, CHOSEN, X, Y, **OPTIONS, halving=7, halving_epochs=2)
    short = population(shared, CHOSEN, X, Y, **{**OPTIONS, "epochs": 2})
    (winner,) = (i for i, r in enumerate(result.results) if r.stopped == "finished")
    for i, (mine, theirs) in enumerate(zip(result.results, short.results, strict=True)):
        if i != winner:
            assert_same_weights(mine.weights, theirs.weights)


@pytest.mark.parametrize(
    ("epochs", "rung"), [(1, False), (2, True), (3, False), (6, True), (12, False), (18, True)]
)
def test_the_rungs(epochs, rung):
    assert Halving(3, 2).is_rung(epochs) is rung


def test_a_nan_is_never_an_improvement():
    """Keras would take it for the best for ever if it came first."""
    rule = EarlyStopping(Objective("val_loss", "min"), patience=2)
    training = MemberTraining(0, CHOSEN[0], 10)
    stops = []
    for value in (np.nan, 1.0, np.inf, 0.5, np.nan, 0.5):
        training.add_epoch({"val_loss": value})
        stops.append(training.next_step(rule, None, "best", list))
    assert stops == [None] * 5 + ["patience"]
    assert training.best == (0.5, 3, 2)


def test_who_watches_can_stop_a_member(trained):
    """With the numbers that its history has, and after the best epoch has been kept."""
    shared, whole = trained
    told = {index: [] for index in range(COUNT)}

    def on_epoch_end(index, logs):
        told[index].append(logs["val_loss"])
        return index == 2 and len(told[index]) == 3

    result = population(shared, CHOSEN, X, Y, **OPTIONS, on_epoch_end=on_epoch_end)
    assert [r.stopped for r in result.results] == ["finished"] * 2 + ["stopped"] + ["finished"] * 4
    assert told == {i: r.history["val_loss"] for i, r in enumerate(result.results)}
    assert_same_history(
        result.results[2].history, {n: v[:3] for n, v in whole.results[2].history.items()}
    )
