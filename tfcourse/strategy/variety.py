"""The variety of synthetic examples beside real ones (course 6.5)."""

import math
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import numpy.typing as npt
from rich.table import Table

from tfcourse.data.frames import as_array
from tfcourse.data.scaling import fit_scaling
from tfcourse.errors import InputError, shown, warn
from tfcourse.hyperparameters import is_number
from tfcourse.search.results.layout import Printable, table_of
from tfcourse.types import Array, TensorLike

__all__ = ["Variety", "check_variety", "coverage_of_equals", "nearest_distances"]

# The limits of the warnings, rules of thumb: real data beside real data of 30 examples or more
# stays far from them.
LEAST_COVERAGE, LEAST_DISTANCE, MOST_DUPLICATES = 0.5, 0.5, 0.05

# Rows of a block of the distance matrix.
_ROWS = 512


@dataclass(frozen=True, repr=False)
class Variety(Printable):
    """The variety of synthetic examples; ``print`` shows it.

    Attributes:
        duplicates: The share of the synthetic examples that repeat another one exactly.
        duplicates_in_real: The same share of the real ones.
        distance: The median distance of a synthetic example to the nearest other one, over that of
            the real ones, in samples of equal size: below 1 they crowd together.
        coverage: The share of the real examples with a synthetic one among their neighbours:
            nearer than their k-th nearest real one.
        expected_coverage: The coverage expected of as many new real examples.
        examples: The number of examples of each kind that were compared.
        neighbours: k.
        warnings: What is low, a text each.
    """

    duplicates: float
    duplicates_in_real: float
    distance: float
    coverage: float
    expected_coverage: float
    examples: int
    neighbours: int
    warnings: tuple[str, ...]

    def rich_tables(self, top: int | None = None) -> list[Table]:
        """Return the table of the measures, each beside that of real data."""
        rows = [
            ["measure", "synthetic", "as real data"],
            ["duplicates", f"{self.duplicates:.1%}", f"{self.duplicates_in_real:.1%}"],
            ["nearest distance", f"{self.distance:.2f}", "1.00"],
            ["coverage", f"{self.coverage:.1%}", f"{self.expected_coverage:.1%}"],
        ]
        return [table_of(rows, "")]

    def lines(self) -> list[str]:
        """Return the number of examples, and the warnings or that there are none."""
        compared = f"{self.examples} examples of each kind, {self.neighbours} neighbours."
        return [compared, *(self.warnings or ("No sign of low variety.",))]


def check_variety(
    synthetic: TensorLike,
    real: TensorLike,
    *,
    neighbours: int = 5,
    most_examples: int = 2000,
    seed: int = 0,
) -> Variety:
    """Measure the variety of synthetic examples against real ones, and warn if it is low.

    A model over-fits to a small set of synthesized examples though each looks real (course 6.5:
    one hour of car noise, or 20 designs of cars). Distances are Euclidean, of features scaled by
    the standard deviations of the real sample. The nearest distance and the coverage compare
    random samples of equal size, as distances shrink with the number of examples.

    Limits: in raw pixels a shifted copy is far from its original, so that augmented copies pass as
    variety; give features of a trained network instead (``tfcourse.predict`` of its last hidden
    layer). The coverage is low as well where the synthetic data is of another distribution, with
    any variety. The limits of the warnings are rules of thumb: a coverage or a nearest distance
    below half of that of real data, or 5 % more duplicates.

        variety = tfcourse.strategy.check_variety(synthetic=x_rendered, real=x)
        print(variety.coverage, variety.expected_coverage, variety.warnings)

    Args:
        synthetic: Examples, shape ``(m, ...)``; flattened.
        real: Real examples, shape ``(n, ...)``.
        neighbours: k of the coverage, at least 1.
        most_examples: The largest sample of each kind for the distances.
        seed: The seed of the samples.

    Raises:
        InputError: The shapes differ, values are not finite, there are not more than ``neighbours``
            examples of each kind, or a setting is not admissible.

    Warns:
        UserWarning: The texts of ``warnings``.

    Source: Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics for Generative Models",
    section 3.2 (coverage) and lemma 2 (its expectation).
    """
    for name, value, least in (("most_examples", most_examples, 2), ("seed", seed, 0)):
        if not is_number(value, Integral) or value < least:
            raise InputError(
                f"check_variety: {name} must be a whole number >= {least}. "
                f"Received: {shown(value)}."
            )
    fake, true = _rows(synthetic, "synthetic"), _rows(real, "real")
    if fake.shape[1] != true.shape[1]:
        raise InputError(
            "check_variety: synthetic and real examples must have the same shape. Received: "
            f"{np.shape(synthetic)[1:]} and {np.shape(real)[1:]}."
        )
    count = min(len(fake), len(true), most_examples)
    if not is_number(neighbours, Integral) or not 1 <= neighbours < count:
        raise InputError(
            "check_variety: neighbours must be a whole number of at least 1 and below the number "
            f"of examples of each kind, {count}. Received: {shown(neighbours)}."
        )
    duplicates, in_real = (_share_of_duplicates(rows) for rows in (fake, true))
    fake, true = (
        rows[np.random.default_rng([seed, n]).permutation(len(rows))[:count]].astype(np.float64)
        for n, rows in enumerate((fake, true))
    )
    scaling = fit_scaling(true, "standardize")
    fake, true = ((rows - scaling.shift) / scaling.scale for rows in (fake, true))
    radius = nearest_distances(true, true, neighbours, own=True)
    own, real_own = (
        nearest_distances(fake, fake, 1, own=True),
        nearest_distances(true, true, 1, True),
    )
    distance = _ratio(float(np.median(own)), float(np.median(real_own)))
    coverage = float(np.mean(nearest_distances(true, fake, 1) <= radius))
    expected = coverage_of_equals(count, neighbours)
    warnings = _warnings(duplicates, in_real, distance, coverage, expected)
    for text in warnings:
        warn(text)
    return Variety(duplicates, in_real, distance, coverage, expected, count, neighbours, warnings)


