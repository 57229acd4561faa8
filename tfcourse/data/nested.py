"""Arrays, or dicts of arrays by the name of an input or output."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Arrays", "array_items", "count_of", "map_arrays", "named"]

# The examples of one input, or those of several by their names.
Arrays: TypeAlias = Any


def map_arrays(function: Callable[..., Any], arrays: Arrays, *others: Arrays) -> Any:
    """Return the results of a function for each array, in a dict where the arrays are in one.

    Args:
        function: Called with an array, and with those at the same place in ``others``.
        arrays: An array, or a dict of arrays.
        others: The same, with the same names.
    """
    if isinstance(arrays, Mapping):
        return {
            name: function(array, *(other[name] for other in others))
            for name, array in arrays.items()
        }
    return function(arrays, *others)


def array_items(arrays: Arrays) -> list[tuple[str, npt.NDArray[np.generic]]]:
    """Return the arrays with their names, the empty one for an array that is in no dict."""
    return list(arrays.items()) if isinstance(arrays, Mapping) else [("", arrays)]


def count_of(arrays: Arrays) -> int:
    """Return the number of examples: the length of the first array."""
    return len(array_items(arrays)[0][1])


def named(side: str, name: str) -> str:
    """Return the title of an array in messages: ``x["image"]``, or ``x`` of one without a name."""
    return f'{side}["{name}"]' if name else side
