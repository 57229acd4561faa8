"""``rounds.json``: the trials and the box of each round of a search from coarse to fine."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, StrictFloat, StrictInt, TypeAdapter, ValidationError

__all__ = ["parse_rounds"]

_Number = StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)]


@dataclass(frozen=True)
class _Range:
    low: _Number
    high: _Number


@dataclass(frozen=True)
class _Choice:
    values: Sequence[bool | int | float | str]
    weights: Sequence[Annotated[float, Field(ge=0, le=1)]]


@dataclass(frozen=True)
class _Round:
    first_trial: Annotated[int, Field(ge=0)]
    last_trial: Annotated[int, Field(ge=0)]
    box: dict[str, _Range | _Choice]


_ROUNDS = TypeAdapter(list[_Round])


def parse_rounds(value: object) -> list[dict[str, Any]]:
    """Return the rounds in the value of ``rounds.json``; none if it is damaged.

    Args:
        value: The value, as JSON has it.
    """
    try:
        rounds = _ROUNDS.validate_python(value)
    except ValidationError:
        return []
    is_whole = all(entry.box.keys() == rounds[0].box.keys() for entry in rounds) and all(
        len(part.values) == len(part.weights)
        for entry in rounds
        for part in entry.box.values()
        if isinstance(part, _Choice)
    )
    return value if is_whole and isinstance(value, list) else []