def nearest_distances(
    points: Array, others: Array, rank: int, own: bool = False
) -> npt.NDArray[np.float64]:
    """Return the distance of each point to its ``rank``-th nearest among the others.

    Args:
        points: Shape ``(n, features)``.
        others: Shape ``(m, features)``.
        rank: 1 for the nearest.
        own: Whether the others are the points themselves, each of which is no neighbour of its own.
    """
    squares = (others**2).sum(1)
    nearest = []
    for start in range(0, len(points), _ROWS):
        block = points[start : start + _ROWS]
        distances = (block**2).sum(1)[:, None] + squares - 2 * block @ others.T
        if own:
            rows = np.arange(len(block))
            distances[rows, start + rows] = np.inf
        nearest.append(np.partition(distances, rank - 1, axis=1)[:, rank - 1])
    distances = np.maximum(np.concatenate(nearest), 0)
    return np.asarray(np.sqrt(distances), np.float64)


def coverage_of_equals(count: int, neighbours: int) -> float:
    """Return the expected coverage of as many new examples of the same distribution.

    ``1 - Π_{i=1..k} (n-i)/(2n-i)``, about ``1 - 1/2^k``.

    Args:
        count: n, the number of examples of each kind.
        neighbours: k.
    """
    return 1 - math.prod((count - i) / (2 * count - i) for i in range(1, neighbours + 1))


def _share_of_duplicates(rows: Array) -> float:
    return 1 - len({row.tobytes() for row in rows}) / len(rows)


def _ratio(value: float, other: float) -> float:
    if other == 0:
        return 1.0 if value == 0 else math.inf
    return value / other


def _warnings(
    duplicates: float, in_real: float, distance: float, coverage: float, expected: float
) -> tuple[str, ...]:
    texts = []
    if duplicates > in_real + MOST_DUPLICATES:
        texts.append(
            f"Low variety: {duplicates:.1%} of the synthetic examples repeat another one "
            f"({in_real:.1%} of the real ones). Synthesize from more sources."
        )
    if distance < LEAST_DISTANCE:
        texts.append(
            f"Low variety: the synthetic examples are {distance:.2f} times as far from each other "
            "as real ones. Vary more of what they are made of."
        )
    if coverage < LEAST_COVERAGE * expected:
        texts.append(
            f"Low coverage: {coverage:.1%} of the real examples have a synthetic one near them, "
            f"{expected:.1%} would have a real one. A model may over-fit to the part that the "
            "synthetic data covers."
        )
    return tuple(texts)


def _rows(examples: TensorLike, name: str) -> Array:
    """Return the examples as rows of numbers, in their own type."""
    array = as_array(examples, name)
    if array.ndim < 2 or not array.size or array.dtype.kind not in "biuf":
        raise InputError(
            f"check_variety: {name} must be numbers of shape (examples, ...). Received: "
            f"{array.dtype} of shape {array.shape}."
        )
    if not np.isfinite(array).all():
        raise InputError(
            f"check_variety: {name} holds values that are not finite. Remove or fill them."
        )
    return np.ascontiguousarray(array.reshape(len(array), -1))
