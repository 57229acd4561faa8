"""Several objectives of a search: its Pareto set, the models of which it keeps."""

import csv
import json
import math
import re
import tomllib
from dataclasses import replace

import optuna
import pytest
from typer.testing import CliRunner

from tests.search.conftest import RATE, load
from tests.search.run_directories import completed, failed, write_run
from tfcourse import InputError
from tfcourse.cli import app
from tfcourse.report.figures.pareto import pareto_panels
from tfcourse.report.page.pareto import pareto_section
from tfcourse.report.page.parts import header
from tfcourse.search.best.trial import read_trial
from tfcourse.search.records.objective import Objective
from tfcourse.search.records.pareto import leaders, pareto_set, values_of
from tfcourse.search.records.trial_record import TrialRecord, rank
from tfcourse.search.results.search_record import read_record
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.errors import SearchFailedError

BOTH = (Objective("val_accuracy", "max"), Objective("parameters", "min"))


def trial(number, score, parameters, status="completed", **fields):
    return TrialRecord(number, status, {}, score, 1, parameters=parameters, **fields)


class TestTheSet:
    def test_equal_trials_are_all_in_it_and_the_earlier_is_the_best(self):
        records = [
            trial(n, score, count)
            for n, (score, count) in enumerate(
                [(0.9, 50), (0.8, 10), (0.9, 40), (0.9, 40), (0.8, 11), (0.7, 10)]
            )
        ]
        assert [r.trial for r in pareto_set(records, BOTH)] == [2, 3, 1]
        assert [r.trial for r in rank(records, "max", BOTH[1:])] == [2, 3, 0, 1, 4, 5]
        # With one objective the earliest of equal scores is the best, and the only leader.
        assert [r.trial for r in leaders(records, BOTH[:1])] == [0]

    def test_only_feasible_trials_that_completed_are_in_it(self):
        statuses = ["failed", "pruned", "infeasible"]
        others = [trial(n, None if n == 0 else 0.99, 1, s) for n, s in enumerate(statuses)]
        assert [r.trial for r in pareto_set([*others, trial(3, 0.5, 9)], BOTH)] == [3]
        assert pareto_set(others, BOTH) == []

    @pytest.mark.parametrize("value", [None, math.nan, math.inf])
    def test_a_value_that_is_no_number_is_the_worst(self, value):
        loss = (Objective("val_accuracy", "max"), Objective("val_loss", "min"))
        records = [
            trial(0, 0.9, 1, history={"val_loss": [value]}),
            trial(1, 0.9, 1, history={"val_loss": [5.0]}),
            trial(2, 0.8, 1, history={"val_loss": [value]}),
        ]
        assert [r.trial for r in pareto_set(records, loss)] == [1]
        assert [r.trial for r in pareto_set(records[::2], loss)] == [0]

    def test_the_values_are_those_at_the_epochs_of_the_score(self):
        every = (*BOTH, Objective("seconds", "min"), Objective("loss", "max"))
        record = trial(0, 0.9, 7, seconds=2.5, history={"loss": [4.0, 3.0]})
        assert values_of(record, every) == [0.9, 7, 2.5, 4.0]
        mean = replace(record, best_epoch=2, averaged_epochs=2)
        assert values_of(mean, every) == [0.9, 7, 2.5, 3.5]
        folds = replace(record, metrics={"loss": 9.0})
        assert values_of(folds, every) == [0.9, 7, 2.5, 9.0]


