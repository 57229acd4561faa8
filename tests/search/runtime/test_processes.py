"""The commands as a user runs them: signals, kill -9 of the parent, and two machines."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

import tfcourse
from tests import processes
from tests.search.runtime.pools import SLOW, same
from tfcourse import InputError
from tfcourse.search.engine.certificates import uses_tls
from tfcourse.search.runtime.roles import check_shared
from tfcourse.search.store.directory import RunDirectory

TRIALS = 6


@pytest.fixture
def search(quick):
    """A search of slow trials; its config is ``search.toml`` in the current folder."""
    space = {"learning_rate": {"low": 0.01, "high": 0.5, "scale": "log"}}
    return quick(SLOW, builder="slow", space=space, search={"trials": TRIALS})


@pytest.fixture
def start():
    """Starts a command; whatever is left of it is killed at the end."""
    begun = []

    def run(*arguments, **kwargs):
        begun.append(processes.Process(["-m", "tfcourse", *arguments], **kwargs))
        return begun[-1]

    yield run
    for process in begun:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def descendants(pid):
    """All processes that a process has started, directly or through others."""
    parents = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal():
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def alive(pid):
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition, process, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.01)


def is_recorded(search, trial=0):
    return lambda: (search.directory / "trials" / f"{trial:04d}.json").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="it looks for processes in /proc")
class TestEnds:
    """Whatever ends the parent ends all of it, and the same command completes the search."""

    @pytest.fixture
    def short_folder(self):
        """A folder with a short name: that of a socket has 107 bytes at most."""
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)

    @pytest.fixture
    def start(self, short_folder):
        """Starts a command that has its temporary files to itself."""
        begun = []

        def run(arguments):
            begun.append(
                subprocess.Popen(
                    [sys.executable, "-m", "tfcourse", *arguments],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "TMPDIR": str(short_folder)},
                )
            )
            return begun[-1]

        yield run
        for process in begun:
            process.kill()
            process.communicate()

    @pytest.mark.parametrize(("how", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 130)])
    def test_a_signal_to_the_parent(self, search, start, how, code, tmp_path, short_folder):
        process = start(["search", "search.toml", "--workers", "2"])
        wait_for(is_recorded(search), process)
        # A positive control: the first output of the workers, and the socket to what forks them.
        # A worker may be at work on a temporary file of its own.
        assert {"tfcourse", "pymp"} <= {path.name.split("-")[0] for path in short_folder.iterdir()}
        (note,) = search.directory.parent.glob(".*.folders")
        folders = {path for path in short_folder.iterdir() if path.name[:4] in ("tfco", "pymp")}
        assert set(map(Path, note.read_text().splitlines())) == folders
        family = descendants(process.pid)
        assert len(family) >= 3  # a positive control: two workers, what they are forked from
        process.send_signal(how)
        _, said = process.communicate(timeout=30)
        assert process.returncode == code
        if code == 130:
            assert "The same command resumes from there." in said
            assert "Traceback" not in said
        end = time.monotonic() + 10
        while any(map(alive, family)) and time.monotonic() < end:
            time.sleep(0.05)
        assert [pid for pid in family if alive(pid)] == []
        assert [path for path in short_folder.iterdir() if "-" in path.name] == []
        assert note.exists() == (how == signal.SIGKILL)
        kept = search.finished()
        assert 0 < len(kept) < TRIALS
        if how == signal.SIGKILL:
            result = search.run(verbose=False)
            alone = tfcourse.Search(search.config, tmp_path / "alone").run(verbose=False)
            assert same(result) == same(alone)
            assert all(same(result)[trial][2] == record.score for trial, record in kept.items())
            assert not note.exists()


class TestTwoMachines:
    """Two processes in two folders, with nothing in common but the run directory.

    They use TLS, where openssl can make a certificate.
    """

    TOKEN = "between us"

    @pytest.fixture
    def tls(self, request):
        """The options of the chief and of a worker."""
        if shutil.which("openssl") is None:
            return [], []
        files = request.getfixturevalue("files")
        own = ["--tls-cert", files / "chief.pem", "--tls-key", files / "chief.key"]
        return own, ["--tls-ca", files / "chief.pem"]

    def test_a_chief_and_a_worker_that_is_lost(self, search, start, tls, tmp_path):
        environment = {**os.environ, "TFCOURSE_TOKEN": self.TOKEN}
        config, shared = tmp_path / "search.toml", search.out
        chief = start(
            "chief", config, "--bind", "127.0.0.1:0", "--out", shared, "--expire-after", 10,
            *tls[0], env=environment,
        )  # fmt: skip
        port = re.match(r"Serving at 127\.0\.0\.1:(\d+)\.", chief.stdout.readline())[1]
        elsewhere = tmp_path / "another machine"
        elsewhere.mkdir()
        (module,) = tmp_path.glob("written_for_a_test_*.py")
        (elsewhere / module.name).write_text(module.read_text())
        assert uses_tls(f"127.0.0.1:{port}") == bool(tls[0])
        connect = ["worker", config, "--connect", f"127.0.0.1:{port}", "--out", shared, *tls[1]]

        lost = start(*connect, "--id", "lost", env=environment, cwd=elsewhere)
        assert re.match(r"lost trains trial \d\.", lost.stdout.readline())
        lost.send_signal(signal.SIGKILL)  # also the process that it supervises ends
        worker = start(*connect, "--id", "a", env=environment, cwd=elsewhere)
        second = start("chief", config, "--bind", "127.0.0.1:0", "--out", shared, env=environment)

        _, said = second.communicate(timeout=90)
        assert second.returncode == 2
        assert f"is being searched by process {chief.pid} on" in said
        shown, said = chief.communicate(timeout=120)
        assert chief.returncode == 0, said
        assert "best model" in shown
        _, said = worker.communicate(timeout=30)
        assert worker.returncode == 0, said

        records = RunDirectory(search.directory).read_trials()
        assert list(records) == list(range(TRIALS))
        assert {record.worker for record in records.values()} <= {"a", "lost"}
        alone = tfcourse.Search(search.config, tmp_path / "alone").run(verbose=False)
        assert same(search.run()) == same(alone)


class Reachable:
    """A chief that can be reached."""

    address = "chief:1"

    def reach(self):
        pass


def test_a_worker_whose_folder_is_not_the_chiefs(quick):
    with pytest.raises(InputError, match=r"Put it on storage that both share, and give both"):
        search = quick()
        check_shared(search.config, RunDirectory(search.directory), Reachable())


def test_a_worker_whose_config_is_not_the_chiefs(quick):
    search = quick(search={"trials": 1})
    search.run(verbose=False)
    directory = RunDirectory(search.directory)
    check_shared(search.config, directory, Reachable())
    other = replace(search.config, training=search.config.training.model_copy(update={"epochs": 3}))
    with pytest.raises(InputError, match=r"training\.epochs is 2 there and 3 here"):
        check_shared(other, directory, Reachable())


def test_an_interruption_while_the_workers_import_is_no_traceback():
    """Ctrl-C reaches the process that the workers are forked from, as soon as it starts."""
    code = """if True:
        import os, signal
        from multiprocessing import forkserver
        from tfcourse.search.runtime import process

        process._start_server()
        server = forkserver._forkserver._forkserver_pid
        for _ in range(20):
            os.kill(server, signal.SIGINT)
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & {signal.SIGINT}
        status = open(f"/proc/{server}/status").read()
        blocked = int(status.partition("SigBlk:")[2].split()[0], 16)
        print(blocked >> signal.SIGINT - 1 & 1)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def test_the_data_is_checked_before_a_worker_starts(quick, tmp_path, monkeypatch):
    (tmp_path / "data.csv").write_text("a,y\n1,0\n2,nan\n")
    search = quick(data={"source": "csv", "path": "data.csv"})
    monkeypatch.setattr("tfcourse.search.engines.supervise", None)
    with pytest.raises(InputError, match=r"values are missing: \"y\" 1 of 2 rows"):
        search.run(workers=2)
