"""Examples given as arrays, to be split or already split."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfcourse.data.frames import as_array
from tfcourse.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Given", "given_arrays"]


@dataclass(frozen=True)
class Given:
    """All examples, and with which rows dev and test begin; None if they are to be split."""

    x: "npt.NDArray[np.generic]"
    y: "npt.NDArray[np.generic]"
    starts: tuple[int, int] | None

    @property
    def shares(self) -> tuple[float, float, float] | None:
        """The shares of train, dev and test, if they were given."""
        if self.starts is None:
            return None
        first, second = (start / len(self.y) for start in self.starts)
        return first, second - first, 1 - second


def given_arrays(data: Any, train: Any, dev: Any, test: Any) -> Given | None:
    """Pairs (x, y) as arrays: ``data``, or all of ``train``, ``dev`` and ``test``; None of none.

    Raises:
        InputError: Some are missing, or they are no pairs or don't fit each other.
    """
    import numpy as np

    parts = {"train": train, "dev": dev, "test": test}
    missing = [name for name, part in parts.items() if part is None]
    if data is not None and len(missing) < 3:
        raise InputError("data is to be split; it excludes train, dev and test.")
    if data is None and len(missing) == 3:
        return None
    if data is None and missing:
        raise InputError(
            f"train, dev and test belong together. Missing: {', '.join(missing)}. Give data=(x, y) "
            "to have it split."
        )
    pairs = {"data": data} if data is not None else parts
    arrays = [_pair(name, pair) for name, pair in pairs.items()]
    try:
        x, y = (np.concatenate(side) for side in zip(*arrays, strict=True))
    except ValueError:
        shapes = ", ".join(
            f"{name} {a.shape} and {b.shape}" for name, (a, b) in zip(pairs, arrays, strict=True)
        )
        raise InputError(f"train, dev and test must have the same shapes: {shapes}.") from None
    counts = [len(labels) for _, labels in arrays]
    return Given(x, y, None if data is not None else (counts[0], counts[0] + counts[1]))


def _pair(name: str, pair: Any) -> tuple[Any, Any]:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise InputError(f"{name} must be (x, y). Received: {type(pair).__name__}.")
    x, y = (
        as_array(side, f"{side_name} of {name}") for side_name, side in zip("xy", pair, strict=True)
    )
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y) or len(y) == 0:
        raise InputError(
            f"{name} must be (x, y) with one y for each of at least one x. "
            f"Received: shapes {x.shape} and {y.shape}."
        )
    return x, y
