"""A file is whole or absent, whatever happens while it is written."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tfcourse.files import (
    DiskError,
    is_temporary,
    remove_abandoned,
    replace_atomically,
    write_atomically,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "table.csv"


def names(path):
    return sorted(p.name for p in path.parent.iterdir())


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "größe → ≥\n"])
def test_the_text_is_written_as_utf_8(path, text):
    write_atomically(path, text)
    assert path.read_bytes() == text.encode("utf-8")
    assert names(path) == ["table.csv"]


def test_an_old_file_is_replaced(path):
    write_atomically(path, "a longer old text")
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert names(path) == ["table.csv"]


def test_while_it_is_written_the_old_file_is_whole(path):
    path.write_text("old")

    def write(temporary):
        temporary.write_text("ne")
        assert path.read_text() == "old"
        temporary.write_text("new")

    replace_atomically(path, write)
    assert path.read_text() == "new"


def test_the_temporary_file_is_beside_it_with_its_suffix(path):
    """Beside it, as a rename works within a file system only; Keras saves by the suffix."""
    seen = []

    def write(temporary):
        seen.append(temporary)
        temporary.touch()

    replace_atomically(path, write)
    replace_atomically(path, write)
    first, second = seen
    assert (first.parent, first.suffix) == (path.parent, path.suffix)
    assert first != path
    assert first != second


@pytest.mark.parametrize("old", [None, "old"])
def test_a_failed_write_changes_nothing(path, old):
    if old is not None:
        path.write_text(old)
    before = names(path)

    def write(temporary):
        temporary.write_text("half of the ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        replace_atomically(path, write)
    assert names(path) == before
    assert old is None or path.read_text() == old


def test_a_writer_that_writes_nothing_is_an_error(path):
    path.write_text("old")
    with pytest.raises(FileNotFoundError):
        replace_atomically(path, lambda temporary: None)
    assert path.read_text() == "old"


def test_it_is_on_the_disk_before_it_has_its_name(path, monkeypatch):
    """Renamed first, a power failure could leave an empty file under the name."""
    steps = []
    rename, fsync = Path.replace, os.fsync

    def spy_rename(self, target):
        steps.append(("rename", target.name))
        return rename(self, target)

    def spy_fsync(descriptor):
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        steps.append(("fsync", kind))
        fsync(descriptor)

    monkeypatch.setattr(Path, "replace", spy_rename)
    monkeypatch.setattr(os, "fsync", spy_fsync)
    write_atomically(path, "new")
    assert steps == [("fsync", "file"), ("rename", "table.csv"), ("fsync", "folder")]


def test_others_can_read_it_as_the_umask_says(path):
    before = os.umask(0o022)
    try:
        write_atomically(path, "shared")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def kill_a_writer(path):
    """In the middle of its write; gives the temporary file that it left."""
    code = (
        "import os, signal, sys, pathlib\n"
        "from tfcourse.files import replace_atomically\n"
        "def write(temporary):\n"
        "    temporary.write_text('half of the ne')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "replace_atomically(pathlib.Path(sys.argv[1]), write)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    (left,) = {*path.parent.iterdir()} - {path}
    return left


def test_a_process_killed_while_it_writes_leaves_the_old_file(path):
    path.write_text("old")
    left = kill_a_writer(path)
    assert path.read_text() == "old"
    # What is left is hidden, and not taken for the file.
    assert left.name.startswith(".")


class TestWhatAKilledWriterLeft:
    @pytest.fixture
    def left(self, path):
        """The temporary file of a process that was killed in its write, and other files."""
        left = kill_a_writer(path)
        for name in ("table.csv", ".table.lock", "table-0123abcd.csv", ".table-abc.csv"):
            path.with_name(name).touch()
        return left

    def test_it_is_known_by_its_name_and_removed(self, path, left):
        assert [p for p in path.parent.iterdir() if is_temporary(p)] == [left]
        remove_abandoned(path.parent)
        assert names(path) == [".table-abc.csv", ".table.lock", "table-0123abcd.csv", "table.csv"]

    def test_a_folder_need_not_exist(self, path):
        remove_abandoned(path / "gone")


def test_a_device_is_not_replaced(tmp_path):
    """By root, whom no permission stops: the link is what would be replaced here."""
    path = tmp_path / "table.csv"
    path.symlink_to(os.devnull)
    with pytest.raises(DiskError) as error:
        write_atomically(path, "text")
    assert str(error.value) == (
        f"{path} can't be written: it is a device, not a file. Choose the name of a file."
    )
    assert path.is_symlink() and [*tmp_path.iterdir()] == [path]
