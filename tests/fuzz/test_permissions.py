"""Files and folders that may not be read or written: told in a line, and nothing is lost."""

import tempfile
import warnings
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.fuzz.damage import limited_time, unprivileged
from tests.search.run_directories import completed, write_run
from tfcourse.babysit.entries import Entry
from tfcourse.cli import app
from tfcourse.errors import WorkFailedError
from tfcourse.training.checkpoints.checkpoint import CheckpointFolder
from tfcourse.training.checkpoints.record import Record

SPACE = {"learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"}}
COMMANDS = ("show", "show --json", "watch --once", "best", "export --csv")
PARTS = (".", "trials", "trials/0001.json", "config.toml", "versions.json", "rounds.json")
IMPORTED: set[str] = set()
JOURNALS = ("journal", "nudge --learning-rate 0.1 --no-wait", "resume --no-wait")


@pytest.fixture
def folder():
    """A folder that the child may enter, which is not so of pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "control").write_text("it may be read")
        assert unprivileged((folder / "control").read_text) == "it may be read"
        yield folder


def opened(path):
    """Let everyone read and write all of a folder."""
    for each in (path, *path.rglob("*")):
        each.chmod(0o777 if each.is_dir() else 0o666)


def invoke(command, path):
    """Run a command; return its exit code and what it prints as an error, or a traceback."""
    with limited_time(30):
        name, *options = command.split()
        table = [str(path.with_name("trials.csv"))] * (name == "export")
        result = CliRunner().invoke(app, [name, str(path), *options, *table])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return f"{result.exit_code} {result.stderr}"


def refusals(commands, run, part, mode):
    """Run them as somebody who may not; return the errors, each of a line below a usage, if any."""

    def look():
        return "\0".join(invoke(command, run) for command in commands)

    if not IMPORTED.issuperset(commands):
        look()  # what is imported may be where only this user may read
        IMPORTED.update(commands)
    opened(run.parent)
    part.chmod(mode)
    errors = []
    for answer in unprivileged(look).split("\0"):
        code, _, error = answer.partition(" ")
        *usage, line = error.splitlines() or [""]
        assert (code, line[:7]) in (("0", ""), ("1", "Error: "), ("2", "Error: ")), answer
        assert not usage or usage[0].startswith("Usage: ")
        errors += [line] if line else []
    return errors


@pytest.mark.parametrize("mode", [0o000, 0o222, 0o444])
@pytest.mark.parametrize("part", PARTS)
def test_a_run_directory(part, mode, folder):
    records = [completed(n, 0.5 + n / 10, {"learning_rate": 0.01 * (n + 1)}) for n in range(3)]
    run = write_run(folder / "run", SPACE, records, [{"first_trial": 0}])
    errors = refusals(COMMANDS, run, run / part, mode)
    assert not [error for error in errors if str(run) not in error]
    assert len(errors) == len(COMMANDS) or part not in (".", "trials") or mode == 0o444
    (run / part).chmod(0o777)
    assert sorted(path.name for path in run.glob("trials/*")) == [f"000{n}.json" for n in range(3)]
    assert invoke("show", run).startswith("0 ")


@pytest.mark.parametrize("mode", [0o000, 0o222, 0o444])
@pytest.mark.parametrize("part", [".", "journal.jsonl", "commands"])
def test_a_babysitter_s_directory(part, mode, folder):
    run = folder / "run"
    (run / "commands").mkdir(parents=True)
    start = Entry(kind="start", time="t", epoch=0, run="a1", values={"learning_rate": 0.5})
    (run / "journal.jsonl").write_text(start.as_line(), encoding="utf-8")
    assert all(str(run) in error for error in refusals(JOURNALS, run, run / part, mode))
    (run / part).chmod(0o777)
    assert (run / "journal.jsonl").read_text(encoding="utf-8") == start.as_line()


class TestCheckpoints:
    RECORD = Record(1, 0, False, 3, {}, None, {}, None, [])

    def outcome(self, folder, saves=False):
        def look():
            checkpoints = CheckpointFolder(folder, 3)
            with warnings.catch_warnings(action="error"):
                try:
                    path, record = checkpoints.newest()
                    if saves:
                        checkpoints.save(record)
                    return path.name
                except WorkFailedError as error:
                    return str(error)

        return unprivileged(look)

    @pytest.fixture
    def checkpoints(self, folder):
        path = folder / "checkpoints"
        path.mkdir()
        for _ in range(2):
            CheckpointFolder(path, 3).save(self.RECORD)
        opened(path)
        return path

    def test_one_that_may_not_be_read_is_neither_passed_over_nor_deleted(self, checkpoints):
        newest = checkpoints / "checkpoint-000001.npz"
        newest.chmod(0o200)
        assert self.outcome(checkpoints, saves=True) == (
            f"{newest} can't be read (Permission denied), and may be intact. Correct that and call "
            "again; or delete it, to continue without it."
        )
        newest.chmod(0o600)
        assert CheckpointFolder(checkpoints, 3).newest()[0] == newest

    def test_a_folder_that_may_not_be_read(self, checkpoints):
        checkpoints.chmod(0o333)
        assert self.outcome(checkpoints) == (
            f"{checkpoints} can't be read (Permission denied). Correct that and call again."
        )

    def test_a_folder_that_may_not_be_written(self, checkpoints):
        checkpoints.chmod(0o555)
        assert self.outcome(checkpoints) == "checkpoint-000001.npz"
        assert self.outcome(checkpoints, saves=True) == (
            f"Training stopped: the checkpoint {checkpoints / 'checkpoint-000002.npz'} can't be "
            "written (Permission denied). checkpoint-000001.npz is intact: fix that (is the disk "
            "full?), and the same call continues from it."
        )
