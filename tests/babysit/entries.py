"""Entries and commands of tests."""

from tfcourse.babysit.commands import Command
from tfcourse.babysit.entries import Entry

VALUES = {"learning_rate": 0.01, "beta_1": 0.9, "dropout": 0.2}


def start():
    return Entry(kind="start", time="t", epoch=0, run="a1", values=VALUES)


def epochs(count, first=1, losses=None):
    """Return the entries of some epochs; the loss of epoch n is n/10 if none is passed."""
    losses = [round(0.1 * n, 1) for n in range(first, first + count)] if losses is None else losses
    return [
        Entry(kind="epoch", time="t", epoch=n, loss=loss, logs={"loss": loss})
        for n, loss in enumerate(losses, start=first)
    ]


def command(kind, run="a1", name="c1", **fields):
    return Command(id=name, run=run, kind=kind, **fields)
