"""Temperature scaling and the expected calibration error (Guo et al. 2017), in float64 NumPy."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfcourse.types import Array

__all__ = [
    "Bins",
    "best_temperature",
    "expected_calibration_error",
    "reliability_bins",
    "temperature_derivatives",
    "two_class_logits",
]

Floats = npt.NDArray[np.float64]


def two_class_logits(logits: Array) -> Floats:
    """Return ``[0, z]``, whose softmax is ``[1 - sigmoid(z), sigmoid(z)]`` (course 3.3).

    Args:
        logits: z, shape ``(m, 1)``.
    """
    logits = np.asarray(logits, np.float64)
    return np.concatenate([np.zeros_like(logits), logits], axis=-1)


def temperature_derivatives(
    logits: Array, labels: Array, inverse: float
) -> tuple[float, float, float]:
    """Return ``J(b) = 1/m Σ (log Σ_j e^{b z_j} - b z_y)`` and its two derivatives by b = 1/T.

    J is the negative log-likelihood of ``softmax(z/T)``. ``J' = 1/m Σ (Σ_j p_j z_j - z_y)``, and
    ``J'' = 1/m Σ (Σ_j p_j z_j² - (Σ_j p_j z_j)²)``, a variance: J is convex in b.

    Args:
        logits: z, shape ``(m, C)``.
        labels: y, whole numbers of shape ``(m,)``.
        inverse: b.
    """
    z = np.asarray(logits, np.float64)
    z = z - z.max(-1, keepdims=True)  # changes nothing, and keeps e^{bz} finite
    true = z[np.arange(len(z)), labels]
    weights = np.exp(inverse * z)
    total = weights.sum(-1)
    mean = (weights * z).sum(-1) / total
    variance = (weights * (z - mean[:, None]) ** 2).sum(-1) / total
    loss = np.log(total) - inverse * true
    return float(loss.mean()), float((mean - true).mean()), float(variance.mean())


def best_temperature(
    logits: Array, labels: Array, bounds: tuple[float, float] = (0.01, 100.0)
) -> float:
    """Return the T in ``bounds`` with the least negative log-likelihood of ``softmax(z/T)``.

    By Newton's method on 1/T, with bisection where a step leaves the interval. If the largest
    logit is the true class's in every example, there is no minimum: J falls with T to 0, and the
    lower bound is returned. If the logits tell less than none, J falls with T to infinity, and the
    upper one is.

    Args:
        logits: z, shape ``(m, C)``.
        labels: y, whole numbers of shape ``(m,)``.
        bounds: The least and the largest T.

    Source: Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks",
    section 4.2.
    """
    low, high = 1 / bounds[1], 1 / bounds[0]
    if temperature_derivatives(logits, labels, low)[1] >= 0:
        return bounds[1]
    if temperature_derivatives(logits, labels, high)[1] <= 0:
        return bounds[0]
    inverse = min(max(1.0, low), high)
    for _ in range(200):
        _, slope, curvature = temperature_derivatives(logits, labels, inverse)
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        step = inverse - slope / curvature if curvature > 0 else low
        following = step if low < step < high else (low + high) / 2
        if abs(following - inverse) <= 1e-14 * inverse:
            break
        inverse = following
    return 1 / inverse


class Bins(NamedTuple):
    """Predictions in bins of equal width of their confidence; 0 in an empty bin.

    Attributes:
        sizes: The number of predictions in each bin.
        confidence: Their mean confidence.
        accuracy: The share of them that is right.
    """

    sizes: npt.NDArray[np.int64]
    confidence: Floats
    accuracy: Floats


def reliability_bins(confidence: Array, correct: Array, bins: int) -> Bins:
    """Return predictions in the bins ``(i/bins, (i+1)/bins]`` of their confidence.

    Args:
        confidence: The probability of each predicted class, in [0, 1], shape ``(m,)``.
        correct: Whether each is the true class, shape ``(m,)``.
        bins: The number of bins.
    """
    confidence = np.asarray(confidence, np.float64)
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    which = np.searchsorted(edges, confidence, side="left")
    count = np.bincount(which, minlength=bins)
    sums = (np.bincount(which, values, bins) for values in (confidence, np.asarray(correct, float)))
    mean_confidence, accuracy = (total / np.maximum(count, 1) for total in sums)
    return Bins(count, mean_confidence, accuracy)


def expected_calibration_error(bins: Bins) -> float:
    """Return ``Σ n_i/m |accuracy_i - confidence_i|`` over the bins of m predictions.

    Source: Guo et al. 2017, section 2; Naeini, Cooper and Hauskrecht 2015.
    """
    shares = bins.sizes / max(int(bins.sizes.sum()), 1)
    return float((shares * np.abs(bins.accuracy - bins.confidence)).sum())
