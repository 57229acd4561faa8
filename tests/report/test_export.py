"""The trials of a search for other tools."""

import csv

import optuna
import pytest
from typer.testing import CliRunner

from tests.report.runs import wide_run
from tfcourse.cli import app
from tfcourse.search.results.rows import results
from tfcourse.search.results.search_record import read_record


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return wide_run(tmp_path_factory.mktemp("runs") / "wide", 12)


def export(directory, *options):
    result = CliRunner().invoke(app, ["export", str(directory), *map(str, options)])
    return result.exit_code, result.output


def test_a_study_that_optuna_loads(directory, tmp_path):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    code, text = export(directory, "--optuna", url)
    assert (code, text) == (0, f"optuna      wide in {url}\n")
    study = optuna.load_study(study_name="wide", storage=url)
    record = read_record(directory)
    assert study.best_trial.user_attrs["trial"] == record.best.trial
    assert study.best_value == record.best.score
    curve = record.best.history["val_accuracy"]
    assert study.best_trial.intermediate_values == dict(enumerate(curve, start=1))
    assert len(study.trials) == 12
    code, text = export(directory, "--optuna", url)
    assert code == 2
    assert f'Error: --optuna: {url} has a study "wide". Delete it there' in text


def test_a_csv_file(directory, tmp_path):
    code, _ = export(directory, "--csv", tmp_path / "trials.csv")
    assert code == 0
    with (tmp_path / "trials.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    expected = results(directory)
    assert [row["message"] for row in read] == [row["message"] for row in expected]
    for row, other in zip(read, expected, strict=True):
        assert float(row["learning_rate"]) == other["learning_rate"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Say what to write: --optuna sqlite:///study.db, --csv trials.csv."),
        (["--optuna", "nothing"], "--optuna: 'nothing' can't be used ("),
        (["--optuna", "sqlite:////nowhere/x.db"], "unable to open database file"),
        (["--csv", "nowhere/x.csv"], "--csv: the folder nowhere does not exist. Make it first."),
    ],
)
def test_what_can_not_be_written(directory, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    code, text = export(directory, *options)
    assert code == 2
    assert message in text
    assert list(tmp_path.iterdir()) == []
