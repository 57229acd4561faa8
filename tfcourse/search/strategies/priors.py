"""Priors of a Gaussian process's hyperparameters: what is likely before any trial.

Both are functions of the logarithms of the lengths, of the function's variance s² and of the
noise's n², and return the logarithm of the density, up to a constant, and its slope.
"""

from collections.abc import Callable

import numpy as np

from tfcourse.search.strategies.coordinates import Array

__all__ = ["Prior", "cautious_prior", "confident_prior", "start_of_fit"]

Prior = Callable[[Array], tuple[float, Array]]

# Normal distributions of the logarithms, as (mean, standard deviation). Distances grow with the
# root of the number of parameters, and so do the lengths (Hvarfner et al. 2024, "Vanilla Bayesian
# optimization performs great in high dimensions").
LENGTH = (float(np.log(0.5)), 1.0)
SIGNAL = (0.0, 0.7)
NOISE = (float(np.log(0.1)), 1.2)


def cautious_prior(logs: Array) -> tuple[float, Array]:
    """Return a prior in which noise is likely: a single lucky trial decides little."""
    deviations = np.array([*[LENGTH[1]] * (len(logs) - 2), SIGNAL[1], NOISE[1]])
    standard = (logs - start_of_fit(len(logs) - 2)) / deviations
    return -0.5 * float(standard @ standard), -standard / deviations


def confident_prior(logs: Array) -> tuple[float, Array]:
    """Return a prior of little noise: the first trials say much, and later ones correct them.

    That of Optuna's ``GPSampler``: ``-(l² + l⁻²)/10`` for each length, so that those from a third
    of a range to three of them are about equally likely, Gamma(2, 1) for s², Gamma(1.1, 30) for n².
    """
    weights, (signal, noise) = np.exp(-2.0 * logs[:-2]), np.exp(logs[-2:])
    value = -0.1 * float((weights + 1.0 / weights).sum())
    value += float(logs[-2] - signal + 0.1 * logs[-1] - 30.0 * noise)
    slope = [*(0.2 * (weights - 1.0 / weights)), 1.0 - signal, 0.1 - 30.0 * noise]
    return value, np.array(slope)


def start_of_fit(parameters: int) -> Array:
    """Return the most likely logarithms of the cautious prior, where a fit begins."""
    length = LENGTH[0] + 0.5 * np.log(parameters)
    return np.array([*[length] * parameters, SIGNAL[0], NOISE[0]])
