"""Run directories for the tests of reports."""

import math

import numpy as np

from tests.search.run_directories import completed, failed, write_run
from tfcourse.search.config.checks import parse_space
from tfcourse.search.space.sampling import sample

MARKUP = "<b>bold</b> & <a href='x'>%{x}</a> <script>alert(1)</script>"
RATE = {"low": 1e-4, "high": 1.0, "scale": "log"}
WIDE = {
    "learning_rate": RATE,
    "optimizer": {"values": ["adam", "momentum"]},
    "beta_1": {"low": 0.9, "high": 0.999, "scale": "one_minus_log", "when": {"optimizer": "adam"}},
    "kind": {"values": ["plain", MARKUP, "a name that is much too long for any axis"]},
    "layers": {"low": 1, "high": 4},
    "width": {"low": 8, "high": 96, "step": 8, "scale": "log"},
    "dropout": {"low": 0.0, "high": 0.5},
    "flag": {"values": [True, False]},
    "batch_size": {"values": [16, 32, 64, 128, 256]},
    "weight_decay": {"low": 1e-6, "high": 1e-2, "scale": "log"},
    "momentum": {"low": 0.9, "high": 0.99},
    "patience": {"low": 1, "high": 40},
}


def trials(space, count, score_of, epochs=3):
    """Random trials with a score by (number, values, generator), None for one that fails."""
    parsed, problems = parse_space(space, None, None)
    assert not problems
    rng = np.random.default_rng(0)
    records = []
    for number in range(count):
        values = sample(parsed, 0, number)
        score = score_of(number, values, rng)
        if score is None:
            message = (
                "The loss was not finite in epoch 1" if number % 2 else f"ValueError: {MARKUP}"
            )
            records.append(failed(number, values, message))
        else:
            records.append(completed(number, score, values, epochs))
    return records


def by_rate(number, values, rng):
    """A score that is best at a learning rate of 0.01, with noise."""
    return 0.8 - 0.05 * (math.log10(values["learning_rate"]) + 2) ** 2 + 0.01 * rng.normal()


def sometimes(number, values, rng):
    return None if values["learning_rate"] > 0.3 else by_rate(number, values, rng)


def wide_run(path, count=40):
    """A search of many kinds of hyperparameters, with failures, markup in names, and rounds."""
    records = trials(WIDE, count, sometimes)
    half = count // 2
    box = {"learning_rate": {"low": 1e-4, "high": 1.0}}
    box["optimizer"] = {"values": ["adam", "momentum"], "weights": [0.75, 0.25]}
    narrow = {**box, "learning_rate": {"low": 1e-3, "high": 0.1}}
    rounds = [
        {"first_trial": 0, "last_trial": half - 1, "box": box},
        {"first_trial": half, "last_trial": count - 1, "box": narrow},
    ]
    return write_run(path, WIDE, records, rounds, trials=count)
