"""The words in which a babysitter tells of the entries of its journal."""

from tfcourse.babysit.entries import Entry

__all__ = ["describe", "effect"]


def describe(entry: Entry, epochs: int) -> str:
    """Return the line for an entry.

    Args:
        entry: The entry.
        epochs: The number of the last epoch.
    """
    if entry.kind == "epoch":
        logs = "  ".join(f"{name} {value:.4g}" for name, value in entry.logs.items())
        rate = entry.values.get("learning_rate")
        tail = "" if rate is None else f"  learning_rate {rate:g}"
        return f"epoch {entry.epoch}/{epochs}  {logs}{tail}"
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
        place = f"to the end of epoch {entry.to}" if entry.to else "to the beginning"
        return f"{who} {place}{f', with {changes}' if changes else ''}"
    return {
        "start": "The training starts",
        "end": f"The training has ended after epoch {entry.epoch}",
        "pause": f"Paused before epoch {entry.epoch}",
        "resume": f"Resumed before epoch {entry.epoch}",
        "note": f"Note before epoch {entry.epoch}: {entry.text}",
        "epoch": f"Epoch {entry.epoch} is done",
    }[entry.kind]
