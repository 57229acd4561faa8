"""The trials of a search for other tools."""

import csv
import json
import math
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from typer.testing import CliRunner

from tests.report import tensorboard
from tests.report.runs import MARKUP, WIDE, wide_run
from tests.search.run_directories import completed, failed, write_run
from tfcourse.cli import app
from tfcourse.search.results.keras_tuner_project import weights_in_words
from tfcourse.search.results.rows import results
from tfcourse.search.results.search_record import read_record
from tfcourse.search.store.directory import RunDirectory


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return wide_run(tmp_path_factory.mktemp("runs") / "wide", 12)


def export(directory, *options):
    result = CliRunner().invoke(app, ["export", "-q", str(directory), *map(str, options)])
    return result.exit_code, result.output


def test_a_study_that_optuna_loads(directory, tmp_path):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    code, text = export(directory, "--optuna", url)
    assert (code, text) == (0, f"optuna       wide in {url} (12 trials)\n")
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


@pytest.fixture(scope="module")
def folder(directory, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "events"
    code, text = export(directory, "--tensorboard", folder)
    assert (code, text) == (0, f"tensorboard  {folder} (12 trials)\n")
    return folder


class TestTensorBoard:
    def test_the_domains(self, folder):
        experiment, _ = tensorboard.hparams_page(folder)
        assert tensorboard.domains(experiment) == {
            "learning_rate": (1e-4, 1.0),
            "optimizer": ["adam", "momentum"],
            "one_minus_beta_1": (pytest.approx(0.001), pytest.approx(0.1)),
            "kind": sorted(["plain", MARKUP, "a name that is much too long for any axis"]),
            "layers": (1, 4),
            "width": (8, 96),
            "dropout": (0, 0.5),
            "flag": [False, True],
            "batch_size": [16, 32, 64, 128, 256],
            "weight_decay": (1e-6, 1e-2),
            "momentum": (0.9, 0.99),
            "patience": (1, 40),
        }
        titles = {info.name.tag: info.display_name for info in experiment.metric_infos}
        assert titles["trial/score"] == "val_accuracy"
        assert titles["at_best_epoch/val_loss"] == "val_loss"
        assert "at_best_epoch/val_accuracy" not in titles

    def test_the_sessions(self, directory, folder):
        _, groups = tensorboard.hparams_page(folder)
        trials = read_record(directory).trials
        assert sorted(groups) == [f"trial_{number:04d}" for number in range(12)]
        for number, record in trials.items():
            group = groups[f"trial_{number:04d}"]
            values = dict(record.values)
            if "beta_1" in values:
                values["one_minus_beta_1"] = pytest.approx(1 - values.pop("beta_1"))
            assert tensorboard.hparams_of(group) == values
            (session,) = group.sessions
            end = RunDirectory(directory).record_of(number).stat().st_mtime
            assert session.end_time_secs == pytest.approx(end)
            assert session.end_time_secs - session.start_time_secs == pytest.approx(record.seconds)
            metrics = tensorboard.metrics_of(group)
            assert metrics["trial/seconds"] == record.seconds
            if record.status == "failed":
                assert session.status == 2
                assert "trial/score" not in metrics
            else:
                assert session.status == 1
                assert metrics["trial/score"] == pytest.approx(record.score)
                assert metrics["trial/best_epoch"] == record.best_epoch

    def test_the_curves(self, directory, folder):
        best = read_record(directory).best
        run = folder / f"trial_{best.trial:04d}"
        for metric in ("accuracy", "loss", "val_accuracy", "val_loss"):
            expected = [(n, pytest.approx(v)) for n, v in enumerate(best.history[metric], 1)]
            assert tensorboard.curve(run, metric) == expected
        assert tensorboard.curve(run, "trial/score") == [(3, pytest.approx(best.score))]
        end = RunDirectory(directory).record_of(best.trial).stat().st_mtime
        expected = [end - best.seconds * (1 - epoch / 3) for epoch in (1, 2, 3)]
        assert tensorboard.times(run, "loss") == pytest.approx(expected, abs=1e-3)

    def test_a_reason_stays_text(self, directory, folder):
        record = next(r for r in read_record(directory).trials.values() if MARKUP in r.message)
        assert tensorboard.text(folder / f"trial_{record.trial:04d}") == f"    {record.message}\n"

    def test_pruned_trials_folds_and_values_that_are_not_finite(self, tmp_path):
        rate = {"learning_rate": WIDE["learning_rate"]}
        values = {"learning_rate": 0.1}
        folds = completed(0, 0.8, values, scores=[0.7, 0.9], score_std=0.1)
        folds = replace(folds, best_epoch=2)
        early = replace(completed(1, 0.5, values), status="pruned", message="behind others")
        nan = replace(failed(2, values), history={"loss": [1.0, None, math.inf]})
        run = write_run(tmp_path / "run", rate, [folds, early, nan])
        assert export(run, "--tensorboard", tmp_path / "events")[0] == 0
        experiment, groups = tensorboard.hparams_page(tmp_path / "events")
        statuses = [groups[f"trial_000{n}"].sessions[0].status for n in range(3)]
        assert statuses == [1, 0, 2]
        metrics = tensorboard.metrics_of(groups["trial_0000"])
        assert metrics["trial/score_std"] == pytest.approx(0.1)
        assert metrics["at_best_epoch/val_loss"] == pytest.approx(folds.history["val_loss"][1])
        assert "trial/score_std" in {info.name.tag for info in experiment.metric_infos}
        run = tmp_path / "events" / "trial_0001"
        assert tensorboard.tags(run) >= {"val_accuracy", "trial/seconds", "message"}
        assert "trial/score" not in tensorboard.tags(run)
        assert tensorboard.curve(tmp_path / "events" / "trial_0002", "loss") == [(1, 1.0)]

    def test_the_values_that_hyperband_adds(self, tmp_path):
        rate = {"learning_rate": WIDE["learning_rate"]}
        records = [
            completed(0, 0.5, {"learning_rate": 0.1, "epochs": 1}),
            completed(1, 0.6, {"learning_rate": 0.1, "epochs": 3, "continues": 0}),
        ]
        run = write_run(tmp_path / "run", rate, records, strategy="hyperband")
        assert export(run, "--tensorboard", tmp_path / "events")[0] == 0
        experiment, groups = tensorboard.hparams_page(tmp_path / "events")
        assert tensorboard.domains(experiment)["epochs"] == (1, 3)
        assert "continues" not in tensorboard.domains(experiment)
        assert tensorboard.hparams_of(groups["trial_0001"]) == {"learning_rate": 0.1, "epochs": 3}

    def test_again_writes_only_what_changed(self, tmp_path):
        run, folder = wide_run(tmp_path / "run", 4), tmp_path / "events"
        export(run, "--tensorboard", folder)
        before = {path: path.stat().st_ino for path in folder.rglob("*tfevents*")}
        record = RunDirectory(run).read_trial(1)
        RunDirectory(run).record_of(3).unlink()
        time.sleep(0.01)
        RunDirectory(run).write_trial(replace(record, seconds=7.0))
        export(run, "--tensorboard", folder)
        after = {path: path.stat().st_ino for path in folder.rglob("*tfevents*")}
        changed = {path.parent.name for path in before if before[path] != after.get(path)}
        assert changed == {"trial_0001", "trial_0003"}
        assert not (folder / "trial_0003").exists()
        assert [p.name for p in (folder / "trial_0001").iterdir()] == [
            "events.out.tfevents.tfcourse"
        ]
        assert tensorboard.curve(folder / "trial_0001", "trial/seconds")[0][1] == 7.0


STOCK = """
import json, sys
import keras_tuner

folder, name, trials = sys.argv[1:]
tuner = keras_tuner.RandomSearch(
    lambda hp: None,
    objective=keras_tuner.Objective("val_accuracy", "max"),
    max_trials=int(trials),
    directory=folder,
    project_name=name,
    overwrite=False,
)
tuner.reload()
tuner.results_summary()
entries = tuner.oracle.get_space().space
space = {hp.name: {"class": type(hp).__name__, **hp.get_config()} for hp in entries}
trials = tuner.oracle.trials.values()
print("#", json.dumps({
    "best": [hp.values for hp in tuner.get_best_hyperparameters(2)],
    "space": space,
    "trials": {t.trial_id: [t.status, t.score, t.best_step, t.message] for t in trials},
    "losses": {t.trial_id: t.metrics.get_best_value("val_loss") for t in trials if t.score},
    "left": tuner.remaining_trials,
    "next": tuner.oracle.create_trial("tuner0").trial_id,
    "imported": "tfcourse" in sys.modules,
}))
"""


class TestKerasTuner:
    def test_a_project_that_stock_keras_tuner_reloads(self, directory, tmp_path):
        folder = tmp_path / "projects" / "wide"
        code, text = export(directory, "--keras-tuner", folder)
        assert (code, text) == (
            0,
            f"keras-tuner  {folder} (12 trials)\n"
            f"{'':12} Without weights: the search has no best model.\n",
        )
        environment = {name: v for name, v in os.environ.items() if name != "PYTHONPATH"}
        process = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", STOCK, folder.parent, "wide", "13"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        printed, _, found = process.stdout.rpartition("# ")
        found, record = json.loads(found), read_record(directory)
        assert not found["imported"]
        assert f"Trial {record.best.trial:02d} summary" in printed
        assert f"Score: {record.best.score}" in printed
        for values, trial in zip(found["best"], record.ranking, strict=False):
            assert {name: values[name] for name in trial.values} == trial.values
        assert len(found["trials"]) == 12
        for number, trial in record.trials.items():
            status, score, step, message = found["trials"][f"{number:02d}"]
            if trial.status == "failed":
                assert (status, score) == ("FAILED", None)
                assert message == trial.message
            else:
                assert (status, score, step) == ("COMPLETED", trial.score, trial.best_epoch - 1)
                assert found["losses"][f"{number:02d}"] == trial.history["val_loss"][step]
        assert (found["left"], found["next"]) == (1, "12")
        space = found["space"]
        assert {name: entry["class"] for name, entry in space.items()} == {
            **dict.fromkeys(["learning_rate", "one_minus_beta_1", "dropout"], "Float"),
            **dict.fromkeys(["weight_decay", "momentum"], "Float"),
            **dict.fromkeys(["layers", "width", "patience"], "Int"),
            **dict.fromkeys(["optimizer", "kind", "batch_size"], "Choice"),
            "flag": "Boolean",
        }
        condition = {"name": "optimizer", "values": ["adam"]}
        beta = space["one_minus_beta_1"]
        assert [entry["config"] for entry in beta["conditions"]] == [condition]
        assert (beta["min_value"], beta["max_value"]) == pytest.approx((0.001, 0.1))
        assert (beta["sampling"], space["learning_rate"]["sampling"]) == ("log", "log")
        assert (space["layers"]["min_value"], space["layers"]["max_value"]) == (1, 4)

    def test_pruned_and_infeasible_trials_steps_and_values(self, tmp_path):
        import keras_tuner

        space = {
            "kind": {"values": [True]},
            "depth": {"low": 2, "high": 8, "step": 2},
            "rate": {"values": [1, 0.5]},
            "share": {"low": 0.0, "high": 1.0, "step": 0.25, "when": {"rate": 1}},
            "inner": {"low": 1, "high": 3, "when": {"switch": "on"}},
            "switch": {"values": ["on", "off"], "when": {"kind": True}},
        }
        values = {"kind": True, "depth": 4, "rate": 1, "share": 0.25, "switch": "on", "inner": 2}
        early = replace(completed(1, 0.9, values), status="pruned", message="behind others")
        broken = replace(completed(2, 0.95, values), status="infeasible", message="Breaks it.")
        records = [completed(0, 0.5, {**values, "rate": 0.5}), early, broken]
        run = write_run(tmp_path / "run", space, records)
        assert export(run, "--keras-tuner", tmp_path / "kt")[0] == 0
        tuner = keras_tuner.RandomSearch(
            lambda hp: None,
            keras_tuner.Objective("val_accuracy", "max"),
            directory=str(tmp_path),
            project_name="kt",
        )
        trials = tuner.oracle.trials
        assert (trials["01"].status, trials["01"].message) == ("INVALID", "behind others")
        assert (trials["02"].status, trials["02"].message) == ("INVALID", "Breaks it.")
        assert [trial.trial_id for trial in tuner.oracle.get_best_trials()] == ["00"]
        found = {hp.name: hp for hp in tuner.oracle.get_space().space}
        assert (found["kind"].value, found["depth"].step) == (True, 2)
        assert found["share"].step == 0.25
        assert found["rate"].values == [1.0, 0.5]
        names = {name: [c.name for c in hp.conditions] for name, hp in found.items()}
        assert names["inner"] == ["kind", "switch"]
        tried = tuner.oracle.populate_space("03")["values"]
        assert ("share" in tried) == (tried["rate"] == 1.0)

    @pytest.mark.parametrize("normalize", ["none", "standardize"])
    def test_the_weights_of_the_best_model(self, quick, untrained, tmp_path, normalize):
        import keras
        import keras_tuner

        source = """
        import tfcourse

        def build(hp):
            hidden = keras.layers.Dense(hp.Int("units", 2, 9), use_bias=False)
            normalized, head = tfcourse.BatchNorm(), tfcourse.SoftmaxHead(3)
            model = keras.Sequential([keras.Input((4,)), hidden, normalized, head])
            loss = "sparse_categorical_crossentropy"
            rate = hp.Float("learning_rate", 0.01, 0.1)
            model.compile(keras.optimizers.SGD(rate), loss, metrics=["accuracy"])
            return model
        """
        search = quick(source, builder="build", space={}, data={"normalize": normalize})
        result = search.run(verbose=False)
        code, text = export(search.directory, "--keras-tuner", tmp_path / "kt")
        assert code == 0
        assert f"With the weights of trial {result.best.trial}, and of no other." in text
        build = sys.modules[search.config.builder.name.partition(":")[0]].build
        tuner = keras_tuner.RandomSearch(
            build,
            keras_tuner.Objective("val_accuracy", "max"),
            directory=str(tmp_path),
            project_name="kt",
        )
        (found,) = tuner.get_best_models()
        expected = keras.models.load_model(search.directory / "best.keras")
        if normalize == "standardize":
            expected = expected.layers[-1]
        assert found.count_params() == expected.count_params()
        assert result.best.trial > 0
        for weight, other in zip(found.get_weights(), expected.get_weights(), strict=True):
            assert (weight == other).all()

    def test_equal_scores(self, tmp_path):
        records = [completed(n, 0.5, {"learning_rate": 0.01}) for n in range(3)]
        space = {"learning_rate": WIDE["learning_rate"]}
        record = read_record(write_run(tmp_path / "run", space, records))
        assert weights_in_words(record, 2) == (
            "With the weights of trial 2, and of no other. keras-tuner may choose another one of "
            "the 3 with the best score."
        )

    def test_into_a_linked_folder(self, tmp_path):
        (tmp_path / "real").mkdir()
        link = tmp_path / "kt"
        link.symlink_to("real")
        assert export(wide_run(tmp_path / "run", 2), "--keras-tuner", link)[0] == 0
        assert link.is_symlink()
        assert (tmp_path / "real" / "oracle.json").is_file()

    def test_again(self, tmp_path):
        run, folder = wide_run(tmp_path / "run", 4), tmp_path / "kt"
        export(run, "--keras-tuner", folder)
        RunDirectory(run).record_of(3).unlink()
        assert export(run, "--keras-tuner", folder)[0] == 0
        assert sorted(p.name for p in folder.glob("trial_*")) == ["trial_0", "trial_1", "trial_2"]
        state = folder / "oracle.json"
        state.write_text(state.read_text().replace('"run_times"', '"run_times" '))
        code, text = export(run, "--keras-tuner", folder)
        assert code == 2
        assert f"--keras-tuner: {folder} has changed since tfcourse wrote it." in text
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".kt")] == []


