"""The names of several outputs in y, compared with those in a config."""

from collections.abc import Mapping

from tfcourse.data.nested import Arrays
from tfcourse.errors import InputError

__all__ = ["check_output_names"]


def check_output_names(y: Arrays, numbers: bool | Mapping[str, bool]) -> Mapping[str, bool]:
    """Return whether each output is numbers, as `check_examples` takes it, by the names in y.

    Raises:
        InputError: The names are others than in y, or only one of both has names.
    """
    received = f"y as {_described(y)}"
    if isinstance(numbers, Mapping) and not isinstance(y, Mapping):
        wanted = ", ".join(numbers)
        raise InputError(
            f"the loss is a table by output, and y must be a dict of them: {wanted}. Received: "
            f"{received}."
        )
    if isinstance(y, Mapping) and not isinstance(numbers, Mapping):
        example = ", ".join(f'{name} = "mse"' for name in y)
        raise InputError(
            f"y as a dict needs a table of losses by output, such as loss = {{ {example} }}. "
            f"Received: {received}."
        )
    if not isinstance(numbers, Mapping):
        return {"": numbers}
    missing = [name for name in numbers if name not in y]
    unknown = [name for name in y if name not in numbers]
    if missing or unknown:
        raise InputError(
            f"y must have the outputs that loss, metrics and targets name: {', '.join(numbers)}. "
            f"Received: {received}."
            + f' "{next(iter(unknown), "")}" needs a loss or a metric, or leave it out of y.'
            * bool(unknown)
        )
    return {name: numbers[name] for name in y}


def _described(y: Arrays) -> str:
    return f"a dict of {', '.join(map(str, y))}" if isinstance(y, Mapping) else "an array"
