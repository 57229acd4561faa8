"""The course's toy problem: minimise w² - 10w + 25 = (w-5)² (course sections 4.1 to 4.3)."""

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from tfcourse.errors import InputError, WorkFailedError, one_of, shown
from tfcourse.formulas.quadratic import accurate_quadratic
from tfcourse.hyperparameters import COURSE_OPTIMIZERS, check, is_number
from tfcourse.toy_program import descend

__all__ = ["DivergedError", "ToyResult", "minimize_quadratic"]

# The costs of a step take about 110 bytes while they are computed: in all 1.1 GB.
MOST_STEPS = 10_000_000


@dataclass(frozen=True)
class ToyResult:
    """The result of `minimize_quadratic`.

    Attributes:
        w: The last w.
        cost: Its cost aw² + bw + c.
        w_history: w before the first step and after each, float32 of length steps + 1.
        cost_history: The cost at each of them, rounded to float32 once: never below the minimum.
        minimum: The true minimum -b/2a.
        coefficients: (a, b, c).
    """

    w: np.float32
    cost: np.float32
    w_history: npt.NDArray[np.float32]
    cost_history: npt.NDArray[np.float32]
    minimum: float
    coefficients: tuple[float, float, float]

    @property
    def history(self) -> dict[str, npt.NDArray[np.float32]]:
        """``w_history`` and ``cost_history`` as ``{"w": ..., "cost": ...}``, as Keras has it."""
        return {"w": self.w_history, "cost": self.cost_history}


class DivergedError(WorkFailedError):
    """A descent that did not come closer to the minimum; ``result`` is its `ToyResult`."""

    def __init__(self, message: str, result: ToyResult) -> None:
        super().__init__(message)
        self.result = result


def _check(
    coefficients: object, start: object, optimizer: object, steps: int
) -> tuple[float, float, float]:
    try:
        with np.errstate(over="ignore"):
            values = np.asarray(coefficients, dtype=np.float64).reshape(-1)
            fits = bool(np.isfinite(values.astype(np.float32)).all())
    except (TypeError, ValueError):
        fits = False
    if not fits or values.shape != (3,):
        raise InputError(
            "coefficients must be three finite numbers a, b, c of a·w² + b·w + c. "
            f"Received: {shown(coefficients)}."
        )
    a, b, c = (float(v) for v in values)
    if a <= 0:
        raise InputError(
            f"The first coefficient a must be > 0: with a = {a:g}, a·w² + b·w + c has no minimum."
        )
    largest = float(np.finfo(np.float32).max)
    if not isinstance(start, numbers.Real) or start < -largest or not start <= largest:
        raise InputError(f"start must be a finite number. Received: {shown(start)}.")
    if not isinstance(optimizer, str) or optimizer not in COURSE_OPTIMIZERS:
        raise InputError(one_of("optimizer", optimizer, COURSE_OPTIMIZERS))
    if not is_number(steps, numbers.Integral) or steps < 0:
        raise InputError(f"steps must be a whole number >= 0. Received: {shown(steps)}.")
    if steps > MOST_STEPS:
        raise InputError(
            f"steps must be <= {MOST_STEPS:_}: the history has w and cost after every step, "
            f"which take about 110 bytes of memory. Received: {int(steps):_}."
        )
    return a, b, c


def _costs(w: npt.NDArray[np.float32], a: float, b: float, c: float) -> npt.NDArray[np.float32]:
    """Return the costs, which are infinite where w is not finite."""
    lowest = float(Fraction(c) - Fraction(b) ** 2 / (4 * Fraction(a)))
    finite = np.isfinite(w)
    costs = np.full(w.shape, np.inf)
    costs[finite] = np.maximum(accurate_quadratic(w[finite], a, b, c), lowest)
    with np.errstate(over="ignore"):
        return costs.astype(np.float32)


def minimize_quadratic(
    coefficients: Sequence[float] = (1, -10, 25),
    start: float = 0.0,
    optimizer: str = "gradient_descent",
    learning_rate: float = 0.01,
    steps: int = 1000,
    jit_compile: bool = False,
) -> ToyResult:
    """Minimize ``cost(w) = a w² + b w + c`` in float32; the gradient is a ``GradientTape``'s.

    With the defaults w goes 0 → 0.099999994 → … → 4.9999886 (course 4.1).

    Args:
        coefficients: (a, b, c), of any shape with three entries, such as the course's (3, 1).
        start: w before the first step.
        optimizer: ``"gradient_descent"``, ``"momentum"``, ``"rmsprop"`` or ``"adam"``, with the
            course's decays 0.9 (β₂ 0.999) and ε = 1e-8.
        learning_rate: α ≥ 0.
        steps: The number of steps, at most ten million.
        jit_compile: Whether to compile the other optimizers with XLA too: faster, but the last
            digit may differ. Gradient descent always is, and keeps its digits.

    Raises:
        InputError: a ≤ 0 (there is no minimum), or another argument is not admissible.
        DivergedError: The last cost is not finite or not below the first.
    """
    a, b, c = _check(coefficients, start, optimizer, steps)
    try:
        check("learning_rate", learning_rate, "minimize_quadratic")
    except ValueError as error:
        raise InputError(str(error)) from None

    # Under XLA too the digits of gradient descent are those of TensorFlow's kernels.
    by_xla = jit_compile or optimizer == "gradient_descent"
    w_history = descend((a, b, c), start, optimizer, learning_rate, int(steps), by_xla)
    cost_history = _costs(w_history, a, b, c)
    result = ToyResult(
        w_history[-1], cost_history[-1], w_history, cost_history, -b / (2 * a), (a, b, c)
    )
    _check_descended(result, optimizer, learning_rate, a)
    return result


def _check_descended(result: ToyResult, optimizer: str, learning_rate: float, a: float) -> None:
    distance = np.abs(result.w_history.astype(np.float64) - result.minimum)
    if len(distance) == 1 or learning_rate == 0 or distance[0] == 0:
        return
    remedy = "Choose a smaller learning rate"
    if optimizer == "gradient_descent":
        remedy += f": gradient descent converges below 1/a = {1 / a:g}"
    if not math.isfinite(distance[-1]):
        step = int(np.argmin(np.isfinite(distance)))
        raise DivergedError(
            f"Diverged: w is not finite after step {step} with learning rate {learning_rate:g}. "
            f"{remedy}.",
            result,
        )
    if distance[-1] >= distance[0]:
        raise DivergedError(
            f"Not descending: w is {distance[-1]:.4g} away from the minimum {result.minimum:g} "
            f"after {len(distance) - 1} steps, {distance[0]:.4g} before the first, with learning "
            f"rate {learning_rate:g}. {remedy}.",
            result,
        )
