"""Problems whose answer is known: surrogates of real trainings, and formulas with noise."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcourse.bench.strategies.trainings import SPACES, read_trainings
from tfcourse.search.space.parameters import Parameter, Range
from tfcourse.search.space.sampling import sample
from tfcourse.search.strategies.coordinates import Coordinates

__all__ = ["PROBLEMS", "Problem", "load_problem"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """A loss over a space, seen with noise.

    Attributes:
        name: What the table calls it.
        space: Its parameters by name.
        loss: The loss without noise, of a trial's values.
        best: The smallest loss.
        noise: The standard deviation of what a trial's score is off by.
        observe: The score that a trial has, of its loss with noise.
    """

    name: str
    space: Mapping[str, Parameter]
    loss: Callable[[Mapping[str, Any]], float]
    best: float
    noise: float
    observe: Callable[[float], float] = float

    def score(self, values: Mapping[str, Any], seed: int, trial: int) -> float:
        """Return the score of a trial: its noise comes from the seed and its number."""
        noise = np.random.default_rng([seed, trial, 77]).standard_normal()
        return self.observe(self.loss(values) + self.noise * float(noise))

    def regret(self, values: Mapping[str, Any]) -> float:
        """Return how much larger the loss is than the smallest one."""
        return self.loss(values) - self.best


def load_problem(name: str) -> Problem:
    """Return the problem of that name."""
    return PROBLEMS[name]()


# A diverged training has no loss: the surrogate gives it a large one.
LARGEST = 3.0
TREES = 100


@cache
def _surrogate(name: str) -> Problem:
    """Return extra trees fitted to the logarithms of real trainings' validation losses."""
    from sklearn.ensemble import ExtraTreesRegressor

    space, trainings = SPACES[name], read_trainings(name)
    coordinates = Coordinates(space)
    points = coordinates.points(coordinates.units([values for values, _ in trainings]))
    losses = np.minimum(np.log([loss for _, loss in trainings]), LARGEST)
    forest = ExtraTreesRegressor(TREES, min_samples_leaf=2, random_state=0).fit(points, losses)
    trees = _Forest([tree.tree_ for tree in forest.estimators_])

    def loss(values: Mapping[str, Any]) -> float:
        point = coordinates.points(coordinates.units([values]))
        return float(trees.predict(point)[0])

    more = [sample(space, 1, number) for number in range(20_000)]
    candidates = np.vstack([points, coordinates.points(coordinates.units(more))])
    best = float(forest.predict(candidates).min())
    return Problem(name, space, loss, best, 0.08, lambda logarithm: float(np.exp(logarithm)))


class _Forest:
    """Regression trees, walked down side by side: scikit-learn's take 10 ms for a single point."""

    def __init__(self, trees: Sequence[Any]) -> None:
        sizes = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
        self.roots = sizes
        join = np.concatenate
        self.left_child = join(
            [tree.children_left + s for tree, s in zip(trees, sizes, strict=True)]
        )
        self.right_child = join(
            [tree.children_right + s for tree, s in zip(trees, sizes, strict=True)]
        )
        self.feature = join([tree.feature for tree in trees])
        self.threshold = join([tree.threshold for tree in trees])
        self.value = join([tree.value[:, 0, 0] for tree in trees])

    def predict(self, points: Array) -> Array:
        nodes = np.tile(self.roots, (len(points), 1))
        rows = np.arange(len(points))[:, None]
        points = points.astype(np.float32)
        while True:
            feature = self.feature[nodes]
            inner = feature >= 0
            if not inner.any():
                return np.asarray(self.value[nodes].mean(axis=1))
            goes_left = points[rows, np.maximum(feature, 0)] <= self.threshold[nodes]
            nodes = np.where(
                inner, np.where(goes_left, self.left_child[nodes], self.right_child[nodes]), nodes
            )


def _formula(name: str, dimensions: int, of: Callable[[Array], float], noise: float) -> Problem:
    """Return a loss of the positions in the unit cube, of parameters on a log scale."""
    space = {f"x{axis}": Range("float", 1e-3, 1.0, scale="log") for axis in range(dimensions)}

    def loss(values: Mapping[str, Any]) -> float:
        return of(np.array([space[n].unit_of(values[n]) for n in space]))

    return Problem(name, space, loss, 0.0, noise)


def _bowl(dimensions: int) -> Callable[[Array], float]:
    """``Σ wᵢ (xᵢ - cᵢ)²``, whose weights fall from 1 to 0.01 from the first axis to the last."""
    weights = np.logspace(0, -2, dimensions)
    centre = np.array([0.7, 0.2, 0.55, 0.35, 0.8, 0.1, 0.6, 0.25, 0.45, 0.9])[:dimensions]
    return lambda x: float(weights @ np.square(x - centre))


def _branin(x: Array) -> float:
    """Branin's function on the unit square, three equal valleys; divided by 50."""
    a, b = 15 * x[0] - 5, 15 * x[1]
    parabola = b - 5.1 / (4 * np.pi**2) * a**2 + 5 / np.pi * a - 6
    return float(parabola**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(a) + 10 - 0.397887) / 50


def _valley(x: Array) -> float:
    """Rosenbrock's bent valley over two of five dimensions, the logarithm of one plus it."""
    a, b = 4 * x[0] - 2, 4 * x[1] - 1
    rest = 0.3 * np.abs(x[2:] - 0.4).sum()
    return float(np.log1p((1 - a) ** 2 + 100 * (b - a**2) ** 2) / 4 + rest)


def _hartmann(x: Array) -> float:
    """Hartmann's function of six dimensions, six valleys; the smallest value made 0, over 3."""
    a = np.array(
        [
            [10, 3, 17, 3.5, 1.7, 8],
            [0.05, 10, 17, 0.1, 8, 14],
            [3, 3.5, 1.7, 10, 17, 8],
            [17, 8, 0.05, 10, 0.1, 14],
        ]
    )
    p = 1e-4 * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    )
    exponents = (a * np.square(x - p)).sum(axis=1)
    return float(3.32237 - np.array([1.0, 1.2, 3.0, 3.2]) @ np.exp(-exponents)) / 3


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "digits": lambda: _surrogate("digits"),
    "mixed": lambda: _surrogate("mixed"),
    "branin": lambda: _formula("branin", 2, _branin, 0.03),
    "bowl 2": lambda: _formula("bowl 2", 2, _bowl(2), 0.03),
    "bowl 5": lambda: _formula("bowl 5", 5, _bowl(5), 0.03),
    "valley 5": lambda: _formula("valley 5", 5, _valley, 0.03),
    "hartmann 6": lambda: _formula("hartmann 6", 6, _hartmann, 0.03),
    "bowl 10": lambda: _formula("bowl 10", 10, _bowl(10), 0.03),
}