class TestConfig:
    def load(self, tmp_path, training=None, **search):
        raw = {"name": "a", "trials": 3, **search}
        return load(tmp_path, {"search": raw, "training": training or {}, "space": RATE})

    def test_the_forms(self, tmp_path):
        tables = [{"name": "val_loss"}, {"name": "accuracy", "direction": "min"}, "seconds"]
        config = self.load(tmp_path, objectives=tables)
        assert config.objectives == (
            *(Objective("val_loss", "min"), Objective("accuracy", "min")),
            Objective("seconds", "min"),
        )
        assert (config.search.objective, config.direction) == ("val_loss", "min")
        # The config on record says everything, and is the same search.
        again = load(tmp_path, tomllib.loads(config.as_toml()))
        assert again.as_tables() == config.as_tables()
        assert again.objectives == config.objectives

    def test_one_of_them_is_the_objective(self, tmp_path):
        one = self.load(tmp_path, objectives=["val_loss"])
        assert one.as_tables() == self.load(tmp_path, objective="val_loss").as_tables()
        assert one.objectives == (Objective("val_loss", "min"),)
        both = self.load(tmp_path, objective="val_loss", objectives=["val_loss", "parameters"])
        assert [each.name for each in both.objectives] == ["val_loss", "parameters"]

    def test_a_metric_of_ones_own_needs_a_direction(self, tmp_path, module):
        name = module("def own(true, predicted):\n    return predicted[:, 0]\n")
        training = {"metrics": ["accuracy", f"{name}:own"]}
        with pytest.raises(InputError, match=r'objectives: direction is required for "val_own"'):
            self.load(tmp_path, training, objectives=["val_accuracy", "val_own"])
        own = {"name": "val_own", "direction": "max"}
        config = self.load(tmp_path, training, objectives=["val_accuracy", own])
        assert config.objectives[1] == Objective("val_own", "max")
        first = self.load(tmp_path, training, objectives=[own, "parameters"])
        assert (first.search.objective, first.direction) == ("val_own", "max")

    @pytest.mark.parametrize("entries", [["val_mae", "val_mae"], "val_mae"], ids=str)
    def test_one_error_is_one_line(self, entries, tmp_path):
        with pytest.raises(InputError) as raised:
            self.load(tmp_path, {"loss": "mse", "metrics": ["mae"]}, objectives=entries)
        assert len(str(raised.value).splitlines()) == 1

    @pytest.mark.parametrize(
        ("search", "said"),
        [
            ({"objectives": []}, "objectives must be a list of names such as"),
            ({"objectives": "val_loss"}, 'tables { name = "val_loss", direction = "min" }.'),
            (
                {"objectives": [{"name": "val_loss", "direction": "up"}]},
                "objectives must be a list",
            ),
            ({"objectives": ["val_loss", "val_loss"]}, "must differ. Received: ['val_loss', "),
            (
                {"objectives": ["val_loss", "val_los"]},
                'objectives must be one of "val_accuracy", "val_loss", "accuracy", "loss", '
                '"parameters", "seconds", "milliseconds". Received: \'val_los\'. Did you mean '
                '"val_loss"?',
            ),
            ({"objectives": ["val_los"]}, 'objective must be one of "val_accuracy"'),
            ({"objectives": ["parameters", "loss"]}, "must begin with a metric or loss, not with"),
            (
                {"objectives": ["val_loss", "seconds"], "objective": "loss"},
                "objective = 'loss', and the first of objectives has 'val_loss': name one of them.",
            ),
            (
                {"objectives": ["val_loss", "seconds"], "strategy": "gp"},
                'strategy "gp" learns from one score, and there are 2 objectives. Use "random", ',
            ),
            (
                {"objectives": ["val_loss", "seconds"], "strategy": "optuna:CmaEsSampler"},
                'strategy "optuna:CmaEsSampler" learns from one score',
            ),
            (
                {"objectives": ["val_loss", "seconds"], "patience": 2},
                "patience is about one score, and there are 2 objectives. Leave it out, or name",
            ),
            (
                {"objectives": ["val_loss", "seconds"], "pruning": {"rule": "median"}},
                "pruning is about one score",
            ),
        ],
        ids=str,
    )
    def test_errors_name_the_file_the_table_and_the_key(self, search, said, tmp_path):
        with pytest.raises(InputError) as raised:
            self.load(tmp_path, **search)
        (line,) = str(raised.value).splitlines()
        assert line.startswith(f"{tmp_path / 'search.toml'}: [search] ")
        assert said in line


WIDE = """
def net(input_shape, classes, units=2):
    layers = [keras.layers.Dense(units), keras.layers.Dense(classes, activation="softmax")]
    return keras.Sequential([keras.Input(input_shape), *layers])
"""
SPACE = {"learning_rate": {"low": 0.01, "high": 0.1}, "units": {"low": 1, "high": 30}}


def models_of(search):
    """The trials whose models are on disk beside the best one."""
    return {int(path.stem) for path in RunDirectory(search.directory).models.glob("*.keras")}


def front_of(trials):
    """The trials of the set, by its definition."""
    points = {n: (-r.score, r.parameters) for n, r in trials.items() if r.status == "completed"}
    return {
        n
        for n, a in points.items()
        if not any(b != a and b[0] <= a[0] and b[1] <= a[1] for b in points.values())
    }


