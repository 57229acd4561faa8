"""With ``trial_timeout``, the user's code that hangs while a config is read is refused."""

import re

import pytest
import tomli_w
from typer.testing import CliRunner

from tests.search.conftest import QUICK, RATE
from tfcourse import InputError, Search
from tfcourse.cli import app
from tfcourse.search.config import time_limits
from tfcourse.search.config.load import load_config

HANGS = "import time\ntime.sleep(600)\n"
BUILDERS = """
import time

def slow(hp):
    hp.Int("units", 2, 8)
    time.sleep(600)

def slow_at_8(hp):
    if hp.Int("units", 2, 8) == 8:
        time.sleep(600)
    return linear((4,), 3)

class Slow:
    def __init__(self):
        time.sleep(600)

    def build(self, hp):
        return linear((4,), 3)
"""
TOO_LONG = (
    "did not end in 0.5 s. Correct it, or give it more time: [search] trial_timeout = 0.25 (it "
    "counts as at least 0.5 s here)."
)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(time_limits, "LEAST_FOR_PREPARATION", 0.5)


@pytest.fixture
def file(tmp_path):
    """Writes a search of a builder, a data function and a metric; gives the file's path."""

    def write(builder="mlp", source="digits", metrics=(), **search):
        tables = {
            "search": {"name": "slow", "trials": 1, "trial_timeout": 0.25, **search},
            "data": {"source": source},
            "model": {"builder": builder},
            "training": {"epochs": 1, "metrics": ["accuracy", *metrics]},
            "space": RATE,
        }
        path = tmp_path / "search.toml"
        path.write_text(tomli_w.dumps(tables), encoding="utf-8")
        return path

    return write


def test_a_module_that_hangs(module, file):
    """It is imported for each of three keys, and waited for once."""
    name = module(HANGS)
    path = file(f"{name}:build", f"{name}:points", [f"{name}:metric"])
    what = f'the import of the module "{name}" {TOO_LONG}'
    with pytest.raises(InputError) as error:
        load_config(path)
    assert str(error.value).split("\n") == [
        f"{path}: [training] metrics: {what}",
        f"{path}: [data] source: {what}",
        f"{path}: [model] builder: {what}",
    ]


@pytest.mark.parametrize(
    ("builder", "called"),
    [
        ("slow", "which takes one argument, was called as build(hp) with the defaults and"),
        ("slow_at_8", "which takes one argument, was called as build(hp) with {'units': 8} and"),
        ("Slow", "called without arguments,"),
    ],
)
@pytest.mark.parametrize("command", ["check", "search"])
def test_a_builder_that_hangs(module, file, builder, called, command):
    name = module(QUICK + BUILDERS)
    path = file(f"{name}:{builder}")
    done = CliRunner().invoke(app, [command, str(path)], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    expected = f'Error: {path}: [model] builder: "{name}:{builder}", {called} {TOO_LONG}'
    assert done.stderr.strip() == expected


def test_from_python_it_names_the_argument(module):
    name = module(HANGS)
    said = f'Search: build: the import of the module "{name}" did not .* time: trial_timeout = 0.25'
    with pytest.raises(InputError, match=said):
        Search(space=RATE, build=f"{name}:build", trials=1, trial_timeout=0.25)


def test_what_ends_in_time_is_taken(module, file):
    name = module(QUICK + "import time\ntime.sleep(0.01)\n")
    config = load_config(file(f"{name}:linear", f"{name}:points"))
    assert re.fullmatch(r"written_for_a_test_\d+:linear", config.builder.name)
