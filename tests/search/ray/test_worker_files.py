"""The files that a worker on another machine gets, and its folder there."""

import os
import sys
import tempfile
import time

import pytest
from filelock import FileLock

from tfcourse import InputError
from tfcourse.search.ray import project_files as files
from tfcourse.search.ray import trial_actor
from tfcourse.search.ray.project_files import place_files, project_files


def test_the_modules_beside_the_builder_and_whole_packages(quick, tmp_path):
    package = tmp_path / "blocks_of_a_test"
    (package / "__pycache__").mkdir(parents=True)
    (package / "__pycache__" / "a.pyc").touch()
    (package / "__init__.py").write_text("size = 3")
    (package / "words.txt").write_text("a b")
    (tmp_path / "beside.py").write_text("x = 1")
    (tmp_path / "notes.md").write_text("no module")
    (tmp_path / "not_imported").mkdir()
    (tmp_path / "not_imported" / "__init__.py").touch()
    config = quick("import blocks_of_a_test").config
    sent = project_files(config)
    module = config.builder.name.partition(":")[0]
    names = {f"{module}.py", "beside.py", "blocks_of_a_test/__init__.py"}
    assert {*sent} == names | {"blocks_of_a_test/words.txt"}
    assert sent["blocks_of_a_test/words.txt"] == b"a b"


def test_installed_modules_are_not_sent(quick):
    assert project_files(quick(builder="linear").config) != {}
    tables = {"points": "points"}
    config = quick(**tables, model={"builder": "linear"}).config
    assert all(name.endswith(".py") for name in project_files(config))


def test_a_large_package_is_refused(quick, monkeypatch):
    monkeypatch.setattr(files, "LARGEST", 100)
    with pytest.raises(InputError, match=r"are 0 MB, and are sent to every worker on Ray up to"):
        project_files(quick().config)


def test_python_imports_from_the_sent_files_first(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", ["elsewhere"])
    place_files({"package/part.py": b"x = 1"}, tmp_path)
    assert sys.path == [str(tmp_path), "elsewhere"]
    assert (tmp_path / "package" / "part.py").read_bytes() == b"x = 1"


def test_the_folders_of_killed_workers_are_deleted(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed, running, starting = (tmp_path / f"{trial_actor.PREFIX}{n}" for n in "abc")
    for folder in (killed, running, starting):
        folder.mkdir()
    lock = FileLock(running / trial_actor.LOCK)
    lock.acquire()
    long_ago = time.time() - 1000
    for folder in (killed, running):
        os.utime(folder, (long_ago, long_ago))
    with trial_actor.own_folder() as own:
        assert own.parent == tmp_path
        assert {*tmp_path.iterdir()} == {running, starting, own}
    lock.release()
    assert {*tmp_path.iterdir()} == {running, starting}