@pytest.mark.usefixtures("untrained")
class TestSearch:
    def make(self, quick, **search):
        options = {"objectives": ["val_accuracy", "parameters"], "trials": 9, **search}
        return quick(WIDE, builder="net", space=SPACE, search=options)

    def test_the_models_of_the_set_are_kept_and_found(self, quick, monkeypatch):
        search, before_the_end = self.make(quick), []

        def forget_running(directory, keeps):
            before_the_end.append(models_of(search))

        with monkeypatch.context() as patch:
            patch.setattr(RunDirectory, "forget_running", forget_running)
            result = search.run(verbose=False)
        front = front_of(result.trials)
        assert before_the_end == [front], "others are removed as soon as they are dominated"
        assert {r.trial for r in result.pareto_set} == front == models_of(search)
        assert 1 < len(front) < 9
        assert result.best is result.pareto_set[0]
        assert RunDirectory(search.directory).best_trial() == result.best.trial
        for number in front:
            assert read_trial(search.directory, number).model is not None
        assert "The Pareto set" in str(result)
        assert search.completed() is not None

    def test_a_model_that_is_lost_is_made_again(self, quick):
        search = self.make(quick)
        before = search.run(verbose=False)
        lost = before.pareto_set[-1].trial
        directory = RunDirectory(search.directory)
        directory.model_of(lost).unlink()
        assert search.completed() is None
        assert lost not in search.finished()
        after = search.run(verbose=False)
        assert [r.trial for r in after.pareto_set] == [r.trial for r in before.pareto_set]
        assert lost in models_of(search)

    def test_interrupted_between_any_two_writes_it_ends_with_the_same_set(self, quick, monkeypatch):
        class Killed(BaseException):
            pass

        search = self.make(quick)
        whole = search.run(verbose=False)
        expected, models = [r.trial for r in whole.pareto_set], models_of(search)
        real = RunDirectory.keep_model
        for stop in (1, 4):
            calls = []

            def keep_model(self, *arguments, calls=calls, stop=stop):
                calls.append(arguments)
                if len(calls) == stop + 1:
                    raise Killed
                return real(self, *arguments)

            with monkeypatch.context() as patch:
                patch.setattr(RunDirectory, "keep_model", keep_model)
                with pytest.raises(Killed):
                    search.run(verbose=False, fresh=True)
            result = search.run(verbose=False)
            assert [r.trial for r in result.pareto_set] == expected, stop
            assert models_of(search) == models, stop

    def test_limits_rule_trials_out(self, quick):
        result = self.make(quick, limits={"parameters": 60}).run(verbose=False)
        counts = {n: r.parameters for n, r in result.trials.items()}
        assert max(counts.values()) > 60
        assert all(record.parameters <= 60 for record in result.pareto_set)
        assert {r.trial for r in result.pareto_set} == front_of(result.trials)

    def test_no_trial_within_the_limits(self, quick):
        search = self.make(quick, limits={"parameters": 1}, trials=3)
        with pytest.raises(SearchFailedError, match=re.escape("is within [search.limits]")):
            search.run(verbose=False)
        record = read_record(search.directory)
        assert (record.pareto_set, record.best, models_of(search)) == ([], None, set())

    @pytest.mark.parametrize("strategy", ["tpe", "optuna:NSGAIISampler"])
    def test_a_sampler_of_optunas_learns_from_all_objectives(self, strategy, quick):
        """Its trials are those of a study with several directions, asked and told alone."""
        tables = {"tpe": {"initial": 3}} if strategy == "tpe" else {}
        tables |= {"optuna": {"arguments": {"population_size": 4}}} if not tables else {}
        result = self.make(quick, strategy=strategy, trials=10, **tables).run(verbose=False)
        arguments = {"seed": 0}
        if strategy == "tpe":
            arguments |= {"n_startup_trials": 3, "constant_liar": True}
            sampler = optuna.samplers.TPESampler(**arguments)
        else:
            sampler = optuna.samplers.NSGAIISampler(population_size=4, **arguments)
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
        first = 3 if strategy == "tpe" else 4
        asked = [study.ask() for _ in range(first)]
        for number, record in sorted(result.trials.items()):
            own = asked[number] if number < first else study.ask()
            rate = own.suggest_float("learning_rate", 0.01, 0.1)
            units = own.suggest_int("units", 0, 29) + 1
            assert record.values == {"learning_rate": pytest.approx(rate), "units": units}
            asked.append(own)
            if number == first - 1:
                for trial, done in zip(asked, range(first), strict=False):
                    study.tell(trial, [result.trials[done].score, result.trials[done].parameters])
            elif number >= first:
                study.tell(own, [record.score, record.parameters])
        assert {t.number for t in study.best_trials} == {r.trial for r in result.pareto_set}


