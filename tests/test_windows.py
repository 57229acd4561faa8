"""What tfcourse does where its modules see Windows, as `tests.windows` lets them."""

import os
import socket
import sys
from pathlib import Path

import pytest

from tests import processes
from tests.windows import ATTRIBUTES, MODULES, Seen
from tfcourse import files
from tfcourse.search.store.owner import find_owner
from tfcourse.time_limits import limited, time_limit

ROOT = Path(__file__).parent.parent


@pytest.fixture
def windows(monkeypatch):
    """`sys.platform` of Windows, for what reads it while it runs."""
    monkeypatch.setattr(sys, "platform", "win32")


def on_windows(*command):
    run = processes.run(["-m", "tests.windows", *command], timeout=120, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_what_windows_lacks_is_missing():
    """A positive control: this system has the modules and functions that are hidden."""
    assert {"fcntl", "resource", "termios"} <= MODULES
    assert hasattr(os, "killpg")
    seen = Seen(os, ATTRIBUTES["os"], name="nt")
    assert not hasattr(seen, "killpg")
    assert (seen.name, seen.getpid()) == ("nt", os.getpid())


def test_every_module_is_imported():
    modules = [p for p in (ROOT / "tfcourse").rglob("*.py") if p.name != "__init__.py"]
    count, word = on_windows().split()
    assert word == "modules"
    assert int(count) >= len(modules)


def test_a_search_runs_and_is_watched(tmp_path):
    command = ["search", "tuner_configs/digits.toml", "--trials", "1", "--epochs", "1", "--quiet"]
    assert "measured once" in on_windows(*command, "--out", str(tmp_path))
    assert "1 completed" in on_windows("watch", str(tmp_path / "digits"), "--once")


def test_a_process_gets_no_signal_that_would_interrupt_it(windows, tmp_path, monkeypatch):
    """On Windows signal 0 is Ctrl-C."""
    monkeypatch.setattr(os, "kill", None)
    (tmp_path / ".run.lock").write_text(f"process {os.getpid()} on {socket.gethostname()}")
    assert find_owner(tmp_path / "run").searches is None
    assert find_owner(tmp_path / "no run").searches is False


def test_a_folder_is_not_flushed(windows, tmp_path, monkeypatch):
    flags = []
    opened = os.open

    def record(path, flag):
        assert not Path(path).is_dir()
        flags.append(flag)
        return opened(path, flag)

    monkeypatch.setattr(os, "open", record)
    files.write_atomically(tmp_path / "a.txt", "text")
    assert flags == [os.O_RDWR]
    assert (tmp_path / "a.txt").read_text() == "text"


def test_there_is_no_alarm(windows):
    with time_limit(1e-6, "Wait."), limited("[data] source", "the data"):
        sum(range(10_000))
