"""The space of a search whose config is lost."""

from collections.abc import Mapping

from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.space.parameters import Choice, Parameter, Range

__all__ = ["space_of"]


def space_of(trials: Mapping[int, TrialRecord]) -> dict[str, Parameter]:
    """Return parameters that the values of the trials fit, where the config is lost."""
    space: dict[str, Parameter] = {}
    for name in dict.fromkeys(name for record in trials.values() for name in record.values):
        values = [r.values[name] for r in trials.values() if name in r.values]
        if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
            space[name] = Range("float", float(min(values)), float(max(values)))
        else:
            space[name] = Choice(tuple(dict.fromkeys(values)))
    return space