class TestOutput:
    @pytest.fixture
    def run(self, tmp_path):
        values = {"learning_rate": 0.05}
        points = [(0.9, 50), (0.8, 10), (0.9, 40), (0.7, 10), (0.95, 5)]
        records = [completed(n, s, values, parameters=p) for n, (s, p) in enumerate(points)]
        records[4] = replace(records[4], status="infeasible", message="Breaks val_loss 1 > 0.")
        tables = [{"name": each.name, "direction": each.direction} for each in BOTH]
        records.append(failed(5, values))
        return write_run(tmp_path / "run", RATE, records, objectives=tables, direction="max")

    def test_json_csv_and_an_optuna_study(self, run, tmp_path):
        shown = CliRunner().invoke(app, ["show", str(run), "--json"])
        entry = json.loads(shown.output)
        assert entry["objectives"] == [each.__dict__ for each in BOTH]
        assert entry["pareto_set"] == [
            {"trial": 2, "val_accuracy": 0.9, "parameters": 40},
            {"trial": 1, "val_accuracy": 0.8, "parameters": 10},
        ]
        assert [trial["trial"] for trial in entry["trials"][:2]] == [2, 0]
        file, url = tmp_path / "t.csv", f"sqlite:///{tmp_path / 's.db'}"
        arguments = ["export", str(run), "--csv", str(file), "--optuna", url]
        assert CliRunner().invoke(app, arguments).exit_code == 0
        rows = list(csv.DictReader(file.read_text().splitlines()))
        assert [row["pareto_set"] == "True" for row in rows] == [n in (1, 2) for n in range(6)]
        assert [row["parameters"] for row in rows] == ["50", "10", "40", "10", "5", ""]
        study = optuna.load_study(study_name="run", storage=url)
        assert [each.name for each in study.directions] == ["MAXIMIZE", "MINIMIZE"]
        assert {trial.number for trial in study.best_trials} == {1, 2}

    def test_the_report(self, run):
        record = read_record(run)
        (panel,) = pareto_panels(record)
        *_, front = panel.figure.data
        assert [*zip(front.x, front.y, strict=True)] == [(10, 0.8), (40, 0.9)]
        html = pareto_section(record, [panel])
        assert "2 of the 2 trials of the set" in html
        assert html.index('<td class="number">40</td>') < html.index(">10</td>")
        assert "higher is better; and parameters, lower is better" in header(record)
        three = replace(record, objectives=[*record.objectives, Objective("seconds", "min")])
        assert [each.title for each in pareto_panels(three)] == [
            "val_accuracy and parameters",
            "val_accuracy and seconds",
            "parameters and seconds",
        ]
        one = replace(record, objectives=record.objectives[:1])
        assert (pareto_panels(one), pareto_section(one, [])) == ([], "")

    def test_the_table_in_the_terminal(self, run):
        text = CliRunner().invoke(app, ["show", str(run)]).output
        _, _, table = text.partition("The Pareto set")
        assert "val_accuracy (max) parameters (min) learning_rate" in table
        assert re.search(r"2 +0.9000 +40 +0.05\s+1 +0.8000 +10 +0.05\s", table)

    def test_a_comparison_has_the_set_of_all_trials(self, run, tmp_path):
        tables = [{"name": each.name, "direction": each.direction} for each in BOTH]
        points = [(0.85, 20), (0.8, 10), (0.8, 11), (0.9, 41)]
        records = [
            completed(n, s, {"learning_rate": 0.05}, parameters=p)
            for n, (s, p) in enumerate(points)
        ]
        other = write_run(tmp_path / "other", RATE, records, objectives=tables, direction="max")
        text = CliRunner().invoke(app, ["compare", str(run), str(other)]).output
        assert "Trials in the Pareto set of all: run 2, 1; other 0, 1." in text
        alone = write_run(tmp_path / "alone", RATE, records)
        text = CliRunner().invoke(app, ["compare", str(run), str(alone)]).output
        assert "quartiles" in text and "Pareto" not in text


def test_two_workers_end_with_the_same_set(quick):
    options = {"objectives": ["val_accuracy", "parameters"], "trials": 6}
    one = quick(WIDE, builder="net", space=SPACE, search={**options, "name": "one"})
    alone = one.run(verbose=False)
    two = replace_name(one, "two")
    together = two.run(verbose=False, workers=2)
    assert [r.trial for r in together.pareto_set] == [r.trial for r in alone.pareto_set]
    assert models_of(two) == models_of(one) == front_of(together.trials)


def replace_name(search, name):
    config = search.config
    renamed = config.search.model_copy(update={"name": name})
    return type(search)(replace(config, search=renamed), search.out)
