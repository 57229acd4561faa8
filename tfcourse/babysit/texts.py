"""The words in which a babysitter tells of the entries of its journal."""

from datetime import datetime

from tfcourse.babysit.entries import Entry

__all__ = ["dated", "describe", "effect"]


def dated(entry: Entry) -> str:
    """Return the line for an entry, with its time in the time zone of this machine."""
    try:
        time = f"{datetime.fromisoformat(entry.time).astimezone():%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError):  # a damaged journal
        time = entry.time
    return f"{time}  {describe(entry)}"


def describe(entry: Entry, epochs: int | None = None) -> str:
    """Return the line for an entry.

    Args:
        entry: The entry.
        epochs: The number of the last epoch, if it is known.
    """
    if entry.kind == "epoch":
        logs = "  ".join(f"{name} {value:.4g}" for name, value in entry.logs.items())
        rate = entry.values.get("learning_rate")
        tail = "" if rate is None else f"  learning_rate {rate:g}"
        place = entry.epoch if epochs is None else f"{entry.epoch}/{epochs}"
        return f"epoch {place}  {logs}{tail}"
    because = f" ({entry.because})" if entry.because else ""
    return f"{effect(entry)}{because}"


def effect(entry: Entry) -> str:
    """Return the effect of an entry in words, without its reason."""
    changes = ", ".join(
        f"{name} {before:g} → {after:g}" for name, (before, after) in entry.changes.items()
    )
    if entry.kind == "nudge":
        return f"From epoch {entry.epoch} on: {changes}"
    if entry.kind == "rollback":
        who = "Rolled back by the rule" if entry.by == "rule" else "Rolled back"
        place = f"that of epoch {entry.to}" if entry.to else "the beginning"
        start = f"{who} from the end of epoch {entry.epoch - 1} to {place}"
        return f"{start}{f', with {changes}' if changes else ''}"
    return {
        "start": "The training starts",
        "end": f"The training has ended after epoch {entry.epoch}",
        "pause": f"Paused before epoch {entry.epoch}",
        "resume": f"Resumed before epoch {entry.epoch}",
        "note": f"Note before epoch {entry.epoch}: {entry.text}",
        "epoch": f"Epoch {entry.epoch} is done",
    }[entry.kind]
