"""Run directories whose JSON says something else are shown, or refused in a line."""

import json
import random
import shutil

import hypothesis
import pytest
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.fuzz.mutations import changed
from tests.search.run_directories import completed, failed, write_run
from tfcourse.cli import app
from tfcourse.search.store.directory import RunDirectory

SPACE = {
    "learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"},
    "optimizer": {"values": ["adam", "momentum"]},
}
BOX = {
    "learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"},
    "optimizer": {"values": ["adam", "momentum"], "weights": [0.75, 0.25]},
}
COMMANDS = {
    "show": [],
    "show --json": [],
    "watch --once": [],
    "watch --once --json": [],
    "best": [],
    "best --json --trial 1": [],
    "export --csv": ["trials.csv"],
    "compare --json": ["other"],
}
FIELDS = ("trial", "status", "score", "values", "history", "message", "box", "best_epoch", "test")
EXAMPLES = hypothesis.settings().max_examples


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    records = [
        completed(n, 0.5 + n / 10, {"learning_rate": 0.01 * (n + 1), "optimizer": "adam"})
        for n in range(4)
    ]
    records.append(failed(4, {"learning_rate": 0.9, "optimizer": "momentum"}))
    rounds = [
        {"first_trial": 0, "last_trial": 2, "box": BOX},
        {"first_trial": 3, "last_trial": 4, "box": BOX},
    ]
    for name in ("run", "other"):
        path = write_run(folder / name, SPACE, records, rounds, trials=8)
        summary = {"trial": 3, "objective": "val_accuracy", "score": 0.8, "test": {"loss": 0.5}}
        (path / "summary.json").write_text(json.dumps(summary))
        names = [f"{part}_{side}" for part in ("train", "dev", "test") for side in "xy"]
        data = {key: {"shape": [3, 4], "dtype": "float32"} for key in names}
        (path / "data.json").write_text(json.dumps({**data, "sha256": "0" * 64}))
        (path / "code.json").write_text('{"source": {"a": "0"}}')
        (path / "claims.json").write_text('{"w1": {"trial": 5, "since": 1.0}}')
    return folder


def changed_file(generator, path):
    """Change what the file says."""
    tables = changed(generator, json.loads(path.read_text()), FIELDS)
    text = json.dumps(tables, default=str, ensure_ascii=generator.random() < 0.5)
    path.write_text(text, encoding="utf-8", errors="surrogatepass")


@hypothesis.settings(max_examples=max(EXAMPLES, 1))
@hypothesis.given(seed=st.integers(0, 2**32))
def test_a_command_shows_it_or_refuses_it(whole, seed):
    generator = random.Random(seed)
    folder = whole / "changed"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole / "run", folder)
    files = sorted(folder.rglob("*.json"))
    damaged = {generator.choice(files) for _ in range(generator.choice([1, 1, 3]))}
    for path in sorted(damaged):
        changed_file(generator, path)
    intact = {int(path.stem) for path in folder.glob("trials/*") if path not in damaged}
    command = generator.choice(sorted(COMMANDS))
    name, *options = command.split()
    rest = [str(whole / each) for each in COMMANDS[command]]
    result = CliRunner().invoke(app, [name, str(folder), *options, *rest])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in (0, 1, 2)
    if result.exit_code:
        assert 0 < len(result.stderr.splitlines()) <= 2
    assert intact <= {*RunDirectory(folder).read_trials()}
