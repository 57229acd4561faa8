"""Members in slots: refilled without a new trace, and none the wiser for its neighbours."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfcourse
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
from tfcourse import GradientDescent, InputError, Member, WorkFailedError
from tfcourse.training.population import sizes
from tfcourse.training.population.population import Population
from tfcourse.training.programs.jit import pays

pytestmark = pytest.mark.usefixtures("kept_programs")

X, Y = data()
OPTIONS = {"epochs": 3, "validation_data": (X[:20], Y[:20]), "slots": 2}
# Where a search would look: the best of them is not the last, and some get worse again.
RATES = [0.3, 0.03, 1.0, 0.1, 0.003]
CHOSEN = members(5, learning_rate=RATES)


@pytest.fixture(scope="module")
def trained():
    """A population, kept for all tests, and five members that it has trained in two slots."""
    shared = Population(mlp)
    return shared, population(shared, CHOSEN, X, Y, **OPTIONS)


def test_more_members_than_slots(trained):
    """Each is the model that ``fit`` trains with the member's seed, and its order of examples."""
    _, result = trained
    assert (result.slots, result.traces, len(result.results)) == (2, 2, 5)
    options = {**OPTIONS, "jit_compile": False}
    del options["slots"]
    for i in (0, 4):
        model, expected = alone(mlp, CHOSEN[i], X, Y, **options)
        assert_same_history(result.results[i].history, expected)
        assert_same_weights(result.weights(i), model.get_weights())


def test_a_further_call_traces_nothing(trained):
    shared, before = trained
    result = population(shared, CHOSEN[::-1], X, Y, **OPTIONS)
    assert result.traces == 0
    for mine, theirs in zip(result.results[::-1], before.results, strict=True):
        assert_same_history(mine.history, theirs.history)
        assert_same_weights(mine.weights, theirs.weights)


def test_neither_the_number_of_slots_nor_idle_ones_matter(trained):
    shared, before = trained
    result = population(shared, CHOSEN, X, Y, **{**OPTIONS, "slots": 7})
    for mine, theirs in zip(result.results, before.results, strict=True):
        assert_same_history(mine.history, theirs.history)
        assert_same_weights(mine.weights, theirs.weights)


def test_members_with_epochs_of_their_own(trained):
    shared, before = trained
    chosen = [Member(m.seed, m.hyperparameters, 1 + i % 3) for i, m in enumerate(CHOSEN)]
    result = population(shared, chosen, X, Y, **OPTIONS)
    assert result.traces == 0
    for i, (mine, theirs) in enumerate(zip(result.results, before.results, strict=True)):
        expected = {name: values[: 1 + i % 3] for name, values in theirs.history.items()}
        assert_same_history(mine.history, expected)


def test_a_member_that_is_not_finite_stays_alone_with_it(trained):
    shared, before = trained
    chosen = [CHOSEN[0], Member(7, {"learning_rate": 1e38}), *CHOSEN[1:]]
    result = population(shared, chosen, X, Y, **{**OPTIONS, "keep": "best"})
    broken = result.results[1]
    assert (broken.stopped, broken.best_epoch, broken.weights) == ("not finite", None, None)
    assert broken.message == "The loss is not finite in epoch 1, batch 2."
    assert len(broken.history["loss"]) == 1
    assert not np.isfinite(broken.history["loss"]).any()
    with pytest.raises(WorkFailedError, match=r"Member 1 has no finite weights\. The loss is not"):
        result.weights(1)
    others = [r for i, r in enumerate(result.results) if i != 1]
    for mine, theirs in zip(others, before.results, strict=True):
        assert_same_history(mine.history, theirs.history)
        assert mine.stopped == "finished"


def line():
    """``w x`` with w = 0 and the squared error."""
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((1,)), dense])
    model.compile(GradientDescent(), loss="mse")
    return model


def test_a_weight_that_overflows_in_the_last_step():
    """The loss, 2.5e37, is still a number, and so is its gradient, -5e37."""
    x = np.full((4, 1), 5e18, "float32")
    chosen = members(2, learning_rate=[10.0, 4e-38])
    result = population(line, chosen, x, x)
    assert [r.stopped for r in result.results] == ["not finite", "finished"]
    assert result.results[0].message == "A weight is not finite after epoch 1."
    np.testing.assert_allclose([r.history["loss"] for r in result.results], [[2.5e37]] * 2, 1e-6)
    np.testing.assert_allclose(result.weights(1), [[[2.0]]], 1e-6)


def test_what_is_kept_and_given_to_a_model(trained):
    shared, last = trained
    result = population(shared, CHOSEN, X, Y, **{**OPTIONS, "keep": "best"})
    scores = [r.history["val_loss"] for r in result.results]
    assert result.best == int(np.argmin([min(s) for s in scores]))
    assert [r.best_epoch for r in result.results] == [int(np.argmin(s)) for s in scores]
    assert {r.best_epoch for r in result.results} > {2}  # or the best would be the last
    model = mlp()
    for i, kept in enumerate(scores):
        result.assign(i, model)
        loss = model.evaluate(X[:20], Y[:20], verbose=0, return_dict=True)["loss"]
        np.testing.assert_allclose(loss, min(kept), 1e-5)
        last.assign(i, model)
        loss = model.evaluate(X[:20], Y[:20], verbose=0, return_dict=True)["loss"]
        np.testing.assert_allclose(loss, kept[-1], 1e-5)
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(tfcourse.InputError, match=r"shapes \[\(3, 2\), \(2,\)\], those of the pop"):
        result.assign(0, other)


