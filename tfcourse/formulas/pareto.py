"""The Pareto set: the points that no other point is better than in every respect."""

import numpy as np
import numpy.typing as npt

__all__ = ["non_dominated"]


def non_dominated(losses: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return True for each point that no other dominates.

    Point a dominates point b if a_i <= b_i for all i and a_i < b_i for some i. Equal points don't
    dominate each other: all of them are in the set, or none.

    In lexicographic order a point comes after those that dominate it, and it is dominated by one of
    the set if by any: dominance is transitive. So each is compared with the set so far.

    Args:
        losses: The points, of shape (n, objectives), smaller being better; infinity is the worst
            value, and NaN is not allowed.
    """
    points = np.asarray(losses, float)
    result = np.zeros(len(points), bool)
    front = np.empty_like(points)
    count = 0
    for row in np.lexsort(points.T[::-1]):
        point, others = points[row], front[:count]
        if not np.any((others <= point).all(axis=1) & (others < point).any(axis=1)):
            front[count], result[row] = point, True
            count += 1
    return result
