"""What a search says of its own space and budget, on records made for it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tfcourse.search.records.trial_record import TrialRecord, rank
from tfcourse.search.results.findings import findings, with_run_directory
from tfcourse.search.space.parameters import Choice, Range

RATE = {"learning_rate": Range("float", 1e-4, 1.0, scale="log")}
UNITS = {"units": Range("int", 8, 64, 8)}


def record(trial, score, epochs=10, best_epoch=5, history=None, **values):
    history = history or {"loss": [0.5] * epochs, "val_loss": [0.5] * epochs}
    return TrialRecord(trial, "completed", values, score, best_epoch, history=history)


def lines(space, records, direction="max"):
    return findings(space, records, rank(records, direction))


def without_lead(found):
    return [line for line in found if "Chance may decide" not in line]


@pytest.mark.parametrize("high", [True, False])
@pytest.mark.parametrize(
    ("space", "at"),
    [
        (RATE, lambda u: 10 ** (4 * u - 4)),
        ({"learning_rate": Range("float", 0.9, 0.9999, scale="one_minus_log")}, None),
        ({"learning_rate": Range("int", 2, 102, 1)}, None),
    ],
)
def test_the_best_at_an_end_of_the_scale(space, at, high):
    parameter = space["learning_rate"]
    at = at or parameter.value_at
    units = np.linspace(0.02, 0.98, 40)
    records = [
        record(i, score=u if high else -u, learning_rate=at(float(u))) for i, u in enumerate(units)
    ]
    (line,) = without_lead(lines(space, records))
    end = "high" if high else "low"
    assert line.startswith(f"learning_rate: the best trials are at the {end} end of its range (")
    assert line.endswith("a larger high." if high else "a smaller low.")


def test_a_best_trial_in_the_middle_or_at_an_end_by_chance_is_no_finding():
    units = np.random.default_rng(0).permutation(np.linspace(0.02, 0.98, 40))
    middle = [
        record(i, -abs(u - 0.5), learning_rate=10 ** (4 * u - 4)) for i, u in enumerate(units)
    ]
    assert without_lead(lines(RATE, middle)) == []
    lucky = [*middle, record(40, 1.0, learning_rate=0.97)]
    assert without_lead(lines(RATE, lucky)) == []


@pytest.mark.parametrize("parameter", [Range("int", 1, 9, 1), Range("float", 0.0, 0.8)])
def test_the_least_value_that_there_is_can_not_be_lowered(parameter):
    def records(value):
        return [record(i, i / 12, size=value) for i in range(12)]

    assert without_lead(lines({"size": parameter}, records(parameter.low))) == []
    assert len(without_lead(lines({"size": parameter}, records(parameter.high)))) == 1


def test_a_choice_a_short_range_and_few_trials_have_no_ends():
    space = {"units": Choice((8, 64)), "layers": Range("int", 1, 2, 1), **RATE}
    records = [record(i, i, units=64, layers=2, learning_rate=0.5) for i in range(12)]
    assert without_lead(lines({n: space[n] for n in ("units", "layers")}, records)) == []
    assert without_lead(lines(RATE, records[:7])) == []
    assert len(without_lead(lines(RATE, records))) == 1  # a positive control


def diverged(trial, rate):
    message = "The loss was not finite in epoch 1"
    return TrialRecord(trial, "failed", {"learning_rate": rate}, message=message)


def test_trials_that_diverged():
    good = [record(i, -i, learning_rate=0.01) for i in range(10)]
    (line,) = without_lead(lines(RATE, [*good, diverged(10, 0.5), diverged(11, 0.3)]))
    assert line == (
        "2 of 12 trials diverged, all with learning_rate >= 0.3: lower the high end of its range."
    )
    (line,) = without_lead(lines(RATE, [*good, diverged(10, 0.5), diverged(11, 0.001)]))
    assert line.startswith("2 of 12 trials diverged: lower the learning rates")
    absent = [TrialRecord(n, "failed", {}, message="The loss was not finite") for n in (10, 11)]
    (line,) = without_lead(lines(RATE, [*good, *absent]))
    assert line.startswith("2 of 12 trials diverged: lower the learning rates")
    assert without_lead(lines(RATE, [*good, diverged(10, 0.5)])) == []
    other = TrialRecord(11, "failed", {"learning_rate": 0.5}, message="ValueError: no")
    assert without_lead(lines(RATE, [*good, diverged(10, 0.5), other])) == []


def test_one_epoch_says_nothing_of_more():
    records = [record(i, float(i), epochs=1, best_epoch=1, learning_rate=0.01) for i in range(6)]
    assert not any("last epoch" in line for line in lines(RATE, records))
    records = [record(i, float(i), epochs=2, best_epoch=2, learning_rate=0.01) for i in range(6)]
    assert any("last epoch (2)" in line for line in lines(RATE, records))


@pytest.mark.parametrize(("schedule", "count"), [("cosine", 0), ("linear", 0), ("constant", 1)])
def test_a_rate_that_falls_to_0_makes_the_last_epochs_the_best(schedule, count):
    records = [record(i, -i, best_epoch=10, learning_rate=0.01) for i in range(8)]
    ranking = rank(records, "max")
    assert len(without_lead(findings({}, records, ranking, schedule))) == count
    own = [replace(r, values={**r.values, "schedule": schedule}) for r in records]
    assert len(without_lead(findings({}, own, rank(own, "max"), "inverse_time"))) == count


def test_the_best_were_still_improving():
    records = [record(i, -i, best_epoch=10, learning_rate=0.01) for i in range(8)]
    (line,) = without_lead(lines(RATE, records))
    assert line == (
        "2 of the 2 best trials were best at their last epoch (10): more [training] epochs may "
        "give better scores."
    )
    early = [record(0, 1.0, best_epoch=4, learning_rate=0.01), *records[1:]]
    assert without_lead(lines(RATE, early)) == []


def test_over_fitting():
    falling, rising = [1 / (n + 1) for n in range(10)], [0.5, 0.4, 0.3, *np.linspace(0.31, 0.6, 7)]
    history = {"loss": falling, "val_loss": rising}
    (line,) = lines(RATE, [record(0, 1.0, best_epoch=3, history=history, learning_rate=0.01)])
    assert line.startswith(
        "Trial 0 over-fits after epoch 3: its val_loss rises while its loss falls"
    )
    noisy = {"loss": falling, "val_loss": [0.5, 0.4, 0.3, *[0.31] * 7]}
    assert lines(RATE, [record(0, 1.0, best_epoch=3, history=noisy, learning_rate=0.01)]) == []
    worse = {"loss": falling[::-1], "val_loss": rising}
    assert lines(RATE, [record(0, 1.0, best_epoch=3, history=worse, learning_rate=0.01)]) == []


ACCURACY = [0.1, 0.8, 0.9, *np.linspace(0.89, 0.7, 7)]


@pytest.mark.parametrize(
    ("training", "validation", "overfits"),
    [
        ("rising", ACCURACY, True),
        ("rising", [0.1, 0.8, 0.9, *[0.88] * 7], False),  # while val_loss rises, the score does not
        ("rising", [0.9, 0.94, 0.95, *[0.93] * 7], True),  # of a gain of 0.05
        ("falling", ACCURACY, False),
        ("rising", [0.1, 0.5, *np.linspace(0.6, 0.9, 8)], False),
    ],
)
def test_over_fitting_is_that_of_the_objective(training, validation, overfits):
    rising = [n / 10 for n in range(10)]
    losses = {"loss": rising[::-1], "val_loss": [0.5, 0.1, *np.linspace(0.2, 0.9, 8)]}
    accuracy = rising if training == "rising" else rising[::-1]
    history = {**losses, "accuracy": accuracy, "val_accuracy": list(validation)}
    trial = record(0, 0.9, best_epoch=3, history=history, learning_rate=0.01)
    said = findings({}, [trial], [trial], None, "val_accuracy", "max")
    expected = "Trial 0 over-fits after epoch 3: its val_accuracy falls while its accuracy rises. "
    assert [line.startswith(expected) for line in said] == [True] * overfits


def test_a_lead_within_chance():
    def repeated(trial, score, std):
        return TrialRecord(
            trial, "completed", {}, score, 1, score_std=std, scores=[score] * 4, history={}
        )

    near = [repeated(0, 0.98, 0.01), repeated(1, 0.975, 0.01)]
    assert lines({}, near) == [
        "Chance may decide whether trial 0 (0.9800) is better than trial 1 (0.9750): the standard "
        "error of the lead is 0.0071."
    ]
    assert lines({}, [repeated(0, 0.98, 0.01), repeated(1, 0.90, 0.01)]) == []
    (unknown,) = lines({}, [record(0, 0.98), record(1, 0.5)])
    remedy = "tfcourse retest RUN_DIR --seeds 5 trains the best trials from other seeds."
    assert unknown.endswith(remedy)
    (shown,) = with_run_directory([unknown], Path("my runs/x"))
    assert "tfcourse retest 'my runs/x' --seeds 5 trains" in shown
    equal = lines({}, [record(0, 0.98), record(1, 0.98)])
    assert equal == [f"Trials 0 and 1 have the same score (0.9800): {remedy}"]
    assert lines({}, [record(0, 0.98)]) == lines({}, []) == []
