"""The toy's cost (course sections 4.1 to 4.3), and its value without cancellation."""

import numpy as np
import numpy.typing as npt

from tfcourse.types import Scalar, Tensor

__all__ = ["accurate_quadratic", "quadratic"]

Floats = npt.NDArray[np.float64]


def quadratic(w: Tensor, a: Scalar, b: Scalar, c: Scalar) -> Tensor:
    """Return ``a w² + b w + c``."""
    return a * w**2 + b * w + c


def accurate_quadratic(w: npt.NDArray[np.float32], a: float, b: float, c: float) -> Floats:
    """Return ``a w² + b w + c`` in float64, right to the last digits also where its terms cancel.

    They do at the minimum, and for ``b²/4a ≫ |c|`` nearly everywhere else that the cost is small.
    The rounding of each product and sum is computed and added at the end: the error is about 1e-32
    of the largest term.

    Args:
        w: Finite float32 values, whose squares are exact in float64.
        a: a.
        b: b.
        c: c.

    Source: Ogita, Rump and Oishi 2005, "Accurate Sum and Dot Product", algorithms 3.3 and 5.3.
    """
    values = w.astype(np.float64)
    first, first_error = _product(values * values, a)
    second, second_error = _product(values, b)
    total, error = _sum(first, second)
    total, last_error = _sum(total, np.float64(c))
    return total + (first_error + second_error + error + last_error)


def _sum(x: Floats, y: Floats | np.float64) -> tuple[Floats, Floats]:
    """Return x + y as rounded, and its rounding."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def _product(x: Floats, factor: float) -> tuple[Floats, Floats]:
    """Return the product as rounded, and its rounding."""
    product = x * factor
    (x_high, x_low), (y_high, y_low) = _halves(x), _halves(np.float64(factor))
    error = x_high * y_high - product + x_high * y_low + x_low * y_high + x_low * y_low
    return product, error


def _halves(x: Floats | np.float64) -> tuple[Floats | np.float64, Floats | np.float64]:
    """Return x as a sum of two numbers of half the digits, whose products are exact."""
    scaled = x * (2.0**27 + 1)
    high = scaled - (scaled - x)
    return high, x - high
