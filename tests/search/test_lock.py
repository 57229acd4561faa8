"""Two searches on one run directory: the second is refused, and a dead owner holds nothing."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tfcourse import InputError
from tfcourse.search.store.lock import lock_directory

HOLD = """
import sys, time
from pathlib import Path
from tfcourse.search.store.lock import lock_directory
with lock_directory(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_is_refused_and_told_who_is_first(holder, tmp_path):
    for _ in range(2):  # the refusal leaves the owner's name in its place
        with (
            pytest.raises(InputError, match=rf"run is being searched by process {holder.pid} on "),
            lock_directory(tmp_path / "run"),
        ):
            pass
    with lock_directory(tmp_path / "another"):
        pass


def test_a_killed_owner_holds_nothing(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with lock_directory(tmp_path / "run"):
        assert f"process {os.getpid()} " in (tmp_path / ".run.lock").read_text()


@pytest.mark.parametrize("place", ["/proc/no_such/run", "taken/run"])
def test_a_place_that_cannot_be_written(place, tmp_path):
    (tmp_path / "taken" / ".run.lock").mkdir(parents=True)
    place = tmp_path / place
    said = rf"{place.parent}/\.run\.lock can't be written \(.+\)\. Choose an --out that can\."
    with pytest.raises(InputError, match=said), lock_directory(place):
        pass


@pytest.mark.parametrize("way", ["link", "link to its folder", "relative", "dots", "mount"])
def test_another_path_to_the_same_directory(tmp_path, monkeypatch, way):
    folder, run = tmp_path / "real", tmp_path / "real" / "run"
    run.mkdir(parents=True)
    other = tmp_path / "other"
    if way == "mount":
        other.mkdir()
        bound = subprocess.run(["mount", "--bind", run, other], check=False, capture_output=True)
        if bound.returncode:  # only root may: a second link to the folder is as near as it gets
            other.rmdir()
            other.symlink_to(run)
    elif way == "link":
        other.symlink_to(run)
    else:
        (tmp_path / "folder").symlink_to(folder)
        monkeypatch.chdir(folder)
        ways = {"relative": Path("run"), "dots": Path("..") / "real" / "run"}
        other = ways.get(way, tmp_path / "folder" / "run")
    try:
        with (
            lock_directory(run),
            pytest.raises(InputError, match=r"is being searched by .*process"),
            lock_directory(other),
        ):
            pass
        with lock_directory(other):
            pass
    finally:
        if way == "mount":
            subprocess.run(["umount", other], check=False, capture_output=True)


FORK = HOLD.replace(
    '    print("held", flush=True)',
    "    child = os.fork() or os.getpid()\n    os.write(1, f'{child}\\n'.encode())",
).replace("import sys", "import os, sys")


@pytest.mark.parametrize("exists", [True, False])
def test_a_child_that_was_forked_does_not_hold_it(tmp_path, exists):
    """As one of a pool that the data starts, which a kill of the search leaves behind."""
    if exists:
        (tmp_path / "run").mkdir()
    command = [sys.executable, "-c", FORK, str(tmp_path / "run")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    child, same = (int(process.stdout.readline()) for _ in range(2))
    assert child == same  # both said it: the child has begun
    try:
        with pytest.raises(InputError, match="is being searched"), lock_directory(tmp_path / "run"):
            pass
        process.kill()
        process.wait()
        os.kill(child, 0)  # it lives
        with lock_directory(tmp_path / "run"):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        process.stdout.close()


def test_a_child_that_forks_again_keeps_its_own_files(tmp_path):
    """One of them has the number that the folder's descriptor had."""
    code = """
import os, sys
from pathlib import Path
from tfcourse.search.store.lock import _descriptors, lock_directory

def waited(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

with lock_directory(Path(sys.argv[1])):
    (number,) = _descriptors
    if child := os.fork():
        os._exit(waited(child))
    os.dup2(os.open(sys.argv[1], os.O_RDONLY), number)
    if child := os.fork():
        os._exit(waited(child))
    os.fstat(number)
    os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(tmp_path, monkeypatch, code):
    def refuses(descriptor, how):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuses)
    said = rf"\.run\.lock can't be locked \({os.strerror(code)}\)\. .* file system that has locks"
    with pytest.raises(InputError, match=said), lock_directory(tmp_path / "run"):
        pass


def test_a_full_disk_still_locks(tmp_path, monkeypatch):
    def full(*written):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    said = "is being searched by another process"
    with (
        lock_directory(tmp_path / "run"),
        pytest.raises(InputError, match=said),
        lock_directory(tmp_path / "run"),
    ):
        pass


def test_a_search_that_is_running_refuses_another(quick):
    search = quick()
    with (
        lock_directory(search.directory),
        pytest.raises(InputError, match="is being searched by process"),
    ):
        search.run(verbose=False)
    assert not search.directory.exists()
    assert len(search.run(verbose=False).trials) == 3
    with lock_directory(search.directory):
        assert search.run(verbose=False).was_complete  # looking at a finished one is free
