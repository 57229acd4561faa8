"""Watching a run directory while a search writes it, or after that."""

import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest
from typer.testing import CliRunner

from tests.search.run_directories import completed, failed, write_run
from tfcourse.cli import app, watch
from tfcourse.search.results.snapshot import duration_in_words, sparkline
from tfcourse.search.results.watcher import Watcher
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.lock import lock_directory
from tfcourse.search.store.owner import Owner, find_owner

SPACE = {"learning_rate": {"low": 0.01, "high": 0.1, "scale": "log"}}
VALUES = {"learning_rate": 0.02}


def run(*arguments):
    result = CliRunner().invoke(app, ["watch", *map(str, arguments)], env={"COLUMNS": "200"})
    return result.exit_code, result.output


@pytest.fixture
def unfinished(tmp_path):
    """Four trials of 24, by two workers."""
    records = [
        completed(n, score, VALUES, worker=f"w{n % 2 + 1}", seconds=4.0)
        for n, score in enumerate([0.5, 0.9, 0.82])
    ]
    return write_run(tmp_path / "run", SPACE, [*records, failed(3, VALUES)])


@pytest.fixture
def searched(unfinished):
    """The directory as a search in this process holds it; its lock is older than the trials."""
    trials = RunDirectory(unfinished).read_trials()
    with lock_directory(unfinished):
        for record in trials.values():
            RunDirectory(unfinished).write_trial(record)
        yield unfinished


class TestOwner:
    def test_a_search_in_this_process(self, tmp_path):
        path = tmp_path / "run"
        assert find_owner(path) == Owner("", False)
        with lock_directory(path):
            owner = find_owner(path)
            assert owner.text == f"process {os.getpid()} on {socket.gethostname()}"
            assert owner.searches is True
        assert find_owner(path).searches is False

    @pytest.mark.parametrize(
        ("text", "searches"),
        [
            (f"process 4999999 on {socket.gethostname()}\n", False),
            (f"process {os.getpid()} on {socket.gethostname()}\n", True),
            (f"process {os.getpid()} on another.machine\n", None),
            ("", None),
        ],
        ids=["dead", "alive", "elsewhere", "unreadable"],
    )
    def test_without_the_list_of_locks(self, tmp_path, text, searches):
        (tmp_path / ".run.lock").write_text(text)
        assert find_owner(tmp_path / "run", tmp_path / "no locks").searches is searches

    def test_a_living_process_that_holds_no_lock(self, tmp_path):
        text = f"process {os.getpid()} on {socket.gethostname()}"
        (tmp_path / ".run.lock").write_text(text)
        (tmp_path / "locks").write_text("1: FLOCK  ADVISORY  WRITE 1 fe:00:3080250 0 EOF\n")
        assert find_owner(tmp_path / "run", tmp_path / "locks").searches is False

    @pytest.mark.parametrize("is_same_file", [True, False])
    def test_a_process_that_holds_a_lock_on_this_or_another_file(self, tmp_path, is_same_file):
        lock = tmp_path / ".run.lock"
        lock.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        inode = lock.stat().st_ino + (not is_same_file)
        line = f"1: FLOCK  ADVISORY  WRITE {os.getpid()} fe:00:{inode} 0 EOF\n"
        (tmp_path / "locks").write_text(line)
        assert find_owner(tmp_path / "run", tmp_path / "locks").searches is is_same_file


class TestSnapshot:
    def test_a_running_search(self, searched):
        snapshot = Watcher(searched).look()
        assert not snapshot.has_ended
        assert snapshot.counts == {"completed": 3, "failed": 1}
        assert (snapshot.best.trial, snapshot.trials_left) == (1, 20)
        assert [w.name for w in snapshot.workers] == ["w1", "w2", "main"]
        # The median of 4, 4, 4 and 0.5 s, for 20 trials and 3 workers.
        assert snapshot.seconds_left == pytest.approx(4 * 20 / 3)
        text = snapshot.text(100)
        assert "4 of 24 trials: 3 completed, 1 failed" in text
        assert "val_accuracy 0.9000 (trial 1)" in text
        assert "▁█▇× (trials 0 to 3)" in text
        assert "about 27 s (20 trials, 3 workers)" in text
        assert "runs trials" not in text

    def test_leases_say_what_each_worker_runs(self, searched):
        leases = {"a/0": 4, "a/1": 5, "b": 6, "w1": 2}
        entries = {name: {"trial": n, "since": time.time()} for name, n in leases.items()}
        (searched / "claims.json").write_text(json.dumps(entries))
        states = {worker.name: worker for worker in Watcher(searched).look().workers}
        assert states["a"].running == [4, 5]
        assert states["b"].running == [6]
        assert states["w1"].running == []  # its trial is on record
        assert "4, 5" in Watcher(searched).look().text(100)

    def test_workers_and_checkpoints_of_this_run_alone(self, searched):
        (searched / "checkpoints" / "0005").mkdir(parents=True)
        (searched / "checkpoints" / "0001").mkdir()
        (searched / "logs").mkdir()
        (searched / "logs" / "w7.log").touch()
        (searched / "logs" / "w8.log").touch()
        os.utime(searched / "logs" / "w8.log", (1e9, 1e9))
        snapshot = Watcher(searched).look()
        assert list(snapshot.checkpoints) == [5]
        assert "w7" in {w.name for w in snapshot.workers}
        assert "w8" not in {w.name for w in snapshot.workers}

    def test_trials_appear_change_and_vanish(self, searched):
        watcher, directory = Watcher(searched), RunDirectory(searched)
        assert len(watcher.look().trials) == 4
        directory.write_trial(completed(4, 0.95, VALUES))
        assert watcher.look().best.trial == 4
        directory.forget_trial(4)
        assert watcher.look().best.trial == 1
        (directory.trials / "0000.json").write_text("{")
        assert sorted(watcher.look().trials) == [1, 2, 3]
        directory.delete()
        assert not watcher.look().trials

    def test_after_a_crash(self, unfinished):
        code, text = run(unfinished)
        assert code == 1
        assert "No process searches, and the search is not finished. tfcourse search" in text
        assert run(unfinished, "--once")[0] == 0

    def test_json(self, searched):
        entry = json.loads(run(searched, "--once", "--json")[1])
        assert (entry["finished"], entry["searches"], entry["planned"]) == (False, True, 24)
        assert entry["best"]["trial"] == 1


