"""A time series that is no random walk: the Lorenz system, and a network that reads it in order.

Lorenz, "Deterministic Nonperiodic Flow" (1963): x' = 10 (y - x), y' = x (28 - z) - y,
z' = xy - 8z/3. Only x is measured, with noise, every 0.16 units of time: the next value depends on
more than the last one, and not linearly.
"""

import keras
import numpy as np
import numpy.typing as npt

STEP, EVERY, SAMPLES, WINDOW, NOISE = 0.01, 16, 3000, 16, 0.5


def windows() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return windows of 16 values in the order of time, ``(m, 16, 1)``, and the next values."""
    series = _measurements()
    starts = np.arange(SAMPLES - WINDOW)
    x = series[starts[:, None] + np.arange(WINDOW)]
    return x[..., None], series[starts + WINDOW]


def gru(input_shape: tuple[int, ...], outputs: int, units: int = 32) -> keras.Model:
    """Return a network of one GRU layer, the builder of the config."""
    return keras.Sequential(
        [keras.Input(input_shape), keras.layers.GRU(units), keras.layers.Dense(outputs)]
    )


def _measurements() -> npt.NDArray[np.float32]:
    """Return x after each interval, with noise, by the method of Runge and Kutta."""
    state, values = np.array([1.0, 1.0, 25.0]), np.empty(SAMPLES)
    for number in range(SAMPLES):
        for _ in range(EVERY):
            first = _slope(state)
            second = _slope(state + STEP / 2 * first)
            third = _slope(state + STEP / 2 * second)
            fourth = _slope(state + STEP * third)
            state = state + STEP / 6 * (first + 2 * second + 2 * third + fourth)
        values[number] = state[0]
    noise = np.random.default_rng(0).normal(0, NOISE, SAMPLES)
    return (values + noise).astype(np.float32)


def _slope(state: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    x, y, z = state
    return np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])
