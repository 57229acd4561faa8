"""What the Bayesian search asks keras-tuner's Gaussian process, and makes of the answers."""

import sys
from types import SimpleNamespace

import pytest

from tfcourse.search.config.strategy_tables import BayesianTable
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.space.parameters import Choice, Range
from tfcourse.search.space.sampling import sample, trial_seed
from tfcourse.search.strategies.proposals import dependencies, propose
from tfcourse.search.strategies.study import Study

RATE = {"rate": Range("float", 1e-3, 1.0, scale="log")}
SIZES = Choice(tuple(range(8)))


def study_of(space, initial, parallel, direction="min"):
    table = BayesianTable(initial=initial, parallel=parallel)
    return Study("bayesian", table, space, 0, direction, 16, 1)


def ended(trial, values, score):
    return TrialRecord(trial, "failed" if score is None else "completed", values, score)


@pytest.fixture
def process(monkeypatch):
    """Stands for the process: ``answer`` is the point it proposes, ``asked`` all its questions."""
    found = SimpleNamespace(asked=[], answer=(0.5,))

    def next_point(*question):
        found.asked.append(question)
        return found.answer

    stub = SimpleNamespace(next_point=next_point)
    monkeypatch.setitem(sys.modules, "tfcourse.search.engine.gaussian_process", stub)
    return found


def test_the_trials_of_its_batch_count_as_the_worst(process):
    """Of trial 3, the second of its batch: trial 2, still at random, and trial 1, which failed."""
    space = RATE | {"units": Choice((4, 8, 16))}
    study = study_of(space, 3, 2)
    values = [propose(study, trial, {}) for trial in range(3)]
    assert values == [sample(space, 0, trial) for trial in range(3)]
    assert process.asked == []
    process.answer = (0.25, 0.5)
    records = {n: ended(n, values[n], [0.5, None][n]) for n in range(2)}
    assert propose(study, 3, records) == {"rate": space["rate"].value_at(0.25), "units": 8}
    points = [tuple(space[name].unit_of(own[name]) for name in space) for own in values]
    seen = ((points[0], 0.5), (points[1], 0.5), (points[2], 0.5))
    assert process.asked == [(seen, "min", 2.6, trial_seed(0, 3) + 1)]


def test_a_parameter_that_is_not_active_lies_in_the_middle(process):
    space = {
        "kind": Choice(("a", "b")),
        "momentum": Range("float", 0.0, 1.0, when=(("kind", "b"),)),
    }
    values = [{"kind": "a"}, {"kind": "b", "momentum": 0.125}]
    process.answer = (0.75, 0.25)
    records = {n: ended(n, own, float(n)) for n, own in enumerate(values)}
    assert propose(study_of(space, 2, 1), 2, records) == {"kind": "b", "momentum": 0.25}
    ((seen, *_),) = process.asked
    assert seen == (((0.25, 0.5), 0.0), ((0.75, 0.125), 1.0))


def test_of_a_configuration_that_was_tried_a_new_one_is_drawn(process):
    """Also where a trial of its own batch has it: the last one of trial 5's batch, 4 and 5."""
    space = {"size": SIZES}
    drawn = [sample(space, 0, trial)["size"] for trial in range(6)]
    assert drawn[5] not in (4, 6), "else the test would be of the draws after it"
    process.answer = (SIZES.unit_of(6),)
    records = {n: ended(n, {"size": size}, 1.0) for n, size in enumerate((0, 1, 2, 4))}
    study = study_of(space, 3, 2)
    assert propose(study, 4, records) == {"size": 6}
    assert propose(study, 5, records) == {"size": drawn[5]}


def test_at_random_no_configuration_is_drawn_twice(process):
    """Neither before the process begins, nor while all trials have failed, nor within a batch."""
    space = {"size": SIZES}
    study = study_of(space, 5, 4)
    first = [propose(study, trial, {})["size"] for trial in range(5)]
    assert len({*first}) == 5
    failed = {n: ended(n, {"size": first[n]}, None) for n in range(4)}
    assert propose(study, 5, failed)["size"] not in first
    process.answer = (SIZES.unit_of(first[4]),)
    known = {n: ended(n, {"size": first[n]}, 1.0) for n in range(4)}
    assert propose(study, 5, known)["size"] not in first
    ((seen, *_),) = process.asked
    assert [point for point, _ in seen] == [(SIZES.unit_of(size),) for size in first]


@pytest.mark.parametrize(("direction", "order"), [("min", [1, 2, 0]), ("max", [0, 2, 1])])
def test_the_worst_is_that_of_the_direction(process, direction, order):
    study = study_of(RATE, 3, 3, direction)
    values = [propose(study, trial, {}) for trial in range(3)]
    records = {n: ended(n, values[n], [0.5, 0.1, 0.3][n]) for n in range(3)}
    propose(study, 4, records)
    *_, (seen, asked, *_) = process.asked
    assert asked == direction
    assert [score for _, score in seen] == [records[n].score for n in [*order, order[-1]]]


def test_by_default_it_begins_after_three_trials_for_each_hyperparameter(process):
    space = RATE | {"size": SIZES}
    study = study_of(space, None, 1)
    assert [len(dependencies(study, trial)) for trial in (0, 5, 6, 7)] == [0, 0, 6, 7]
    assert propose(study, 5, {}) == sample(space, 0, 5)
    assert process.asked == []
    process.answer = (0.5, 0.5)
    records = {n: ended(n, sample(space, 0, n), 1.0) for n in range(6)}
    assert propose(study, 6, records) == {"rate": space["rate"].value_at(0.5), "size": 4}
