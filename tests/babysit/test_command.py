"""The commands in processes of their own: nudges from another one, kills, replays."""

import json
import random
import signal
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from tests import processes
from tfcourse.babysit.client import address
from tfcourse.babysit.folders import RunFolder
from tfcourse.babysit.journal import read_journal
from tfcourse.cli import app

CONFIG = """
[babysit]
name = "run"
{babysit}

[data]
source = "digits"

[model]
builder = "mlp"
layers = 1
units = 16
dropout = 0.2
{model}

[training]
epochs = {epochs}
batch_size = 256
{training}
"""


@pytest.fixture
def config(tmp_path):
    def write(epochs=4, babysit="", model="", training="learning_rate = 0.01"):
        path = tmp_path / "panda.toml"
        values = {"epochs": epochs, "babysit": babysit, "model": model, "training": training}
        path.write_text(CONFIG.format(**values))
        return path

    return write


def babysit(config, *options, folder="runs"):
    out = str(config.parent / folder)
    return processes.Process(["-m", "tfcourse", "babysit", str(config), "--out", out, *options])


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def wait_for(condition, process):
    end = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def kinds(directory):
    path = directory / "journal.jsonl"
    return [entry.kind for entry in read_journal(path)] if path.exists() else []


def state(directory):
    """The newest checkpoint's arrays, but for the metrics at its end."""
    newest = sorted((directory / "checkpoints").glob("*.npz"))[-1]
    with np.load(newest) as file:
        return {name: file[name] for name in file.files if name != "header"}


def assert_same_state(directory, other):
    first, second = state(directory), state(other)
    assert first.keys() == second.keys() and len(first) > 10
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def test_a_run_that_pauses_by_itself_and_is_nudged_from_other_processes(config, tmp_path):
    """It diverges in its first epoch: the rule lets it wait before that epoch."""
    directory = tmp_path / "runs" / "run"
    path = config(
        babysit='on_explosion = "pause"',
        model='batch_norm = "none"',
        training='optimizer = "momentum"\nlearning_rate = 1e30',
    )
    process = babysit(path, "--json")
    wait_for(lambda: kinds(directory)[-1:] == ["rollback"], process)
    nudge = ["nudge", directory, "--learning-rate", "0.2", "--momentum", "0.8", "--json"]
    nudge += ["--because", "it diverges"]
    done = processes.run(["-m", "tfcourse", *map(str, nudge)])
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "status": "accepted",
        "message": "From epoch 1 on: learning_rate 1e+30 → 0.2, momentum 0.9 → 0.8",
        "epoch": 1,
    }
    refused = [
        (["pause"], "Error: The training is already paused, before epoch 1.\n"),
        (
            ["rollback", "--to", "3"],
            "Error: A rollback returns to the end of an epoch from 0 to 0, the last one that is "
            "done. Received: 3.\n",
        ),
        (
            ["nudge", "--beta-1", "0.5"],
            'Error: "beta_1" can\'t be changed during this training. Hyperparameters that can: '
            "learning_rate, momentum, dropout.\n",
        ),
        (
            ["nudge", "--momentum", "1"],
            "Error: momentum must be a number in [0, 1). Received: 1.0.\n",
        ),
    ]
    for (name, *options), message in refused:
        result = run(name, directory, *options)
        assert (result.exit_code, result.stderr) == (2, message)
    assert run("nudge", directory, "--momentum", "x").exit_code == 2
    other = run("babysit", path, "--out", tmp_path / "runs")
    assert other.exit_code == 2 and "is being trained by process" in other.stderr
    assert run("note", directory, "calm").stdout == "Note before epoch 1: calm\n"
    assert run("resume", directory).stdout == "Resumed before epoch 1\n"
    out, errors = process.communicate(120)
    assert (process.returncode, errors) == (0, "")
    entries = [json.loads(line) for line in out.splitlines()]
    assert [e["kind"] for e in entries if e["kind"] != "message"] == [
        "start", "epoch", "pause", "rollback", "nudge", "note", "resume", *["epoch"] * 4, "end",
        "outcome",
    ]  # fmt: skip
    assert entries[1]["loss"] == "NaN" or entries[1]["loss"] == "Infinity"
    values = [entry["values"] for entry in entries if entry["kind"] == "epoch"]
    assert {v["learning_rate"] for v in values[1:]} == {0.2}
    assert entries[-1]["test"]["accuracy"] > 0.3
    # Finished: shown again, and it takes no nudge.
    again = run("babysit", path, "--out", tmp_path / "runs")
    assert again.exit_code == 0 and "4 of 4" in again.stdout
    late = run("nudge", directory, "--momentum", "0.5")
    assert late.exit_code == 2
    assert late.stderr == (
        f"Error: {directory}: the training has ended after epoch 4, and takes no nudge. A rollback "
        "--no-wait, and the same babysit again, train from an earlier epoch.\n"
    )
    shown = run("journal", directory, "--plot", tmp_path / "run.png")
    assert "From epoch 1 on: learning_rate 1e+30 → 0.2, momentum 0.9 → 0.8 (it diverges)" in (
        shown.stdout
    )
    assert (tmp_path / "run.png").exists()


