"""The scaling of each of several inputs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from tfcourse.data.scaling import Scaling, fit_scaling
from tfcourse.data.splits import Part, Split
from tfcourse.types import Array

__all__ = ["InputScaling", "fit_input_scaling"]

Method = Literal["none", "standardize", "min_max"]


@dataclass(frozen=True)
class InputScaling:
    """The scaling of those of several inputs that are scaled.

    Attributes:
        by_input: The scalings by input.
        dtypes: The type of each input before, scaled or not.
    """

    by_input: Mapping[str, Scaling]
    dtypes: Mapping[str, str]

    def apply(self, x: Mapping[str, Array]) -> dict[str, Array]:
        """Return the examples with the inputs that have a scaling scaled, as new arrays."""
        return {
            name: self.by_input[name].apply(array) if name in self.by_input else array
            for name, array in x.items()
        }

    def apply_to(self, split: Split) -> Split:
        """Return the split with all its sets scaled."""

        def scaled(part: Part) -> Part:
            return replace(part, x=self.apply(part.x))

        return split.map(scaled)


def fit_input_scaling(x: Mapping[str, Array], how: str | Mapping[str, str]) -> InputScaling | None:
    """Return the scaling of the train set, as `fit_scaling` fits it for each input.

    Args:
        x: The train set's inputs.
        how: A method for all inputs of floats, and not for those of whole numbers, such as ids; or
            a dict of methods by input, for whole numbers too.

    Returns:
        The scaling; None if no input has any.
    """
    methods: dict[str, Any] = (
        dict(how)
        if isinstance(how, Mapping)
        else {name: how for name, array in x.items() if array.dtype.kind == "f"}
    )
    scalings = {
        name: fit_scaling(_floats(x[name]), method)
        for name, method in methods.items()
        if method != "none"
    }
    if not scalings:
        return None
    return InputScaling(scalings, {name: str(array.dtype) for name, array in x.items()})


def _floats(array: Array) -> Array:
    return array if array.dtype.kind == "f" else array.astype(np.float32)
