"""A disk that refuses a write, or a run directory that vanishes: one line, and nothing is lost."""

import errno
import os
import shutil
from pathlib import Path

import pytest

import tfcourse
from tests.search.runtime.pools import same
from tfcourse import InputError
from tfcourse.errors import WorkFailedError
from tfcourse.search.runtime import execution

pytestmark = pytest.mark.usefixtures("untrained")

CODES = ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EIO"]


class Disk:
    """Counts the renames that put a written file in its place, and refuses the n-th."""

    def __init__(self, monkeypatch):
        self.count, self.refused, self.code = 0, None, "ENOSPC"
        work = Path.replace

        def replace(*arguments):
            self.count += 1
            if self.count == self.refused:
                code = getattr(errno, self.code)
                raise OSError(code, os.strerror(code), str(arguments[0]))
            return work(*arguments)

        monkeypatch.setattr(Path, "replace", replace)

    def refuse(self, number, code):
        self.count, self.refused, self.code = 0, number, code


def elsewhere(search, folder):
    return tfcourse.Search(search.config, folder)


def test_any_write_may_be_refused(quick, tmp_path, monkeypatch):
    """Each in turn; the same command then completes the search as if nothing had been."""
    search = quick(search={"trials": 2}, training={"epochs": 1})
    disk = Disk(monkeypatch)
    undisturbed = search.run(verbose=False)
    writes, results = disk.count, same(undisturbed)
    assert writes >= 12
    for number in range(1, writes + 1):
        code = CODES[number % len(CODES)]
        again = elsewhere(search, tmp_path / str(number))
        disk.refuse(number, code)
        with pytest.raises(WorkFailedError) as error:
            again.run(verbose=False)
        said = str(error.value)
        for part in (os.strerror(getattr(errno, code)), str(again.directory), "Correct that"):
            assert part in said
        assert len(said.splitlines()) == 1
        kept = {p: p.read_bytes() for p in again.directory.glob("trials/*.json")}
        disk.refuse(None, code)
        result = again.run(verbose=False)
        assert same(result) == results
        assert result.summary == undisturbed.summary
        assert {p: p.read_bytes() for p in kept} == kept
        assert not [*again.directory.rglob(".*")]


@pytest.mark.parametrize("left", ["nothing", "models", "results.csv", "trials"])
def test_a_run_directory_that_is_removed_meanwhile(quick, monkeypatch, left):
    search = quick(search={"trials": 3})
    before = execution.TrialRunner.run

    def remove(runner, number, values):
        result = before(runner, number, values)
        if number == 1:
            shutil.rmtree(search.directory)
            if left != "nothing":  # what a removal that overlaps with a write leaves
                search.directory.mkdir()
                path = search.directory / left
                path.touch() if path.suffix else path.mkdir()
        return result

    monkeypatch.setattr(execution.TrialRunner, "run", remove)
    with pytest.raises(WorkFailedError) as error:
        search.run(verbose=False)
    assert "removed" in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    monkeypatch.setattr(execution.TrialRunner, "run", before)
    assert len(search.run(verbose=False).trials) == 3


PLACES = {
    "dangling": lambda path: path.symlink_to("nowhere"),
    "loop": lambda path: path.symlink_to(path.name),
    "file": lambda path: path.touch(),
}


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("place", ["run", "out"])
def test_links_that_lead_nowhere_and_files_for_folders(quick, tmp_path, kind, place, fresh):
    search = quick()
    path = search.directory if place == "run" else search.out
    path.parent.mkdir(exist_ok=True)
    PLACES[kind](path)
    said = (
        f"{path} is a file" if kind == "file" else rf"{path} is a symbolic link to '\S+', which is"
    )
    with pytest.raises(InputError, match=said):
        search.run(verbose=False, fresh=fresh)
    assert path.is_symlink() or path.is_file()


@pytest.mark.parametrize("out", ["a\0b", "\ud800", "n" * 300, "/".join(["n" * 200] * 30)])
def test_paths_that_no_file_can_have(quick, out):
    search = elsewhere(quick(), out)
    for attempt in (search.run, search.completed, lambda: search.run(fresh=True)):
        with pytest.raises(InputError, match=r"can't be used \(.*\)\. Choose another --out"):
            attempt()


@pytest.mark.parametrize("out", ["with space", "größe → ≥", "new\nline", "a/../b", "[bold]*?"])
def test_paths_of_any_text(quick, tmp_path, out):
    search = elsewhere(quick(search={"trials": 1}, training={"epochs": 1}), tmp_path / out)
    search.run(verbose=False)
    assert search.run(verbose=False).was_complete
    assert not search.run(verbose=False, fresh=True).was_complete
    assert sorted(p.name for p in search.out.iterdir()) == [".quick.lock", "quick"]


def test_a_run_directory_that_is_a_link(quick, tmp_path):
    """A fresh start empties the folder that it leads to, and the link stays."""
    search = quick(search={"trials": 1}, training={"epochs": 1})
    real = tmp_path / "storage" / "real"
    real.mkdir(parents=True)
    search.out.mkdir()
    search.directory.symlink_to(real)
    search.run(verbose=False)
    (real / "mark").touch()
    assert not search.run(verbose=False, fresh=True).was_complete
    assert search.directory.is_symlink()
    assert sorted(p.name for p in real.parent.iterdir()) == [".real.lock", "real"]
    assert not (real / "mark").exists()
    assert search.completed().was_complete