def test_killed_at_random_moments_it_ends_with_the_weights_of_its_journal(config, tmp_path):
    # More epochs than the lives have in 0.05 s each.
    directory, path, chance = tmp_path / "runs" / "run", config(epochs=120), random.Random(0)
    for life in range(6):
        process = babysit(path, "--quiet")
        count = kinds(directory).count("epoch")
        wait_for(lambda count=count: kinds(directory).count("epoch") > count, process)
        command = [
            ("nudge", {"changes": {"learning_rate": 0.01 * chance.random(), "dropout": 0.3}}),
            ("rollback", {"to": max(0, count - life), "changes": {"beta_1": chance.random()}}),
            ("note", {"text": "x"}),
        ][life % 3]
        RunFolder(directory).send(address(directory, command[0], **command[1]))
        time.sleep(chance.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if "end" in kinds(directory):
            break
    process = babysit(path)
    out, errors = process.communicate(120)
    assert (process.returncode, errors) == (0, ""), errors
    assert not [*RunFolder(directory).waiting()]
    assert {"nudge", "rollback", "note"} <= {*kinds(directory)}
    replay = babysit(path, "--replay", str(directory / "journal.jsonl"), folder="replay")
    out, errors = replay.communicate(120)
    assert (replay.returncode, errors) == (0, "")
    assert f"replay      agrees with {directory / 'journal.jsonl'}\n" in out
    assert kinds(tmp_path / "replay" / "run") == kinds(directory)
    assert_same_state(directory, tmp_path / "replay" / "run")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_in_a_pause_it_stays_paused(config, tmp_path, number):
    directory, path = tmp_path / "runs" / "run", config(epochs=3)
    process = babysit(path)
    wait_for(lambda: kinds(directory), process)
    RunFolder(directory).send(address(directory, "pause"))
    wait_for(lambda: "pause" in kinds(directory), process)
    process.send_signal(number)
    _, errors = process.communicate(60)
    assert process.returncode == 130
    epochs = kinds(directory).count("epoch")
    assert errors == (
        f"\nInterrupted. {epochs} of 3 epochs are done in {directory}. The same command "
        "continues.\n"
    )
    alone = run("resume", directory)
    assert alone.exit_code == 1
    assert f"No babysitter runs in {directory}: nothing was changed." in alone.stderr
    left = run("resume", directory, "--no-wait")
    assert left.stdout == "No babysitter runs there: the command is left for its next start.\n"
    process = babysit(path)
    out, _ = process.communicate(120)
    assert process.returncode == 0 and f"Resumed before epoch {epochs + 1}\n" in out
    assert kinds(directory).count("epoch") == 3


class TestConfig:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"babysit": "keep = 1\nfactr = 2"},
                "[babysit] keep: must be greater than or equal to 2. Received: 1.",
            ),
            (
                {"babysit": "keep = 1\nfactr = 2"},
                '[babysit] factr is not a known key. Did you mean "factor"?',
            ),
            (
                {"babysit": 'on_explosion = "return"'},
                '[babysit] on_explosion must be one of "rollback", "pause", "stop", "ignore".',
            ),
            (
                {"training": "folds = 3"},
                "[training] folds is for searches. Leave it out: here it is you who decides "
                "between the epochs.",
            ),
            (
                {"training": "lerning_rate = 3"},
                '[training] lerning_rate is not a known key. Did you mean "learning_rate"?',
            ),
            (
                {"training": "[space.units]\nlow = 1\nhigh = 2"},
                "[space] is not a known table. Known: babysit, data, model, training.",
            ),
        ],
    )
    def test_an_error(self, config, options, message):
        path = config(**options)
        for command in (["babysit", path, "--out", path.parent], ["check", path]):
            result = run(*command)
            assert (result.exit_code, result.stdout) == (2, "")
            assert f"{path}: {message}" in result.stderr

    def test_a_search_is_no_training(self, config, tmp_path):
        path = tmp_path / "search.toml"
        path.write_text('[search]\nname = "a"\ntrials = 3\n')
        result = run("babysit", path)
        assert result.exit_code == 2
        assert result.stderr == (
            f"Error: {path}: [search] is the table of a search, not of one training under "
            f"supervision. Search with: tfcourse search {path}\n"
        )

    @pytest.mark.parametrize("command", ["search", "chief"])
    def test_a_training_is_no_search(self, config, tmp_path, command):
        path = config()
        result = run(command, path, "--out", tmp_path / "runs")
        assert result.exit_code == 2
        assert result.stderr == (
            f"Error: {path}: [babysit] is the table of one training under supervision, not of a "
            f"search. Train it with: tfcourse babysit {path}\n"
        )

    @pytest.mark.parametrize("command", ["show", "best", "report", "watch"])
    def test_the_directory_of_a_training_is_no_search(self, tmp_path, command):
        (tmp_path / "journal.jsonl").touch()
        result = run(command, tmp_path)
        assert result.exit_code == 2
        assert f"It is a babysitter's: tfcourse journal {tmp_path} shows it." in result.stderr

    def test_another_config_in_the_same_directory(self, config, tmp_path):
        directory = tmp_path / "runs" / "run"
        directory.mkdir(parents=True)
        from tfcourse.babysit.config import load_babysit_config

        first = config()
        (directory / "babysit.toml").write_text(load_babysit_config(first).as_toml())
        result = run("babysit", config(babysit="keep = 5\nseed = 3", epochs=9), "--out",
                     tmp_path / "runs")  # fmt: skip
        assert result.exit_code == 2
        assert result.stderr == (
            f"Error: {directory} was trained with another config: [babysit] seed, [training] "
            "epochs differs. Start over with --fresh, or choose another --out or another name.\n"
        )

    def test_the_directory_of_a_search(self, config, tmp_path):
        directory = tmp_path / "runs" / "run"
        directory.mkdir(parents=True)
        (directory / "config.toml").touch()
        for options in ([], ["--fresh", "--yes"]):
            result = run("babysit", config(), "--out", tmp_path / "runs", *options)
            assert result.exit_code == 2 and "is not empty, and has no journal" in result.stderr
        assert (directory / "config.toml").exists()
        result = run("nudge", directory, "--learning-rate", "1")
        assert result.exit_code == 2
        assert result.stderr == (
            f"Error: {directory} is not the run directory of a babysitter: it has no "
            "journal.jsonl. Start one with: tfcourse babysit CONFIG.\n"
        )
        (directory / "trials").mkdir()
        result = run("journal", directory)
        assert f"It is a search's: tfcourse show {directory} shows it." in result.stderr


def test_without_a_test_set_none_is_spoken_of(config):
    path = config(epochs=1)
    path.write_text(path.read_text().replace('"digits"', '"digits"\nsplit = [0.8, 0.2]'))
    command = ("babysit", path, "--out", path.parent / "runs")
    for ended in (run(*command), run(*command)):  # the second one reads the record
        assert ended.exit_code == 0, ended.output
        assert "test set" not in ended.output
        assert f"model       {path.parent / 'runs' / 'run' / 'model.keras'}" in ended.output
