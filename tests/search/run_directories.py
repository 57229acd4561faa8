"""Run directories that no search wrote, for tests of what reads them."""

import json

import tomli_w

from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.store.directory import RunDirectory


def completed(trial, score, values, epochs=3, **fields):
    """The record of a trial whose score improves towards its end."""
    curve = [score - 0.01 * (epochs - 1 - epoch) for epoch in range(epochs)]
    history = {"accuracy": curve, "loss": curve, "val_accuracy": curve, "val_loss": curve}
    fields = {"seconds": 1.5, "history": history, **fields}
    return TrialRecord(trial, "completed", values, score, epochs, **fields)


def failed(trial, values, message="ValueError: too wide"):
    return TrialRecord(trial, "failed", values, seconds=0.5, message=message)


def write_run(path, space, records, rounds=(), **search):
    """Write an unfinished search of the records, and return its path."""
    tables = {
        "search": {
            "name": path.name.replace(" ", "_"),
            "trials": 24,
            "objective": "val_accuracy",
            **search,
        },
        "data": {"source": "nowhere:data"},
        "model": {"builder": "nowhere:build"},
        "training": {"epochs": 3},
        "space": space,
    }
    directory = RunDirectory(path)
    directory.create(tomli_w.dumps(tables), {"tfcourse": "0.1.0", "keras-tuner": "1.4.8"})
    for record in records:
        directory.write_trial(record)
    directory.write_tables(records, list(space))
    if rounds:
        directory.rounds.write_text(json.dumps(list(rounds)))
    return path
