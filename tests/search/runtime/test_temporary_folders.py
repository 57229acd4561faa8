"""A search that was killed with all its processes leaves no folder to the next one."""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tfcourse.search.store.temporary_folders import noting_folders, remove_files_beside


def names_in(folder):
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def temporary(monkeypatch):
    """The folder of the system's temporary files; its name is short, as a socket's must be."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.fixture
def make(temporary, tmp_path):
    """Make folders with a log, and the note of a process."""

    def folders(process, *names):
        for name in names:
            (temporary / name).mkdir()
            (temporary / name / "worker-0.log").touch()
        note = tmp_path / f".run.{process}.folders"
        note.write_text("\n".join(str(temporary / name) for name in names))
        return note

    return folders


@pytest.fixture
def dead():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_it_is_noted_as_long_as_they_are_needed(tmp_path):
    with noting_folders(tmp_path / "run", [tmp_path / "a", tmp_path / "b c"]):
        (note,) = tmp_path.iterdir()
        assert note.read_text().splitlines() == [f"{tmp_path}/a", f"{tmp_path}/b c"]
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("by", ["the next search", "the next worker"])
def test_those_of_the_dead_are_deleted(make, dead, temporary, tmp_path, by):
    note = make(dead, "tfcourse-a", "pymp-b")
    with socket.socket(socket.AF_UNIX) as ended:
        ended.bind(str(temporary / "pymp-b" / "listener"))
    if by == "the next search":
        remove_files_beside(tmp_path / "run")
    else:
        with noting_folders(tmp_path / "run", []):
            pass
    assert not note.exists()
    assert names_in(temporary) == []


def test_those_of_the_living_stay(make, temporary, tmp_path):
    note = make(os.getppid(), "tfcourse-a")
    remove_files_beside(tmp_path / "run")
    assert note.exists()
    assert names_in(temporary / "tfcourse-a") == ["worker-0.log"]


def test_other_searches_stay(make, dead, temporary, tmp_path):
    make(dead, "tfcourse-a").rename(tmp_path / f".run-2.{dead}.folders")
    (tmp_path / ".run.x.folders").write_text("")  # not a process
    remove_files_beside(tmp_path / "run")
    assert names_in(temporary) == ["tfcourse-a"]
    assert (tmp_path / ".run.x.folders").exists()


def test_only_logs_and_sockets_that_nothing_listens_to_are_deleted(make, dead, temporary, tmp_path):
    make(dead, "tfcourse-a", "pymp-b")
    (temporary / "tfcourse-a" / "mine.txt").touch()
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(temporary / "pymp-b" / "listener"))
        living.listen()
        remove_files_beside(tmp_path / "run")
        assert names_in(temporary / "pymp-b") == ["listener"]
    assert names_in(temporary / "tfcourse-a") == ["mine.txt"]


def test_a_note_names_no_folder_of_elsewhere(dead, temporary, tmp_path):
    elsewhere = tmp_path / "logs"
    elsewhere.mkdir()
    (elsewhere / "mine.log").write_text("mine")
    note = tmp_path / f".run.{dead}.folders"
    note.write_text(f"{elsewhere}\n{temporary}/../{elsewhere}\n\0\n")
    remove_files_beside(tmp_path / "run")
    assert (elsewhere / "mine.log").read_text() == "mine"
    assert not note.exists()