def test_several_at_once_as_json(directory, tmp_path):
    paths = [tmp_path / "trials.csv", tmp_path / "events"]
    code, text = export(directory, "--csv", paths[0], "--tensorboard", paths[1], "--json")
    assert code == 0
    entries = [
        {"format": name, "path": str(path), "trials": 12, "name": None, "note": None}
        for name, path in zip(("csv", "tensorboard"), paths, strict=True)
    ]
    assert json.loads(text) == {"directory": str(directory), "exports": entries}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Say what to write: --optuna sqlite:///study.db, --csv trials.csv,"),
        (["--optuna", "nothing"], "--optuna: 'nothing' can't be used ("),
        (["--optuna", "sqlite:////nowhere/x.db"], "unable to open database file"),
        (["--csv", "nowhere/x.csv"], "--csv: the folder nowhere does not exist. Make it first."),
        (["--csv", "."], "--csv: . is a folder. Choose the path of a file."),
        (["--tensorboard", "{run}/events"], "is in the run directory"),
        (["--keras-tuner", "{run}"], "is in the run directory"),
        (["--tensorboard", "{run}/config.toml/x"], "is in the run directory"),
        (["--tensorboard", "/dev/null/x"], "--tensorboard: /dev/null is not a folder."),
        (["--tensorboard", "{tests}"], "has files that no export of a search wrote. Empty it,"),
        (["--keras-tuner", "{tests}"], "has files that no export of a search wrote. Empty it,"),
        (["--tensorboard", "x", "--keras-tuner", "./x"], "have the same folder. Choose another."),
        (["--csv", "x.csv", "--tensorboard", "{tests}"], "has files that no export"),
    ],
)
def test_what_can_not_be_written(directory, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    places = {"run": directory, "tests": Path(__file__).parent}
    code, text = export(directory, *(option.format(**places) for option in options))
    assert code == 2
    assert message in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--tensorboard", "--keras-tuner"])
def test_a_run_directory_that_was_moved(tmp_path, option):
    run = wide_run(tmp_path / "run", 2)
    assert export(run, option, tmp_path / "out")[0] == 0
    assert export(run.rename(tmp_path / "moved"), option, tmp_path / "out")[0] == 0


@pytest.mark.parametrize("option", ["--tensorboard", "--keras-tuner"])
def test_the_folder_of_another_search(directory, tmp_path, option):
    other = wide_run(tmp_path / "other", 2)
    (tmp_path / "out").mkdir()
    assert export(directory, option, tmp_path / "out")[0] == 0
    code, text = export(other, option, tmp_path / "out")
    assert code == 2
    assert f"{option}: {tmp_path / 'out'} has the trials of {directory}." in text