def test_members_are_handed_over_as_they_end(trained):
    shared, _ = trained
    chosen = [Member(m.seed, m.hyperparameters, e) for m, e in zip(CHOSEN, [3, 1, 1], strict=False)]
    ended = {}
    result = population(shared, chosen, X, Y, **OPTIONS, on_member_end=ended.__setitem__)
    assert list(ended) == [1, 2, 0]
    assert [ended[i] for i in range(3)] == list(result.results)


def test_an_interrupt_comes_through_and_leaves_the_population_usable(trained):
    shared, before = trained

    def interrupt(index, result):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        population(shared, CHOSEN, X, Y, **OPTIONS, on_member_end=interrupt)
    result = population(shared, CHOSEN[:2], X, Y, **OPTIONS)
    assert result.traces == 0
    assert_same_history(result.results[1].history, before.results[1].history)


def test_an_epoch_in_many_calls(trained, monkeypatch):
    shared, before = trained
    monkeypatch.setattr("tfcourse.training.data.inputs.SECONDS_PER_CALL", 0)  # a step a call
    result = population(shared, CHOSEN, X, Y, **OPTIONS)
    assert result.traces == 0
    for mine, theirs in zip(result.results, before.results, strict=True):
        assert_same_history(mine.history, theirs.history)
        assert_same_weights(mine.weights, theirs.weights)


def test_the_model_itself_in_the_place_of_a_function(trained):
    _, before = trained
    model = mlp()
    weights = [w + 1 for w in model.get_weights()]
    model.set_weights(weights)
    result = population(model, CHOSEN[:3], X, Y, **OPTIONS)
    for mine, theirs in zip(result.results, before.results, strict=False):
        assert_same_history(mine.history, theirs.history)
        assert_same_weights(mine.weights, theirs.weights)
    assert_same_weights(model.get_weights(), weights, 0)
    assert model.optimizer.iterations.numpy() == 0


def test_the_callers_generators_are_left_alone(trained):
    random.seed(3)
    np.random.seed(3)
    expected = random.random(), np.random.random()
    random.seed(3)
    np.random.seed(3)
    population(trained[0], CHOSEN[:2], X, Y, **OPTIONS)
    assert (random.random(), np.random.random()) == expected


def test_the_progress_bar(trained, capsys):
    shared, _ = trained
    population(shared, CHOSEN, X, Y, **OPTIONS)
    assert capsys.readouterr().out == ""
    population(shared, CHOSEN, X, Y, **{**OPTIONS, "verbose": 1})
    shown = capsys.readouterr().out
    assert "15/15" in shown
    assert shown.count("\n") == 1
    assert "best val_loss" in shown


@pytest.mark.parametrize(
    ("count", "megabytes", "slots"),
    [(1, 1, 1), (64, 1, 64), (65, 1, 33), (128, 1, 64), (200, 1, 50), (20, 30, 7), (3, 1000, 1)],
)
def test_the_slots_that_are_chosen(count, megabytes, slots):
    assert sizes.choose_slots(count, megabytes * 2**20) == slots


@pytest.mark.parametrize(
    ("steps", "slots", "jit"), [(2000, 8, False), (3000, 8, True), (1500, 32, False),
    (2000, 32, True), (2000, 1, False), (800, 128, True)],
)  # fmt: skip
def test_when_xla_is_chosen(steps, slots, jit):
    assert pays(mlp(), sizes.seconds_saved(steps, slots)) is jit


def test_xla_is_not_chosen_for_what_it_cannot_compile(monkeypatch):
    monkeypatch.setattr("tfcourse.training.programs.jit.supports_jit", lambda model: False)
    assert not pays(mlp(), sizes.seconds_saved(10**9, 8))


def python_metric(y, outputs):
    largest = tf.reduce_max(outputs, -1)
    return tf.ensure_shape(tf.numpy_function(np.square, [largest], tf.float32), largest.shape)


def beyond_xla():
    model = mlp()
    model.compile(GradientDescent(0.1), model.loss, metrics=[python_metric])
    return model


def test_a_program_that_xla_cannot_compile_runs_without_it(monkeypatch):
    x, y = X[: 2 * BATCH], Y[: 2 * BATCH]
    expected = population(beyond_xla, CHOSEN[:2], x, y, epochs=2)
    monkeypatch.setattr("tfcourse.training.population.fit.pays", lambda *_: True)
    result = population(beyond_xla, CHOSEN[:2], x, y, epochs=2, jit_compile="auto")
    assert not result.jit_compile
    for mine, theirs in zip(result.results, expected.results, strict=True):
        assert mine.history == theirs.history
        assert_same_weights(mine.weights, theirs.weights, 0)


def test_xla_that_is_required_and_cannot_compile_is_an_error():
    with pytest.raises(InputError, match=r"^XLA can't compile this model: .*PyFunc"):
        population(beyond_xla, CHOSEN[:2], X[:BATCH], Y[:BATCH], jit_compile=True)


def test_xla_is_not_chosen_on_a_gpu_where_the_model_declined_it(monkeypatch):
    models = {asked: mlp() for asked in (True, False)}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    for asked, model in models.items():
        model.jit_compile = asked
        assert pays(model, sizes.seconds_saved(10**9, 8)) is asked