def test_ctrl_c_ends_quietly(searched, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules[watch.__module__].time, "sleep", interrupt)
    code, text = run(searched)
    assert code == 130
    assert len(text.splitlines()) == 1
    assert "4 of 24 trials: 3 completed, 1 failed; best val_accuracy 0.9000 (trial 1)" in text


def test_it_waits_while_the_search_prepares_the_directory(unfinished, monkeypatch):
    config = (unfinished / "config.toml").read_text()
    (unfinished / "config.toml").unlink()
    waits = []

    def write(seconds):
        waits.append(seconds)
        (unfinished / "config.toml").write_text(config)

    monkeypatch.setattr("tfcourse.search.results.watcher.time.sleep", write)
    assert run(unfinished)[0] == 2
    with lock_directory(unfinished):
        assert run(unfinished, "--once")[0] == 2
        assert not Watcher(unfinished).look().has_ended
    assert len(waits) == 1


def test_no_run_directory(tmp_path):
    code, text = run(tmp_path)
    assert code == 2
    assert "is not a run directory" in text


# Ends with an error where a file is opened to be written, or anything is made, changed or locked.
READ_ONLY = """
import os, sys
sys.dont_write_bytecode = True
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.utime", "os.truncate",
           "os.symlink", "os.link", "fcntl.flock", "fcntl.lockf", "shutil.rmtree"}
def hook(event, arguments):
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (
        os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if event in CHANGES or (writes and str(arguments[0]) != os.devnull):
        os.write(2, f"{event} {arguments}".encode())
        os._exit(99)
from tfcourse.cli import app
sys.addaudithook(hook)
app(["watch", *sys.argv[1:]])
"""


def test_nothing_is_written_or_locked(searched):
    folders = (searched.parent, searched, searched / "trials")
    before = [(f, f.stat().st_mtime_ns, sorted(f.iterdir())) for f in folders]
    for folder in folders:
        folder.chmod(0o555)
    try:
        command = [sys.executable, "-c", READ_ONLY, str(searched), "--once"]
        # Without what makes coverage measure it, which is written to a file.
        env = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
        ended = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "searches." in ended.stdout
    assert [(f, f.stat().st_mtime_ns, sorted(f.iterdir())) for f in folders] == before


def test_a_search_that_is_watched_has_the_same_record(quick, untrained):
    def record(search):
        directory = RunDirectory(search.directory)
        trials = directory.read_trials().values()
        return [(r.trial, r.values, r.score, r.history) for r in trials], directory.read_summary()

    search = quick(search={"trials": 6})
    search.run(verbose=False)
    expected = record(search)

    seen, errors = [], []

    def look():
        try:
            while not search.directory.joinpath("trials").is_dir():
                time.sleep(0.001)
            watcher = Watcher(search.directory)
            while not seen or not seen[-1].is_finished:
                seen.append(watcher.look())
                time.sleep(0.001)
        except BaseException as error:
            errors.append(error)

    RunDirectory(search.directory).delete()
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    search.run(verbose=False)
    thread.join(timeout=60)
    assert not errors
    assert record(search) == expected
    counts = [len(snapshot.trials) for snapshot in seen]
    assert counts == sorted(counts)
    assert (counts[-1], seen[-1].best.score) == (6, max(score for _, _, score, _ in expected[0]))
    assert any(snapshot.owner.searches and not snapshot.has_ended for snapshot in seen)
    code, text = run(search.directory)
    assert code == 0
    assert "The search is finished." in text


class TestSparkline:
    def test_from_the_lowest_to_the_highest(self):
        assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
        assert sparkline([0.1, None, 0.9]) == "▁×█"
        assert sparkline([0.5, 0.5]) == "▅▅"
        assert sparkline([None]) == "×"
        assert sparkline([]) == ""

    def test_an_outlier_does_not_flatten_the_others(self):
        bars = sparkline([1.0, 2.0, 3.0, 4.0, 5.0, 1e30])
        assert bars[-1] == "█"
        assert len(set(bars)) > 3

    def test_a_score_is_cut_beyond_three_interquartile_ranges(self):
        # The quartiles are 1.25 and 3.75, so that scores up to 11.25 are drawn as they are.
        assert sparkline([0.0, 1.0, 2.0, 3.0, 4.0, 8.0]) == "▁▂▃▄▅█"
        assert sparkline([0.0, 1.0, 2.0, 3.0, 4.0, 100.0]) == "▁▁▂▃▃█"


def test_durations():
    assert [duration_in_words(s) for s in (0.4, 59, 61, 7325)] == [
        *("0 s", "59 s", "1 min 1 s", "2 h 2 min"),
    ]
