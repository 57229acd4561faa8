"""What a search shows: its progress, and tables."""

import io
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tfcourse.console import PlainConsole
from tfcourse.search.records.trial_record import TrialRecord, rank
from tfcourse.search.results.retest_result import Retest, RetestedTrial
from tfcourse.search.results.search_result import SearchResult
from tfcourse.search.results.tables import format_score, rounds_table
from tfcourse.search.runtime.progress import SearchProgress
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.summary import Measurement, Summary, read_summary


def test_the_progress_takes_names_as_they_are(quick, monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    config = quick().config
    named = config.search.model_copy(update={"name": "[red]x[/] {task}"})
    object.__setattr__(config, "search", named)
    with SearchProgress(config, {}) as bar:
        bar.began("[/w1]", 0)
    assert "[red]x[/] {task}" in written.getvalue()
    assert "[/w1]: 0" in written.getvalue()


def result_of(hyperparameters, long, measurements=()):
    """A finished search of 24 trials that nobody ran."""
    kinds = [
        lambda trial: 1.2345e-5 * (trial + 1),
        lambda trial: 1 - 1.234e-4 * (trial + 1),
        lambda trial: 1024 + trial,
        lambda trial: f"[{trial}]" + "a long string of some choice" * long,
        lambda trial: trial % 2 == 0,
    ]
    names = [f"hyper_parameter_{i}" for i in range(hyperparameters)]
    trials = {
        t: TrialRecord(
            t, "completed", {n: kinds[i % 5](t) for i, n in enumerate(names)}, 0.5 + t / 100, 7
        )
        for t in range(24)
    }
    ranking = rank(trials.values(), "max")
    summary = Summary(23, "val_accuracy", 0.73, {"loss": 1.5e-5, "accuracy": 0.7}, measurements)
    return SearchResult(Path("runs/[x]"), trials, ranking, summary, True)


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("hyperparameters", [1, 5, 10, 20])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_number_of_the_best_trials_is_split(width, hyperparameters, long):
    result = result_of(hyperparameters, long)
    text = result.text(width)
    table = text.partition("dev set")[0]
    assert max(map(len, table.splitlines())) <= width
    words = table.split()
    shown = [record for record in result.ranking[:5] if f"{record.score:.4f}" in words]
    assert shown == result.ranking[: len(shown)] != []
    assert ("All trials are in results.csv." in table) == (len(shown) < 5)
    for record in shown:
        for value in record.values.values():
            if not isinstance(value, str):
                assert (f"{value:.4g}" if isinstance(value, float) else str(value)) in words
    if hyperparameters <= 5 and width >= 80 and not long:
        assert len(shown) == 5
    for name in result.best.values:
        assert name in words


def printed(table, width):
    written = io.StringIO()
    PlainConsole(file=written, width=width, color_system=None).print(table)
    assert max(map(len, written.getvalue().splitlines())) <= width
    return written.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_number_of_the_rounds_is_split(width):
    box = {
        "learning_rate": {"low": 1.2345e-4, "high": 0.98765},
        "a_very_long_hyperparameter_name": {"low": 1.2345e-7, "high": 0.0012345},
        "beta_1": {"low": 0.9, "high": 0.99999},
        "units": {"weights": [0.5, 0.3, 0.2], "values": [16, 1024, 16384]},
    }
    rounds = [{"first_trial": 8 * i, "last_trial": 8 * i + 7, "box": box} for i in range(6)]
    said = printed(rounds_table(rounds), width)
    shown = len(re.findall(r"\b\d+ to \d+ ", said.splitlines()[2]))
    assert 2 <= shown <= 4
    for number in ("0.0001234", "0.9877", "1.235e-07", "0.001234", "16384", "0.9", "1-1e-05"):
        assert said.split().count(number) == shown
    assert f"{shown} of 6 rounds; all are in rounds.json" in said


@pytest.mark.parametrize("width", [50, 60, 80, 120])
def test_no_number_of_a_retest_is_split(width):
    trials = [RetestedTrial(1, 1, 1, 0.123456, 123456.789), RetestedTrial(12345, 2, 1, 1e-9, None)]
    found = Retest("val_mean_absolute_error", trials, 0, None, Path("x"))
    words = printed(*found.rich_tables(), width).split()
    assert {"0.1235", "1.235e+05", "+1.235e+05", "12345", "1e-09"} <= {*words}
    assert any("val_mean_absolute_error" in word for word in words)


def test_a_result_is_printed_as_a_table():
    result = result_of(3, False)
    said = str(result)
    assert "The 5 best trials" in said
    assert "\x1b" not in said
    assert "[23]" not in said
    assert "test set    accuracy 0.7000, loss 1.5e-05 (measured once)" in said
    assert "Warning" not in said
    assert repr(result) == "<SearchResult 'runs/[x]': 24 trials, best 23 with val_accuracy 0.73>"
    assert result._repr_html_().startswith("<pre>")


def test_rich_prints_a_result_as_its_table():
    written = io.StringIO()
    Console(file=written, width=80).print(result_of(3, False))
    assert "The 5 best trials" in written.getvalue()
    assert "record      runs/[x]" in written.getvalue()


def test_why_a_trial_failed_is_told_in_a_line():
    result = result_of(1, False)
    failed = TrialRecord(4, "failed", {}, message=f"ValueError: \x1b[2J\n[/b] {'x' * 10_000}")
    broken = replace(result, trials={**result.trials, 4: failed}, ranking=result.ranking[:-1])
    said = str(broken)
    assert "1 of 24 trials failed: see the messages in results. Trial 4: ValueError: " in said
    assert r"\x1b[2J\n[/b] xxx" in said
    assert "\x1b" not in said
    assert max(map(len, said.splitlines())) < 400


@pytest.mark.parametrize(
    ("score", "shown"),
    [(None, "–"), (0.0, "0.0000"), (0.98765, "0.9877"), (1.234567e-6, "1.235e-06"),
     (-3e-4, "-0.0003"), (123456.789, "1.235e+05"), (1234.5, "1234.5000")],
)  # fmt: skip
def test_a_score_shows_its_digits(score, shown):
    assert format_score(score) == shown


class TestMeasurements:
    SECOND = (
        Measurement(3, 12, {"loss": 1.0}, "2026-01-02T03:04:05+00:00"),
        Measurement(23, 24, {"loss": 1.5e-5, "accuracy": 0.7}, "2026-01-03T03:04:05+00:00"),
    )

    def test_a_test_set_that_was_used_twice_is_warned_of(self):
        said = str(result_of(3, False, self.SECOND))
        assert "(measurement 2 on this test set)" in said
        assert "Warning: the test set has now been used 2 times, for the best trials 3, 23" in said

    def test_they_are_kept(self, tmp_path):
        summary = result_of(1, False, self.SECOND).summary
        RunDirectory(tmp_path).write_summary(summary)
        kept = read_summary(tmp_path / "summary.json")
        assert kept == summary
        assert [m.date for m in kept.measurements] == [m.date for m in self.SECOND]

    def test_a_summary_of_an_earlier_version(self, tmp_path):
        old = {"trial": 3, "objective": "val_loss", "score": 0.5, "test": {"loss": 1.0}}
        (tmp_path / "summary.json").write_text(json.dumps(old))
        summary = read_summary(tmp_path / "summary.json")
        assert summary.measurements == (Measurement(3, None, {"loss": 1.0}),)

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"trial": 1, "measurements": [1]}', "3"])
    def test_no_summary(self, text, tmp_path):
        (tmp_path / "summary.json").write_text(text)
        assert read_summary(tmp_path / "summary.json") is None
