"""The scales inside a stock keras-tuner ``build(hp)``, with every stock tuner."""

import keras_tuner
import numpy as np
import pytest

import tfcourse


def build(hp):
    rate = tfcourse.log_uniform(hp, "learning_rate", 1e-4, 1.0)
    return rate, tfcourse.one_minus_log(hp, "beta", 0.9, 0.999)


@pytest.fixture
def drawn():
    oracle = keras_tuner.oracles.RandomSearchOracle(
        objective=keras_tuner.Objective("loss", "min"), max_trials=400, seed=1
    )
    build(oracle.hyperparameters)
    pairs = []
    for trial in range(400):
        hp = oracle.hyperparameters.copy()
        hp.values = oracle.populate_space(str(trial))["values"]
        pairs.append(build(hp))
    return np.array(pairs).T


def test_the_learning_rate_has_the_same_share_in_each_decade(drawn):
    counts, _ = np.histogram(np.log10(drawn[0]), [-4, -3, -2, -1, 0])
    assert counts / 400 == pytest.approx([0.25] * 4, abs=0.07)


def test_half_of_the_betas_lie_above_099(drawn):
    assert np.mean(drawn[1] > 0.99) == pytest.approx(0.5, abs=0.07)
    assert drawn[1].min() >= 0.9
    assert drawn[1].max() <= 0.999


def test_what_keras_tuner_stores():
    hp = keras_tuner.HyperParameters()
    _, beta = build(hp)
    assert set(hp.values) == {"learning_rate", "one_minus_beta"}
    assert beta == pytest.approx(1 - hp.values["one_minus_beta"], abs=1e-15)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # of the stock tuner
@pytest.mark.parametrize(
    ("tuner", "arguments"),
    [
        (keras_tuner.RandomSearch, {"max_trials": 6}),
        (keras_tuner.GridSearch, {"max_trials": 6}),
        (keras_tuner.BayesianOptimization, {"max_trials": 4, "num_initial_points": 3}),
        (keras_tuner.Hyperband, {"max_epochs": 2}),
    ],
)
def test_with_every_stock_tuner(tuner, arguments, tmp_path):
    class Quick(tuner):
        def run_trial(self, trial, **kwargs):
            rate, beta = build(trial.hyperparameters)
            assert 1e-4 <= rate <= 1
            assert 0.9 <= beta <= 0.999
            return (np.log10(rate) + 2) ** 2 + beta

    search = Quick(lambda hp: build(hp) and None, directory=tmp_path, seed=1, **arguments)
    search.search(verbose=0)
    best = search.get_best_hyperparameters()[0]
    assert build(best)[0] == best.get("learning_rate")


@pytest.mark.parametrize(
    ("helper", "ends", "said"),
    [
        ("log_uniform", (0, 1), r'log_uniform: "x" needs low > 0\. Received: 0 and 1\.'),
        ("one_minus_log", (0.9, 1), r'one_minus_log: "x" needs high < 1\. Received: 0\.9 and 1\.'),
        ("log_uniform", (1, 1), r'log_uniform: "x" needs low < high\. Received: 1 and 1\.'),
    ],
)
def test_ends_that_are_no_range(helper, ends, said):
    with pytest.raises(ValueError, match=said):
        getattr(tfcourse, helper)(keras_tuner.HyperParameters(), "x", *ends)
