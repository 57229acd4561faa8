"""A Gaussian process with a Matérn 5/2 kernel and fitted noise, in NumPy alone.

Rasmussen and Williams (2006), "Gaussian Processes for Machine Learning", chapters 2 and 5.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tfcourse.search.strategies.coordinates import Array, Places
from tfcourse.search.strategies.minimize import minimize
from tfcourse.search.strategies.priors import Prior, cautious_prior, start_of_fit

__all__ = ["Process", "condition", "draw_processes", "fit_process", "log_posterior", "matern"]

JITTER = 1e-8

# The largest standard deviation of a logarithm in `draw_processes`.
WIDEST = 1.2


@dataclass(frozen=True)
class Process:
    """The posterior of a process with mean 0 a priori.

    Attributes:
        points: The observed points, one in a row.
        targets: The observed values.
        scales: 1/length of each coordinate.
        signal: The variance of the function.
        noise: The variance of an observation around it.
        inverse: The inverse of the lower Cholesky factor of the observations' covariance.
    """

    points: Array
    targets: Array
    scales: Array
    signal: float
    noise: float
    inverse: Array

    def covariance(self, first: Array, second: Array) -> Array:
        """Return the covariance of the function between points a priori."""
        return self.signal * matern(_squared_distances(first * self.scales, second * self.scales))

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Return the function's mean and standard deviation at points."""
        cross = self.covariance(points, self.points) @ self.inverse.T
        variance = self.signal - np.square(cross).sum(axis=1)
        return cross @ (self.inverse @ self.targets), np.sqrt(np.maximum(variance, 1e-12))

    def draw(self, points: Array, normals: Array) -> Array:
        """Return functions drawn from the posterior at points, one in a row.

        Args:
            points: Where, one in a row.
            normals: Standard normal numbers, (functions, points).
        """
        cross = self.covariance(points, self.points) @ self.inverse.T
        covariance = self.covariance(points, points) - cross @ cross.T
        covariance[np.diag_indices_from(covariance)] += 1e-6 * self.signal
        mean = cross @ (self.inverse @ self.targets)
        return mean + normals @ np.linalg.cholesky(covariance).T


def condition(points: Array, targets: Array, scales: Array, signal: float, noise: float) -> Process:
    """Return the posterior after observations, with these hyperparameters."""
    covariance = signal * matern(_squared_distances(points * scales, points * scales))
    covariance[np.diag_indices_from(covariance)] += noise + JITTER
    inverse = np.linalg.inv(np.linalg.cholesky(covariance))
    return Process(points, targets, scales, signal, noise, inverse)


def fit_process(
    points: Array, targets: Array, columns: Places, prior: Prior = cautious_prior
) -> Process:
    """Return the process with the most probable hyperparameters (`log_posterior`).

    Args:
        points: The observed points, one in a row.
        targets: Their values, about as large as standard normal ones.
        columns: For each coordinate, the number of its parameter: one length is fitted for each.
        prior: The prior of the hyperparameters, see `tfcourse.search.strategies.priors`.
    """
    loss = _loss(points, targets, columns, prior)
    logs = minimize(loss, start_of_fit(int(columns[-1]) + 1))
    return _process(points, targets, columns, logs)


def draw_processes(
    fitted: Process, columns: Places, normals: Array, prior: Prior = cautious_prior
) -> list[Process]:
    """Return processes whose hyperparameters are drawn from their posterior.

    The normal approximation of it around the fit (Laplace's), whose precision is the curvature of
    `log_posterior` there. Few trials say little about lengths and noise: the most probable ones
    alone would make too much of chance.

    Args:
        fitted: What `fit_process` gives.
        columns: As for `fit_process`.
        normals: Standard normal numbers, (processes, parameters + 2).
        prior: As for `fit_process`.
    """
    points, targets = fitted.points, fitted.targets
    loss, parameters = _loss(points, targets, columns, prior), int(columns[-1]) + 1
    firsts = np.searchsorted(columns, np.arange(parameters))
    logs = np.log([*(1.0 / fitted.scales[firsts]), fitted.signal, fitted.noise])
    step = 0.05 * np.eye(len(logs))
    curvature = np.array([(loss(logs + s)[1] - loss(logs - s)[1]) / 0.1 for s in step])
    sizes, axes = np.linalg.eigh((curvature + curvature.T) / 2)
    # The prior's own precision is the least that there can be.
    deviations = 1.0 / np.sqrt(np.maximum(sizes, 1.0 / WIDEST**2))
    moves = (normals * deviations) @ axes.T
    return [_process(points, targets, columns, logs + move) for move in moves]


def _loss(
    points: Array, targets: Array, columns: Places, prior: Prior
) -> Callable[[Array], tuple[float, Array]]:
    """Return minus `log_posterior` as a function of the logarithms."""
    apart = np.square(points[:, None, :] - points[None, :, :])
    parameters = range(int(columns[-1]) + 1)
    squared = np.stack([apart[:, :, columns == p].sum(axis=2) for p in parameters])

    def loss(logs: Array) -> tuple[float, Array]:
        value, slope = log_posterior(logs, squared, targets, prior)
        return -value, -slope

    return loss


def _process(points: Array, targets: Array, columns: Places, logs: Array) -> Process:
    *lengths, signal, noise = np.exp(logs)
    return condition(points, targets, 1.0 / np.array(lengths)[columns], float(signal), float(noise))


def log_posterior(
    logs: Array, squared: Array, targets: Array, prior: Prior = cautious_prior
) -> tuple[float, Array]:
    """Return the log of evidence times prior, up to a constant, and its slope.

    ``-½ yᵀK⁻¹y - ½ log|K|`` with ``K = s² M + n² I``, and the prior.

    Args:
        logs: The logarithms of the lengths, of s² and of n².
        squared: The squared distances of the observed points, (parameters, points, points).
        targets: The observed values y.
        prior: As for `fit_process`.
    """
    weights, (signal, noise) = np.exp(-2.0 * logs[:-2]), np.exp(logs[-2:])
    count = len(targets)
    flat = squared.reshape(len(weights), -1)
    r = np.sqrt(5.0 * (weights @ flat)).reshape(count, count)
    decay = np.exp(-r)
    covariance = signal * (1.0 + r + r * r / 3.0) * decay
    slope_of_signal = covariance.copy()
    covariance[np.diag_indices(count)] += noise + JITTER
    factor = np.linalg.cholesky(covariance)
    inverse = np.linalg.inv(factor)
    precision = inverse.T @ inverse
    solved = precision @ targets
    value = -0.5 * float(targets @ solved) - float(np.log(np.diag(factor)).sum())
    outer = np.outer(solved, solved) - precision
    along = outer * ((1.0 + r) * decay)
    slopes = [
        *(5.0 / 6.0 * signal * weights * (flat @ along.ravel())),
        0.5 * float((outer * slope_of_signal).sum()),
        0.5 * noise * float(np.trace(outer)),
    ]
    before, slope_before = prior(logs)
    return value + before, np.array(slopes) + slope_before


def matern(squared: Array) -> Array:
    """Return the correlation at squared distances: ``(1 + √5 r + 5/3 r²) exp(-√5 r)``."""
    r = np.sqrt(5.0 * squared)
    return (1.0 + r + r * r / 3.0) * np.exp(-r)


def _squared_distances(first: Array, second: Array) -> Array:
    squares = np.square(first).sum(axis=1)[:, None] + np.square(second).sum(axis=1)
    distances: Array = np.maximum(squares - 2.0 * (first @ second.T), 0.0)
    return distances
