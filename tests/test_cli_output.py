"""The contract of every command: ``--json`` prints one object, ``--quiet`` the result alone."""

import inspect
import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from tests import processes
from tests.babysit.entries import start
from tests.search.conftest import QUICK, train_nothing
from tfcourse.bench.frame import Contender, compare
from tfcourse.cli import app
from tfcourse.cli.output import print_json
from tfcourse.search.run import Search

ROOT = Path(__file__).parent.parent
COMMANDS = typer.main.get_command(app).commands
NOISY = """
import warnings

def noisy(input_shape, classes):
    print("a builder prints this")
    warnings.warn("a builder warns of this")
    return linear(input_shape, classes)
"""
CONFIG = """
[search]
name = "quick"
trials = 2

[data]
source = "for_the_output:points"

[model]
builder = "for_the_output:noisy"

[training]
epochs = 2
batch_size = 12
optimizer = "gradient_descent"

[space]
learning_rate = { low = 0.01, high = 0.1, scale = "log" }
"""

pytestmark = pytest.mark.filterwarnings("ignore:a builder warns of this:UserWarning")


def run(*arguments):
    arguments = [str(argument) for argument in arguments]
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})


def strict(text):
    """The one object of a text, as a parser reads it that knows no NaN."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    entry = json.loads(text, parse_constant=refuse)
    assert isinstance(entry, dict)
    return entry


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A folder with a config, and the run directory of its search; the builder prints."""
    folder = tmp_path_factory.mktemp("searched")
    (folder / "for_the_output.py").write_text(QUICK + NOISY, encoding="utf-8")
    (folder / "search.toml").write_text(CONFIG, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        train_nothing(patch)
        Search.from_toml(folder / "search.toml", out=folder / "runs").run(verbose=False)
        yield folder


@pytest.fixture
def finished(searched, monkeypatch):
    """The run directory of a finished search, whose config is in the current folder."""
    monkeypatch.chdir(searched)
    return searched / "runs" / "quick"


def saved_model(folder):
    import keras

    from tfcourse import SoftmaxHead

    file = folder / "model.keras"
    keras.Sequential([keras.Input((3,)), SoftmaxHead(2)]).save(file)
    return file


def small_bench(monkeypatch):
    contenders = [Contender(name, lambda: sum(range(99)), number=1) for name in ("ours", "other")]
    bench = lambda repeats: [compare("sums", contenders, repeats=repeats)]  # noqa: E731
    monkeypatch.setattr("tfcourse.bench.load_bench", lambda name: bench)
    return ["startup", "--repeats", 3]


def without_training(name, folder, monkeypatch):
    from tfcourse.search.runtime.supervisor import Supervisor

    monkeypatch.setattr(Supervisor, "run", lambda self: None)
    connection = ["--connect", "127.0.0.1:1", "--id", "w1"]
    return ["search.toml", "--out", folder.parent, *connection]


def babysat(folder, monkeypatch):
    """A training under supervision that has ended."""
    from tfcourse.babysit.session import Outcome, Session

    monkeypatch.setattr(Session, "outcome", lambda session: Outcome(2, 2, {"loss": math.nan}))
    return [ROOT / "tuner_configs" / "babysit_digits.toml", "--out", folder.parent]


def begun(*arguments):
    """A command to a training under supervision that has begun, and that no process continues."""

    def write(folder, monkeypatch):
        run_dir = folder.parent / "babysat"
        run_dir.mkdir(exist_ok=True)
        entry = start().model_copy(update={"time": "2026-01-02T03:04:05+00:00"})
        (run_dir / "journal.jsonl").write_text(entry.as_line(), encoding="utf-8")
        return [run_dir, *arguments, "--no-wait"]

    return write


def no_pictures(folder, monkeypatch):
    paths = [folder / "report.html", folder / "report" / "history.png"]
    monkeypatch.setattr("tfcourse.report.report.write_report", lambda *_: paths)
    return [folder]


def healthy(folder, monkeypatch):
    for name, value in (("probe_tensorflow", {}), ("required_packages", {"": []})):
        monkeypatch.setattr(f"tfcourse.doctor.checkup.{name}", lambda value=value: value)
    return []


# The arguments with which each command is run, from a finished run directory.
ARGUMENTS = {
    "toy": lambda folder, patch: ["--steps", 3],
    "search": lambda folder, patch: ["search.toml", "--out", "again", "--fresh", "--yes"],
    "check": lambda folder, patch: ["search.toml"],
    "lint": lambda folder, patch: [saved_model(folder)],
    "bench": lambda folder, patch: small_bench(patch),
    "course": lambda folder, patch: ["--out", "course"],
    "show": lambda folder, patch: [folder],
    "best": lambda folder, patch: [folder],
    "compare": lambda folder, patch: [folder, other_run(folder)],
    "watch": lambda folder, patch: [folder],
    "report": no_pictures,
    "export": lambda folder, patch: [folder, "--csv", "trials.csv"],
    "chief": lambda folder, patch: ["search.toml", "--out", folder.parent],
    "worker": lambda folder, patch: without_training("worker", folder, patch),
    "retest": lambda folder, patch: [folder, "--top", 2],
    "babysit": babysat,
    "nudge": begun("--learning-rate", 0.003),
    "rollback": begun("--to", 0),
    "pause": begun(),
    "resume": begun(),
    "note": begun("text"),
    "journal": lambda folder, patch: begun()(folder, patch)[:1],
    "doctor": healthy,
}
# They print a line of JSON for each event.
STREAMS = ["babysit", "journal"]
# What a command says that is not its result, if it says something, on stdout and on stderr.
NOTICES = {
    "search": [r"^quick: 0 of 2 trials", r"^quick: 2 of 2 trials, best 0\.\d+, \d+ s"],
    "check": [r"quick: random search, 2 trials", r"^search.toml is valid\."],
    "lint": [r"^No findings in "],
    "show": [r"^The search is complete: all 2 trials are on record"],
    "chief": [r"^The search is complete: all 2 trials are on record"],
    "retest": [r"^retest: 0 of 2 trials", r"^retest: 2 of 2 trials"],
}
WRONG = {
    "toy": ["--coefficients", "1"],
    "bench": ["toi"],
    "compare": ["nowhere", "elsewhere"],
    "worker": ["nowhere", "--connect", "127.0.0.1:1", "--id", "w1"],
    "export": ["nowhere", "--csv", "trials.csv"],
    "course": ["9.9"],
    "rollback": ["nowhere", "--to", 0],
    "note": ["nowhere", "text"],
}


def other_run(folder):
    import shutil

    return Path(shutil.copytree(folder, folder.with_name("other"), dirs_exist_ok=True))


def keys_in_the_help(name):
    """The keys that the help of ``--json`` names, without what it says of them in brackets."""
    (option,) = (p for p in COMMANDS[name].params if "--json" in p.opts)
    listed = option.help.partition(": ")[2].removesuffix(".")
    return re.sub(r" \(.*?\)", "", listed).split(", ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_options_and_a_case_here(name):
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert {"--json", "--quiet", "-q", "--debug"} <= options
    assert name in ARGUMENTS
    module = sys.modules[COMMANDS[name].callback.__module__]
    assert "reporting(debug, quiet, as_json)" in inspect.getsource(module)
    assert "reporting(debug)" not in inspect.getsource(module)
    # It has something to show after a second only.
    works = [line for line in inspect.getsource(module).splitlines() if "with working(" in line]
    assert all("disable=" in line for line in works)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_json_is_all_that_is_on_stdout(name, finished, monkeypatch):
    arguments = ARGUMENTS[name](finished, monkeypatch)
    plain = run(name, *arguments)
    result = run(name, *arguments, "--json")
    assert result.exit_code == plain.exit_code == 0, result.stderr
    if name in STREAMS:
        assert result.stdout
        assert all(strict(line) for line in result.stdout.splitlines())
    else:
        assert list(strict(result.stdout)) == keys_in_the_help(name)
    if name == "search":
        assert "a builder prints this" in result.stderr


@pytest.mark.parametrize("name", ARGUMENTS)
def test_quiet_prints_the_result_alone(name, finished, monkeypatch):
    arguments = ARGUMENTS[name](finished, monkeypatch)
    plain, quiet = run(name, *arguments), run(name, *arguments, "--quiet")
    assert quiet.exit_code == plain.exit_code == 0
    assert quiet.stderr == ""
    for notice in NOTICES.get(name, []):
        assert re.search(notice, plain.stdout + plain.stderr, re.MULTILINE), notice
        assert not re.search(notice, quiet.stdout, re.MULTILINE)
    if name not in ("check", "lint"):  # which have nothing to say of a good file
        assert quiet.stdout
    # A bench has other figures in each run, and columns as wide as they are.
    figures = re.compile(r"\d+(\.\d+)?|[\s━─]+")
    lines = {figures.sub("", line) for line in plain.stdout.splitlines()}
    assert {figures.sub("", line) for line in quiet.stdout.splitlines()} <= lines


@pytest.mark.parametrize("name", ["check", "show", "best", "watch", "report", "export"])
def test_json_and_quiet_together_print_the_object_alone(name, finished, monkeypatch):
    result = run(name, *ARGUMENTS[name](finished, monkeypatch), "--json", "--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    assert strict(result.stdout)


@pytest.mark.parametrize("name", sorted(ARGUMENTS.keys() - {"doctor"}))  # which has no input
def test_an_error_leaves_stdout_empty(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for option in ("--json", "--quiet"):
        result = run(name, *WRONG.get(name, ["nowhere"]), option)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith("Error: ")


def test_the_rounds_of_a_bench(finished, monkeypatch):
    entry = strict(run("bench", *small_bench(monkeypatch), "--json").stdout)
    (comparison,) = entry["results"]
    assert (comparison["title"], comparison["baseline"]) == ("sums", "ours")
    ours, other = comparison["contenders"]
    assert len(ours["seconds"]) == len(other["ratios"]) == 3
    assert other["ratios"] == [
        b / a for a, b in zip(ours["seconds"], other["seconds"], strict=True)
    ]


def test_numbers_are_whole_and_those_that_json_lacks_are_null(capsys):
    entry = {"third": 1 / 3, "single": np.float32(0.1), "count": np.int64(3), "path": Path("a/b")}
    lacking = {"nan": math.nan, "inf": [np.float32("inf")], "minus": {"inf": -math.inf}}
    print_json(entry | lacking)
    assert strict(capsys.readouterr().out) == {
        "third": 1 / 3,
        "single": float(np.float32(0.1)),
        "count": 3,
        "path": "a/b",
        "nan": None,
        "inf": [None],
        "minus": {"inf": None},
    }


def test_what_other_programs_print_goes_to_stderr():
    code = """if True:
        import os, sys
        from tfcourse.cli.output import print_json
        from tfcourse.terminal import reporting
        print("before")
        with reporting(False, as_json=True):
            print("of Python")
            os.system("echo of a program")
            print_json({"ä": 1}, indent=None)
            os.write(1, b"of C\\n")
        print("after")
    """
    done = processes.run(["-c", code])
    assert done.stdout.splitlines() == ["before", '{"ä": 1}', "after"]
    assert set(done.stderr.splitlines()) == {"of Python", "of a program", "of C"}
