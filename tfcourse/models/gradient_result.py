"""The result of a gradient check: numbers, verdict, and a text of both (course 5.8)."""

from dataclasses import dataclass

import numpy as np

from tfcourse.formulas.gradients import relative_difference
from tfcourse.models.differences import Derivatives
from tfcourse.models.float64 import Cost
from tfcourse.types import Array

__all__ = ["PASS", "Difference", "GradientCheck", "gradient_check_result"]

PASS, SUSPICIOUS = 1e-7, 1e-5  # the course's: below the one, above the other
WORST = 5  # the number of differences in a result
LISTED = 8  # the number of variables in its text


@dataclass(frozen=True)
class Difference:
    """The two derivatives of a parameter.

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
    """The result of `gradient_check`; ``print(result)`` shows it as a text.

    Args:
        ratio: ``‖approx - grad‖₂ / (‖approx‖₂ + ‖grad‖₂)`` over the parameters checked.
        worst: The five that differ most, as ``(path, index, numeric, analytic, difference)``.
        ratios: The ratio of each variable alone; 0 where both of its gradients are zero to
            within rounding.
        differing: The variables with a ratio of 1e-7 or more that is not the rounding of J. An
            error in a layer affects those before it too: begin with the last.
        checked: The number of parameters that were compared.
        total: The number of all parameters.
        kinks: The number of parameters that were excluded, because J has a kink there.
        unconnected: The variables without a gradient, which counts as 0.
        epsilon: The relative step: ε of a parameter is ``epsilon·max(1, |θ|)``.
        rounding: The largest ratio that the rounding of J alone may cause.
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
        gradient is zero; and a check in which all parameters were excluded.
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


def gradient_check_result(cost: Cost, computed: Derivatives, epsilon: float) -> GradientCheck:
    """Summarize the derivatives of a cost, computed with steps of ``epsilon``."""

    def ratio(selection: Array) -> float:
        return float(relative_difference(computed.numeric[selection], computed.analytic[selection]))

    def size(selection: Array) -> float:
        pair = (computed.numeric[selection], computed.analytic[selection])
        return float(sum(np.linalg.norm(gradient) for gradient in pair))

    def rounding(selection: Array) -> float:
        return float(np.linalg.norm(computed.rounding[selection]))

    smooth = ~computed.kink
    of = [smooth & (computed.variable == k) for k in range(len(cost.names))]
    ratios = [0.0 if size(own) <= rounding(own) else ratio(own) for own in of]
    difference = np.nan_to_num(np.abs(computed.numeric - computed.analytic), nan=np.inf)
    order = np.argsort(np.where(smooth, -difference, 1), kind="stable")
    differing = [
        name
        for name, own, r in zip(cost.names, of, ratios, strict=True)
        if not r < PASS and not np.linalg.norm(difference[own]) <= rounding(own)
    ]
    return GradientCheck(
        ratio=ratio(smooth),
        worst=tuple(_difference(cost, computed, n) for n in order[: min(WORST, smooth.sum())]),
        ratios=dict(zip(cost.names, ratios, strict=True)),
        differing=tuple(differing),
        checked=int(smooth.sum()),
        total=sum(value.size for value in cost.values),
        kinks=int(computed.kink.sum()),
        unconnected=tuple(cost.unconnected),
        epsilon=epsilon,
        rounding=rounding(smooth) / size(smooth) if size(smooth) else 0.0,
    )


def _difference(cost: Cost, computed: Derivatives, n: int) -> Difference:
    k = computed.variable[n]
    index = np.unravel_index(computed.place[n], cost.values[k].shape)
    numeric, analytic = float(computed.numeric[n]), float(computed.analytic[n])
    place = tuple(int(i) for i in index)
    return Difference(cost.names[k], place, numeric, analytic, abs(numeric - analytic))
