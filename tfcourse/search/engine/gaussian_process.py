"""keras-tuner's Gaussian process as a pure function on the unit cube."""

import functools
import warnings

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.oracles import BayesianOptimizationOracle

__all__ = ["next_point"]


@functools.lru_cache(maxsize=64)  # a batch asks for its first trials again
def next_point(
    scored: tuple[tuple[tuple[float, ...], float], ...], direction: str, beta: float, seed: int
) -> tuple[float, ...]:
    """Return the point that keras-tuner's ``BayesianOptimizationOracle`` proposes.

    Args:
        scored: The points in the unit cube so far, as (point, score).
        direction: ``"max"`` or ``"min"``.
        beta: The weight of the standard deviation in the acquisition function.
        seed: The seed, > 0.
    """
    from sklearn.exceptions import ConvergenceWarning  # an extra

    hyperparameters = keras_tuner.HyperParameters()
    names = [str(axis) for axis in range(len(scored[0][0]))]
    for name in names:
        hyperparameters.Float(name, 0.0, 1.0)
    oracle = BayesianOptimizationOracle(
        objective=keras_tuner.Objective("score", direction),
        num_initial_points=1,
        beta=beta,
        seed=seed,
        hyperparameters=hyperparameters,
    )
    for number, (point, score) in enumerate(scored):
        tried = hyperparameters.copy()
        tried.values = dict(zip(names, point, strict=True))
        oracle.trials[str(number)] = Trial(tried, str(number), TrialStatus.COMPLETED)
        oracle.trials[str(number)].score = score
    with warnings.catch_warnings():
        # About the kernel's length scale at its bounds: users can do nothing about it.
        warnings.simplefilter("ignore", ConvergenceWarning)
        values = oracle.populate_space(str(len(scored)))["values"]
    return tuple(float(values[name]) for name in names)
