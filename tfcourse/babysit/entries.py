"""The entries of a journal: the epochs of a training, and what was done to it between them."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["Entry", "now"]


class Entry(BaseModel):
    """A line of a journal.

    Attributes:
        kind: The event: ``"start"`` and ``"end"`` of the training, the end of an ``"epoch"``, or a
            command.
        time: The time in UTC, ISO 8601.
        epoch: The epoch that ended; for a command the one before which it takes effect. From 1.
        loss: The loss of the last epoch before it, of the training data.
        id: The command's id.
        by: ``"rule"`` where no person, but the rule for explosions, did it.
        changes: The values of hyperparameters before and after, by name.
        to: The epoch whose end a rollback returned to.
        text: A note's text.
        because: The reason.
        logs: All metrics of an epoch.
        values: The hyperparameters of an epoch, or those that a training starts with.
        run: The run's id.
        versions: The versions of the packages that a training started with.
    """

    # A loss may be NaN or infinite, for which JSON has no number.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    kind: Literal["start", "epoch", "nudge", "rollback", "pause", "resume", "note", "end"]
    time: str
    epoch: int
    loss: float | None = None
    id: str = ""
    by: Literal["", "rule"] = ""
    changes: Mapping[str, tuple[float, float]] = {}
    to: int | None = None
    text: str = ""
    because: str = ""
    logs: Mapping[str, float] = {}
    values: Mapping[str, float] = {}
    run: str = ""
    versions: Mapping[str, str] = {}

    def as_line(self) -> str:
        """Return the entry as a line of JSON, without what has its default."""
        return self.model_dump_json(exclude_defaults=True) + "\n"

    def agrees_with(self, other: "Entry") -> bool:
        """Return True if both say the same to the last bit, at whatever time."""
        return self.without_time() == other.without_time()

    def without_time(self) -> str:
        """Return the entry as JSON without its time; unlike NaN it can be compared."""
        return self.model_dump_json(exclude_defaults=True, exclude={"time"})

    @property
    def is_finite(self) -> bool:
        """True if there is a loss, and it is finite."""
        return self.loss is not None and math.isfinite(self.loss)


def now() -> str:
    """Return the present time for an entry."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
