"""The ranges that a ``build(hp)`` registers: one range for a name, in all calls.

keras-tuner keeps the first range of a name and ignores later ones without a word, so that a value
can come from a range that the builder did not ask for. Here a second range is an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras_tuner
from keras_tuner.engine import hyperparameters as kinds

from tfcourse.errors import InputError

__all__ = ["CheckedHyperParameters", "Registration", "single_value"]


@dataclass(frozen=True)
class Registration:
    """One registration of a name.

    Attributes:
        entry: keras-tuner's hyperparameter.
        values: The values that the call had used before.
    """

    entry: kinds.HyperParameter
    values: Mapping[str, Any]


class CheckedHyperParameters(keras_tuner.HyperParameters):
    """keras-tuner's ``hp`` for one call of a builder, which refuses a second range for a name.

    Args:
        builder: The builder's name, for the message.
        registrations: The first registration of each name in earlier calls; this call adds its own.
        values: The values of the call; a name without one has its default.

    Raises:
        InputError: From the registration of a name that was registered with another range.
    """

    def __init__(
        self,
        builder: str = "",
        registrations: dict[str, Registration] | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.values = dict(values or {})
        self._builder = builder
        self._registrations = {} if registrations is None else registrations
        self._own: dict[str, Registration] = {}

    def _retrieve(self, hp: kinds.HyperParameter) -> Any:
        """Check what ``hp.Int``, ``hp.Choice`` and all others register, and return its value."""
        used = {n: v for n, v in self.values.items() if n in self._own and n != hp.name}
        # A copy, as keras-tuner makes: its conditions are those of the scopes that are open now.
        new = Registration(type(hp).from_config(hp.get_config()), used)
        self._compare(self._own.setdefault(hp.name, new), new)
        first = self._registrations.setdefault(hp.name, new)
        # A single value is no range: it is not searched, and may be computed from others.
        if single_value(first.entry) is None or single_value(hp) is None:
            self._compare(first, new)
        return super()._retrieve(hp)

    def _compare(self, first: Registration, second: Registration) -> None:
        if _values_of(first.entry) == _values_of(second.entry):
            return
        numbers = all(isinstance(r.entry, kinds.Int | kinds.Float) for r in (first, second))
        remedy = (
            f'Register a share, such as hp.Float("{second.entry.name}_share", 0.1, 1.0), and '
            "compute the number from it; or give each range a name of its own."
            if numbers
            else "Give each range a name of its own, within hp.conditional_scope where another "
            "value decides."
        )
        ranges = f"{_described(first, second)}, and {_described(second, first)}"
        raise InputError(
            f'builder: "{self._builder}" registers "{second.entry.name}" with different ranges: '
            f"{ranges}. A name has one range in a search. {remedy}"
        )


def single_value(entry: kinds.HyperParameter) -> tuple[Any] | None:
    """Return the value of a fixed number, text or boolean as ``(value,)``; None for a range."""
    if isinstance(entry, kinds.Fixed):
        return (entry.value,)
    if isinstance(entry, kinds.Int | kinds.Float) and entry.min_value == entry.max_value:
        return (entry.min_value,)
    return None


def _values_of(entry: kinds.HyperParameter) -> Any:
    """Return a key that is equal for entries with the same values; defaults are never drawn."""
    if (single := single_value(entry)) is not None:
        return type(single[0]).__name__, single
    if isinstance(entry, kinds.Choice | kinds.Boolean):
        return frozenset((type(value).__name__, value) for value in entry.values)
    return type(entry), entry.min_value, entry.max_value, entry.step, entry.sampling


def _described(one: Registration, other: Registration) -> str:
    """Return a range in words, with the values and conditions that the other one lacks."""
    entry = one.entry
    text = type(entry).__name__
    if (single := single_value(entry)) is not None:
        text += f" {single[0]!r}"
    elif isinstance(entry, kinds.Choice | kinds.Boolean):
        text += f" {list(entry.values)}"
    else:
        text += f" {entry.min_value} to {entry.max_value}"
        text += f" step {entry.step}" if entry.step not in (None, 1) else ""
        text += f" sampling {entry.sampling}" if entry.sampling != "linear" else ""
    values = {n: v for n, v in one.values.items() if other.values.get(n) != v}
    conditions = [c for c in entry.conditions if c not in other.entry.conditions]
    text += f" with {values}" if values else ""
    scopes = " and ".join(f"{c.name} in {list(c.values)}" for c in conditions)
    return text + (f" in the scope of {scopes}" if scopes else "")
