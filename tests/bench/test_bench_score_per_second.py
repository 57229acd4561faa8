"""Two searches for the same validation loss, by the clock."""

import sys

import numpy as np
import pytest

from tfcourse.bench import score_per_second
from tfcourse.bench.score_per_second import ALONE, STOCK, TOGETHER, Course, bench, seconds_to
from tfcourse.errors import InputError


def test_seconds_to_a_score():
    course = Course(np.array([1.0, 2.0, 3.0]), np.array([0.9, 0.5, 0.5]))
    assert [seconds_to(score, course) for score in (1.0, 0.5, 0.4)] == [1, 2, np.inf]


def test_without_optuna_it_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"needs Optuna, .* pip install optuna\."):
        next(bench(repeats=1))


def test_the_table_compares_the_times_to_the_worse_loss(monkeypatch, capsys):
    courses = {
        "our_search": Course(np.array([1.0, 2.0]), np.array([0.4, 0.1])),
        "stock_search": Course(np.array([10.0, 30.0]), np.array([0.5, 0.3])),
    }
    for name, course in courses.items():
        monkeypatch.setattr(score_per_second, name, lambda config, course=course: course)
    pytest.importorskip("optuna")
    (figures,) = bench(repeats=3)
    table = figures.table
    rows = [[str(cell) for cell in column.cells] for column in table.columns]
    assert rows[0] == [ALONE, TOGETHER, STOCK]
    assert rows[1] == ["0.1000", "0.1000", "0.3000"]
    assert rows[3][:2] == ["2.00 s"] * 2
    assert rows[4][:2] == ["30.0 s"] * 2
    assert rows[5] == ["15.0 [15.0–15.0]", "15.0 [15.0–15.0]", ""]
    first, _, stock = figures.entry["searches"]
    assert (first["val_loss"], first["seconds"], first["ratios"]) == (
        [0.1] * 3,
        [2.0] * 3,
        [15.0] * 3,
    )
    assert first["stock_seconds_to_same_loss"] == [30.0] * 3
    assert stock["name"] == figures.entry["baseline"]
    assert f"seed 0: {STOCK}: val_loss 0.3000 after 30.0 s" in capsys.readouterr().err


def test_the_searches_train(monkeypatch):
    pytest.importorskip("optuna")
    monkeypatch.setattr(score_per_second, "_warm_up", lambda: None)
    (figures,) = bench(repeats=1, trials=2, epochs=1)
    losses = [float(str(cell)) for cell in figures.table.columns[1].cells]
    assert len(losses) == 3
    assert all(0.05 < loss < 4 for loss in losses)
