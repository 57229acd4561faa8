"""What a gradient check found: the numbers, the verdict, and both in words (course 5.8)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfcourse.formulas.gradients import relative_difference
from tfcourse.models.differences import Derivatives
from tfcourse.models.float64 import Cost

__all__ = ["PASS", "Difference", "GradientCheck", "gradient_check_result"]

PASS, SUSPICIOUS = 1e-7, 1e-5  # the course's: below the one, above the other
WORST = 5  # how many differences a result names
LISTED = 8  # how many variables its text names


@dataclass(frozen=True)
class Difference:
    """One parameter's two derivatives.

    Args:
        path: The variable's path, or the argument's name.
        index: The parameter's place in it; ``()`` in a scalar.
        numeric: ``(J(θ+ε) - J(θ-ε)) / (2ε)``.
        analytic: The gradient that is checked.
        difference: ``|numeric - analytic|``.
    """

    path: str
    index: tuple[int, ...]
    numeric: float
    analytic: float
    difference: float

    @property
    def place(self) -> str:
        """Path and index, as in ``dense/kernel[3, 7]``."""
        return self.path + (str([*self.index]) if self.index else "")


@dataclass(frozen=True)
class GradientCheck:
    """What `gradient_check` found; ``print(result)`` says it in words.

    Args:
        ratio: ``‖approx - grad‖₂ / (‖approx‖₂ + ‖grad‖₂)`` over the parameters checked.
        worst: The five that differ most, as ``(path, index, numeric, analytic, difference)``.
        ratios: The ratio of each variable alone; 0 where both of its gradients are zero to
            within rounding.
        differing: The variables with a ratio of 1e-7 or more that is not the rounding of J. An
            error in a layer spoils those before it too: begin with the last.
        checked: How many parameters were compared.
        total: How many there are.
        kinks: How many were tried and left out, because J has a kink there.
        unconnected: The variables that no gradient reaches; theirs counts as 0.
        epsilon: The relative step: ε of a parameter is ``epsilon·max(1, |θ|)``.
        rounding: The ratio that the rounding of J alone may cause, at most.
    """

    ratio: float
    worst: tuple[Difference, ...]
    ratios: dict[str, float]
    differing: tuple[str, ...]
    checked: int
    total: int
    kinks: int
    unconnected: tuple[str, ...]
    epsilon: float
    rounding: float

    @property
    def verdict(self) -> str:
        """``"pass"`` below 1e-7, ``"suspicious"`` above 1e-5, ``"uncertain"`` between.

        Also uncertain: a larger ratio that the rounding of J may have caused, as where the whole
        gradient is zero; and when nothing was left to compare.
        """
        if self.checked and self.ratio < PASS:
            return "pass"
        beyond = not self.ratio <= max(SUSPICIOUS, self.rounding)  # also when it is NaN
        return "suspicious" if self.checked and beyond else "uncertain"

    def __str__(self) -> str:
        sampled = self.checked + self.kinks < self.total
        lines = [
            f"{self.verdict}: ratio {self.ratio:.1e} (below {PASS:.0e} is a pass, above "
            f"{SUSPICIOUS:.0e} suspicious)",
            f"{self.checked:,} of {self.total:,} parameters checked"
            f"{', some of every variable' if sampled else ''}; epsilon {self.epsilon:.0e}",
        ]
        if self.kinks:
            lines.append(f"{self.kinks:,} left out: J has a kink there (ReLU at 0, |x|, max)")
        if self.unconnected:
            lines.append(f"no gradient reaches {', '.join(self.unconnected)}: taken as 0")
        if self.verdict == "uncertain" and self.ratio <= self.rounding:
            lines.append(
                "the rounding of J alone may cause this: check where the gradient is larger"
            )
        if self.verdict != "pass" and self.worst:
            lines.append("the largest differences:")
            lines += [
                f"  {d.place}: numeric {d.numeric:.10g}, analytic {d.analytic:.10g}"
                for d in self.worst
                if not d.difference < 1e-3 * self.worst[0].difference  # also when it is NaN
            ]
        if len(self.differing) > (self.verdict != "pass"):  # a single one is the worst's anyway
            named = [f"{name} {self.ratios[name]:.0e}" for name in self.differing[-LISTED:]]
            more = "..., " if len(named) < len(self.differing) else ""
            lines.append(
                "variables that differ (an error spoils those before it too: begin with the "
                f"last): {more}{', '.join(named)}"
            )
        return "\n".join(lines)


def gradient_check_result(cost: Cost, found: Derivatives, epsilon: float) -> GradientCheck:
    """Sums up the derivatives of a cost that were found with steps of ``epsilon``."""

    def ratio(chosen: Any) -> float:
        return float(relative_difference(found.numeric[chosen], found.analytic[chosen]))

    def size(chosen: Any) -> float:
        pair = (found.numeric[chosen], found.analytic[chosen])
        return float(sum(np.linalg.norm(gradient) for gradient in pair))

    def rounding(chosen: Any) -> float:
        return float(np.linalg.norm(found.rounding[chosen]))

    kept = ~found.kink
    of = [kept & (found.variable == k) for k in range(len(cost.names))]
    ratios = [0.0 if size(own) <= rounding(own) else ratio(own) for own in of]
    difference = np.nan_to_num(np.abs(found.numeric - found.analytic), nan=np.inf)
    order = np.argsort(np.where(kept, -difference, 1), kind="stable")
    differing = [
        name
        for name, own, r in zip(cost.names, of, ratios, strict=True)
        if not r < PASS and not np.linalg.norm(difference[own]) <= rounding(own)
    ]
    return GradientCheck(
        ratio=ratio(kept),
        worst=tuple(_difference(cost, found, n) for n in order[: min(WORST, kept.sum())]),
        ratios=dict(zip(cost.names, ratios, strict=True)),
        differing=tuple(differing),
        checked=int(kept.sum()),
        total=sum(value.size for value in cost.values),
        kinks=int(found.kink.sum()),
        unconnected=tuple(cost.unconnected),
        epsilon=epsilon,
        rounding=rounding(kept) / size(kept) if size(kept) else 0.0,
    )


def _difference(cost: Cost, found: Derivatives, n: int) -> Difference:
    k = found.variable[n]
    index = np.unravel_index(found.place[n], cost.values[k].shape)
    numeric, analytic = float(found.numeric[n]), float(found.analytic[n])
    place = tuple(int(i) for i in index)
    return Difference(cost.names[k], place, numeric, analytic, abs(numeric - analytic))
