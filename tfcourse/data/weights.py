"""The weights of examples in the loss."""

from collections.abc import Mapping

import numpy as np

from tfcourse.data.frames import as_array
from tfcourse.data.nested import Arrays, count_of, named
from tfcourse.errors import InputError
from tfcourse.types import Array

__all__ = ["check_weight"]


def check_weight(weight: Arrays, y: Arrays, origin: str) -> Arrays:
    """Return the weights of the examples as float32, ``(examples,)``.

    Args:
        weight: The weights, or a dict of those in the loss of each output; an output that is not in
            it has the weight 1 in all examples.
        y: The targets.
        origin: Names the data in messages.

    Raises:
        InputError: They are not one number >= 0 for each example, or all of them are 0.
    """
    if not isinstance(weight, Mapping):
        return _weight(as_array(weight, f"{origin}: sample_weight"), "sample_weight", y, origin)
    names = [*y] if isinstance(y, Mapping) else []
    unknown = [name for name in weight if name not in names]
    if unknown or not weight:
        outputs = f"in y: {', '.join(names)}" if names else "in y, which is no dict here"
        received = ", ".join(map(str, weight)) or "nothing"
        raise InputError(
            f"{origin}: the names in sample_weight must be {outputs}. Received: {received}."
        )
    ones = np.ones(count_of(y), np.float32)
    titles = {name: named("sample_weight", name) for name in names}
    return {
        name: _weight(as_array(weight[name], f"{origin}: {title}"), title, y, origin)
        if weight.get(name) is not None
        else ones
        for name, title in titles.items()
    }


def _weight(weight: Array, title: str, y: Arrays, origin: str) -> Array:
    count = count_of(y)
    if weight.ndim == 2 and weight.shape[1] == 1:
        weight = weight[:, 0]
    if weight.shape != (count,) or weight.dtype.kind not in "biuf":
        raise InputError(
            f"{origin}: {title} must be one number for each of the {count} examples. Received: "
            f"shape {weight.shape} of {weight.dtype}."
        )
    weight = weight.astype(np.float32)
    bad = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
    if len(bad):
        raise InputError(
            f"{origin}: {title} must be finite and >= 0. Received: {weight[bad[0]]:g} in row "
            f"{bad[0]}, and {len(bad)} such in all. Give these examples the weight 0, or leave "
            "them out."
        )
    if not weight.any():
        raise InputError(f"{origin}: {title} is 0 in all {count} examples; no loss is left.")
    return weight
