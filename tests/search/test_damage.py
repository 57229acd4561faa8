"""A record that was damaged: told in a line or mended, and what is intact is never lost."""

import errno
import json
import os
import shutil
import socket
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tfcourse
from tfcourse import InputError
from tfcourse.cli import app
from tfcourse.errors import WorkFailedError
from tfcourse.search.config.load import load_config
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.journal import SearchJournal
from tfcourse.search.store.model_file import sign_model, trial_of_model
from tfcourse.search.store.resume import check_path
from tfcourse.search.store.summary import Measurement, Summary
from tfcourse.search.strategies.proposals import propose

CONFIG = """
[search]
name = "run"
trials = 4
strategy = "coarse_to_fine"
coarse_to_fine = { trials_per_round = 2 }

[space.learning_rate]
low = 1e-4
high = 0.1
scale = "log"

[space.activation]
values = ["relu", "tanh"]
"""
BEST = 3
TRIALS = [f"trials/{number:04d}.json" for number in range(4)]
FILES = [
    "config.toml",
    "versions.json",
    "data.json",
    "code.json",
    "results.csv",
    "history.csv",
    "rounds.json",
    "summary.json",
    "best.keras",
    *TRIALS,
]
JSON = {
    "null": "null",
    "number": "7",
    "text": '"text"',
    "list": "[]",
    "list of lists": "[[1, 2], [3]]",
    "object": "{}",
    "another object": '{"trial": "a", "sha256": 5, "values": [1], "box": 3}',
    "list of objects": '[{"first_trial": 0}, {"box": []}]',
    "NaN": '{"trial": NaN}',
    "nested": "[" * 100_000,
    "digits": "1" * 5000,
    "latin-1": "gr\xfc\xdfe",
}
BYTES = {
    "empty": lambda whole: b"",
    "truncated": lambda whole: whole[: len(whole) // 2],
    "zeroed": lambda whole: bytes(len(whole)),
    "twice": lambda whole: whole + whole,
    "a byte": lambda whole: whole[:9] + bytes([whole[9] ^ 1]) + whole[10:],
}
LINKS = {"dangling link": "nowhere", "loop of links": None, "link to a device": "/dev/zero"}
PLACES = ["missing", "folder", "full folder", *LINKS, "pipe", "socket", "denied"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished search whose models were never trained: nothing here needs TensorFlow."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "search.toml").write_text(CONFIG, encoding="utf-8")
    config = load_config(folder / "search.toml")
    directory = RunDirectory(folder / "runs" / "run")
    directory.create(config.as_toml(), {"tfcourse": "0", "keras-tuner": "0"})
    part = {"shape": [3, 4], "dtype": "float32"}
    names = [f"{name}_{side}" for name in ("train", "dev", "test") for side in "xy"]
    data = {**dict.fromkeys(names, part), "sha256": "0" * 64}
    (directory.path / "data.json").write_text(json.dumps(data), encoding="utf-8")
    (directory.path / "code.json").write_text('{"source": {}}', encoding="utf-8")
    records = {}
    for trial in range(4):
        values = propose(config.study, trial, records)
        score = 0.5 + trial / 10
        history = {"loss": [1.0, 0.5], "val_accuracy": [0.1, score]}
        records[trial] = TrialRecord(trial, "completed", values, score, 2, 0.5, history=history)
        directory.write_trial(records[trial])
    SearchJournal(config, directory, records, lambda *ended: None).write_tables()
    with zipfile.ZipFile(directory.best, "w") as file:
        file.writestr("model.weights.h5", bytes(1000))
    sign_model(directory.best, BEST)
    score, test = records[BEST].score, {"accuracy": 0.5}
    measured = Measurement(BEST, 4, test, "2026-01-02T03:04:05+00:00")
    directory.write_summary(Summary(BEST, "val_accuracy", score, test, (measured,)))
    return folder


@pytest.fixture
def search(whole, tmp_path):
    shutil.copytree(whole / "runs", tmp_path / "runs")
    return tfcourse.Search.from_toml(whole / "search.toml", out=tmp_path / "runs")


def damage(path, kind, monkeypatch):
    before = path.read_bytes()
    if kind in JSON:
        path.write_text(JSON[kind], encoding="latin-1")
    elif kind in BYTES:
        path.write_bytes(BYTES[kind](before))
    elif kind == "denied":
        read = Path.read_text

        def denied(self, **how):
            if self == path:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return read(self, **how)

        monkeypatch.setattr(Path, "read_text", denied)
    else:
        path.unlink()
        if "folder" in kind:
            path.mkdir()
        if kind == "full folder":
            (path / "mine.txt").touch()
        if "link" in kind:
            path.symlink_to(LINKS[kind] or path)
        if kind == "pipe":  # whose other end nobody opens
            os.mkfifo(path)
        if kind == "socket":
            with socket.socket(socket.AF_UNIX) as listener:
                monkeypatch.chdir(path.parent)  # a socket's path is at most 107 bytes long
                listener.bind(path.name)


@pytest.mark.parametrize("name", ["config.toml", "versions.json", "code.json"])
def test_tables_within_tables_without_end(search, name):
    deep = "[a" + ".a" * 900 + "]" if name.endswith("toml") else '{"a": ' * 300 + "1" + "}" * 300
    (search.directory / name).write_text(deep)
    search.completed()
    assert [*search.finished()] == [0, 1, 2, 3]


ROUNDS = {
    "a range without an end": {"low": 0.1},
    "a text": {"low": "a", "high": "b"},
    "no number": {"low": float("nan"), "high": 1.0},
    "fewer weights than values": {"values": ["relu", "tanh"], "weights": [1.0]},
    "a number of values": {"values": 3.0, "weights": [1.0]},
    "values of an unknown kind": {"values": [None, []], "weights": [0.5, 0.5]},
    "no box": None,
}


@pytest.mark.parametrize(
    ("command", "kind"),
    [*((["show"], kind) for kind in ROUNDS), (["report", "--quiet"], "a text")],
)
def test_boxes_of_another_meaning(search, tmp_path, command, kind):
    """The rounds are shown if they are whole; the trials are shown in any case."""
    path = search.directory / "rounds.json"
    rounds = json.loads(path.read_text())
    rounds[-1]["box"]["activation"] = ROUNDS[kind]
    path.write_text(json.dumps(rounds))
    where = ["--out", str(tmp_path)] if "report" in command else []
    result = CliRunner().invoke(app, [*command, str(search.directory), *where])
    assert (result.exit_code, result.exception) == (0, None)
    assert RunDirectory(search.directory).read_rounds() == []


def test_rounds_of_as_many_trials_as_there_are_numbers(search, tmp_path):
    path = search.directory / "rounds.json"
    rounds = json.loads(path.read_text())
    rounds[-1]["last_trial"] = 10**15
    path.write_text(json.dumps(rounds))
    result = CliRunner().invoke(app, ["report", str(search.directory), "--out", str(tmp_path)])
    assert (result.exit_code, result.exception) == (0, None)


def test_the_record_is_whole(search):
    result = search.completed()
    assert result.was_complete
    assert (result.best.trial, len(result.rounds), [*result.trials]) == (BEST, 2, [0, 1, 2, 3])
    assert "best" in str(result)


@pytest.mark.parametrize(("factor", "is_complete"), [(1 + 1e-9, True), (1 + 1e-4, False)])
def test_rounds_that_another_machine_rounded_otherwise(search, factor, is_complete):
    path = search.directory / "rounds.json"
    path.write_text(json.dumps(_scaled(json.loads(path.read_text()), factor)))
    assert (search.completed() is not None) is is_complete


def _scaled(value, factor):
    """A JSON value whose numbers with a fraction are multiplied."""
    if isinstance(value, dict):
        return {key: _scaled(each, factor) for key, each in value.items()}
    if isinstance(value, list):
        return [_scaled(each, factor) for each in value]
    return value * factor if isinstance(value, float) else value


@pytest.mark.parametrize("kind", [*JSON, *BYTES, *PLACES])
@pytest.mark.parametrize("name", FILES)
def test_any_damage_to_any_file(search, name, kind, monkeypatch):
    intact = {p: p.read_bytes() for p in search.directory.glob("trials/*") if p.name not in name}
    damage(search.directory / name, kind, monkeypatch)
    try:
        result = search.completed()
        trials = search.finished()
    except (InputError, WorkFailedError) as error:
        assert str(search.directory / name) in str(error)
        assert len(str(error).splitlines()) == 1
        assert kind == "denied"  # what is in it may be intact
    else:
        if result is not None:
            str(result)
        lost = {TRIALS.index(name)} if name in TRIALS else set()
        kept = {0, 1, 2, 3} - lost
        if name == "best.keras" and kind != "denied":
            kept -= {BEST}  # its trial gives the same model again
        assert kept <= {*trials}
        assert result is None or name == "code.json" or kind in ("denied", "a byte", "twice")
    assert {p: p.read_bytes() for p in intact} == intact
    check_path(RunDirectory(search.directory))  # and so does --fresh
    assert RunDirectory(search.directory).exists()


@pytest.mark.parametrize("values", [{}, {"learning_rate": "a"}, {"learning_rate": 5.0}, {"x": 1}])
def test_values_that_the_search_cannot_have_given(search, values):
    path = search.directory / TRIALS[0]
    fields = json.loads(path.read_text())
    whole = fields["values"]
    values = values and {**whole, **values}
    path.write_text(json.dumps({**fields, "values": values}))
    assert search.completed() is None
    assert [*search.finished()] == [1, 2, 3]


def test_a_trial_s_file_under_another_name(search):
    for name in ("0000.json", "1.json", "00001.json", "0009.json"):
        shutil.copy(search.directory / TRIALS[1], search.directory / "trials" / name)
    assert [*search.finished()] == [1, 2, 3]


@pytest.mark.parametrize(
    "lost", [("config.toml",), ("versions.json",), ("config.toml", "versions.json")]
)
@pytest.mark.parametrize("rest", ["kept", "trials only"])
def test_what_is_left_of_a_record_is_gone_on_with(search, lost, rest):
    for path in [*search.directory.iterdir()]:
        if path.name in lost or (rest == "trials only" and path.is_file()):
            path.unlink()
    expected = [0, 1, 2] if rest == "trials only" else [0, 1, 2, 3]  # the best model is lost
    assert [*search.finished()] == expected
    check_path(RunDirectory(search.directory))


@pytest.mark.parametrize(
    "left", ["trials", "results.csv", "best.keras", "data.json", "trials/0001.json", "nothing"]
)
def test_what_a_removal_left_is_accepted(search, left):
    for path in sorted(search.directory.rglob("*"), reverse=True):
        if path.relative_to(search.directory).as_posix() not in (left, left.partition("/")[0]):
            path.unlink() if path.is_file() else path.rmdir()
    expected = [1] if left.endswith("0001.json") else []
    directory = RunDirectory(search.directory)
    assert search.completed() is None
    if expected:  # the best model of what is left is lost: its trial is run again
        assert [*directory.read_trials()] == expected
    check_path(directory)
    directory.delete()
    assert not directory.path.exists() or left == "nothing"


@pytest.mark.parametrize(
    "theirs", ["results.csv", "config.toml", "thesis.txt", "trials/mine.txt", "data.json"]
)
def test_the_folder_of_a_stranger_is_not_touched(search, theirs):
    shutil.rmtree(search.directory)
    path = search.directory / theirs
    path.parent.mkdir(parents=True)
    path.write_text('title = "mine"')
    for attempt in (search.completed, lambda: search.run(fresh=True)):
        with pytest.raises(InputError, match=r"is not a run directory .* Choose another --out"):
            attempt()
    RunDirectory(search.directory).delete()
    assert path.read_text() == 'title = "mine"'


def test_a_part_of_a_record_with_a_stranger_s_file_is_not_deleted(search):
    (search.directory / "versions.json").unlink()
    (search.directory / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"or trials/, and holds thesis\.txt\)"):
        search.run(fresh=True)
    assert (search.directory / "thesis.txt").exists()


class TestModelFile:
    @pytest.fixture
    def path(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "best.keras", "w") as file:
            file.writestr("a", b"some weights")
        sign_model(tmp_path / "best.keras", 12)
        return tmp_path / "best.keras"

    def test_every_flipped_bit_is_noticed(self, path):
        whole = path.read_bytes()
        assert trial_of_model(path) == 12
        for place in range(len(whole)):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
            assert trial_of_model(path) is None, place

    def test_one_of_an_earlier_version(self, path):
        with zipfile.ZipFile(path, "a") as file:
            file.comment = b"trial 7"
        assert trial_of_model(path) == 7
        whole = path.read_bytes()
        path.write_bytes(whole.replace(b"weights", b"weightz"))
        assert trial_of_model(path) is None

    def test_a_damaged_best_model_is_not_loaded(self, search):
        result = search.completed()
        best = search.directory / "best.keras"
        best.write_bytes(best.read_bytes().replace(bytes(1000), bytes(999) + b"1"))
        with pytest.raises(
            WorkFailedError, match=r"best\.keras: the model of the best trial, 3, is lost or"
        ):
            result.best_model()


@pytest.mark.parametrize(("seconds", "flushes"), [(0.1, 0), (0.999, 0), (1.0, 2), (60.0, 2)])
def test_the_record_of_a_short_trial_does_not_wait_for_the_disk(
    tmp_path, monkeypatch, seconds, flushes
):
    """Flushed are the file and its folder; what a power cut leaves of a short one is not read."""
    flushed = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    directory = RunDirectory(tmp_path)
    directory.trials.mkdir()
    directory.write_trial(TrialRecord(7, "completed", {}, 0.5, 1, seconds))
    assert len(flushed) == flushes
    assert directory.read_trial(7) is not None
    directory.record_of(7).write_bytes(b"")
    assert directory.read_trials() == {}
