"""Numerical differentiation (course 5.8)."""

import numpy as np


def numerical_gradient(function, x, h=1e-6):
    """The two-sided difference of a scalar function, one entry of ``x`` at a time."""
    gradient = np.empty_like(x, np.float64)
    for index in np.ndindex(x.shape):
        offset = np.zeros_like(x, np.float64)
        offset[index] = h
        gradient[index] = (function(x + offset) - function(x - offset)) / (2 * h)
    return gradient


def second_derivative(function, x, direction, h=1e-4):
    """``d²/ds² function(x + s·direction)`` at s = 0."""
    there, back = function(x + h * direction), function(x - h * direction)
    return (there - 2 * function(x) + back) / h**2


def check_ratio(approximate, gradient):
    """``‖approx - grad‖₂ / (‖approx‖₂ + ‖grad‖₂)``; below 1e-7 in float64 is a pass."""
    norm = np.linalg.norm
    return norm(approximate - gradient) / (norm(approximate) + norm(gradient))
