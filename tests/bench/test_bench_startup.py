from pathlib import Path

import pytest

import tfcourse
from tfcourse.bench import startup
from tfcourse.bench.startup import bench, commands, compare_commands
from tfcourse.errors import InputError


def test_whole_processes_are_timed_one_a_sample():
    comparison = compare_commands("t", {"pass": ["-c", "pass"], "two": ["-c", "2"]}, repeats=2)
    assert [timing.name for timing in comparison.timings] == ["pass", "two"]
    assert all(timing.number == 1 for timing in comparison.timings)
    assert all(len(timing.seconds.values) == 2 for timing in comparison.timings)


def test_a_command_that_fails_ends_the_bench_with_its_stderr():
    code = "import sys; print('no such thing', file=sys.stderr); sys.exit(3)"
    with pytest.raises(RuntimeError, match=r"'broken' exited with 3, expected 0.*\sno such thing"):
        compare_commands("t", {"broken": ["-c", code]}, repeats=1)


def test_a_silent_failure_is_told_as_one():
    with pytest.raises(RuntimeError, match=r"exited with 1, expected 0. Its stderr:\s\(empty\)"):
        compare_commands("t", {"broken": ["-c", "raise SystemExit(1)"]}, repeats=1)


def test_check_takes_part_where_its_config_exists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert next(iter(commands())) == "tfcourse --help"
    assert len(commands()) == 5
    (tmp_path / "tuner_configs").mkdir()
    (tmp_path / "tuner_configs" / "digits.toml").touch()
    name = "tfcourse check tuner_configs/digits.toml"
    assert commands()[name][:3] == ["-m", "tfcourse", "check"]


def test_a_search_is_ended_at_its_first_trial(tmp_path, monkeypatch):
    """Beside Python alone, of which it takes part in each round."""
    root = Path(tfcourse.__file__).parents[1]
    monkeypatch.chdir(root)
    monkeypatch.setattr(startup, "commands", lambda: {"pass": ["-c", "pass"]})
    monkeypatch.setattr(startup.tempfile, "tempdir", str(tmp_path))
    (comparison,) = bench(repeats=1)
    names = ["pass", "tfcourse search tuner_configs/digits.toml, to its first trial"]
    assert [timing.name for timing in comparison.timings] == names
    assert all(len(timing.seconds.values) == 1 for timing in comparison.timings)
    assert [*tmp_path.iterdir()] == [], "it leaves no run directory"


def test_a_search_without_a_trial_ends_the_bench_with_its_stderr(tmp_path, monkeypatch):
    (tmp_path / "tuner_configs").mkdir()
    (tmp_path / "tuner_configs" / "digits.toml").write_text("[search]\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match=r"began no trial. Its stderr:\s.*name is required"):
        startup._run_to_first_trial(startup.CONFIG)


def test_repeats_are_checked_before_a_process_starts():
    with pytest.raises(InputError, match=r"repeats must be a whole number >= 1. Received: 0"):
        bench(repeats=0)
