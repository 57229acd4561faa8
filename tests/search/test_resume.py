"""What a run directory gives back to a search that goes on: its trials, its version, its end."""

import datetime
import hashlib
import json
import re
import tomllib
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.search.protocol import SPACE, config_of, record_of
from tfcourse import InputError
from tfcourse.errors import WorkFailedError
from tfcourse.search.config.load import parse_config
from tfcourse.search.records import visibility
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.store.directory import OFF_RECORD, RunDirectory
from tfcourse.search.store.earlier_runs import earlier_runs, ranking_on_record, stop_on_record
from tfcourse.search.store.identity import differences, identity
from tfcourse.search.store.model_file import sign_model
from tfcourse.search.store.reading import read_toml
from tfcourse.search.store.resume import (
    as_recorded,
    check_path,
    finished_trials,
    lost_models,
    repetitions,
)
from tfcourse.search.store.summary import Measurement, Summary
from tfcourse.search.strategies.proposals import propose
from tfcourse.search.strategies.stopping import EarlierRuns

ADVICE = "Choose another --out or another name."


def sign(path, trial):
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model.weights.h5", bytes(64))
    sign_model(path, trial)


def two_objectives(trials):
    raw = {"objective": "val_loss", "objectives": ["val_loss", "parameters"], "trials": trials}
    raw = {"search": {"name": "protocol", **raw}, "training": {"epochs": 9}, "space": SPACE}
    return parse_config(raw, "protocol", None)


@pytest.fixture
def directory(tmp_path):
    return RunDirectory(tmp_path / "run")


def fill(directory, config, scores, **fields):
    """Put a trial with each score on record; the best model is that of the last one."""
    directory.create(config.as_toml(), {"tfcourse": "0", "keras-tuner": "0"})
    records = {}
    for trial, score in enumerate(scores):
        values = propose(config.study, trial, records)
        record = TrialRecord(trial, "completed", values, score, 1, 2.0, "w1", **fields)
        directory.write_trial(record)
        records[trial] = record
    sign(directory.best, len(scores) - 1)
    return directory.read_trials()


class TestPath:
    def said(self, path):
        with pytest.raises(InputError) as error:
            check_path(RunDirectory(path))
        return str(error.value)

    def test_a_file_for_a_folder(self, tmp_path):
        (tmp_path / "file").touch()
        assert self.said(tmp_path / "file") == f"{tmp_path / 'file'} is a file. {ADVICE}"
        assert self.said(tmp_path / "file" / "run") == f"{tmp_path / 'file'} is a file. {ADVICE}"

    def test_a_link_to_nowhere(self, tmp_path):
        (tmp_path / "link").symlink_to("nowhere")
        assert self.said(tmp_path / "link" / "run") == (
            f"{tmp_path / 'link'} is a symbolic link to 'nowhere', which is not there. "
            "Make that folder, remove the link, or choose another --out."
        )

    def test_a_name_that_no_file_can_have(self, tmp_path):
        path = tmp_path / ("n" * 300)
        assert re.fullmatch(
            rf".*n' \(length \d+\) can't be used \(OSError: .*\)\. {ADVICE}", self.said(path)
        )
        assert "can't be used (" in self.said(tmp_path / "a\0b")

    def test_a_folder_of_others(self, tmp_path):
        (tmp_path / "run").mkdir()
        check_path(RunDirectory(tmp_path / "run"))
        (tmp_path / "run" / ".results-0123abcd.csv").touch()
        check_path(RunDirectory(tmp_path / "run"))
        (tmp_path / "run" / "thesis.txt").touch()
        assert self.said(tmp_path / "run") == (
            f"{tmp_path / 'run'} is not a run directory (it lacks config.toml, versions.json or "
            f"trials/, and holds thesis.txt). {ADVICE}"
        )
        (tmp_path / "run" / "thesis.txt").rename(tmp_path / "run" / "results.csv")
        (tmp_path / "run" / "results.csv").write_text("mine")
        assert self.said(tmp_path / "run").endswith(f"or trials/). {ADVICE}")


class TestTrials:
    def test_those_with_other_values_are_forgotten(self, directory):
        config = config_of("random", 5)
        records = fill(directory, config, [0.5, 0.4, 0.3])
        assert finished_trials(config, directory) == records
        directory.write_trial(replace(records[0], values={**records[0].values, "units": 5}))
        other = directory.read_trial(0)
        kept = {1: records[1], 2: records[2]}
        assert finished_trials(config, directory) == kept
        assert [*directory.read_trials()] == [0, 1, 2]
        assert finished_trials(config, directory, forget=True) == kept
        assert directory.read_trials() == kept
        assert directory.read_trials(OFF_RECORD) == {0: other}

    def test_one_without_its_model_runs_again_and_no_other(self, directory):
        config = config_of("random", 5)
        records = fill(directory, config, [0.5, 0.4, 0.3])
        directory.best.unlink()
        for forget in (False, True, True):  # the forgotten record is still the best one
            assert finished_trials(config, directory, forget) == {0: records[0], 1: records[1]}
            assert [*directory.read_trials()] == ([0, 1] if forget else [0, 1, 2])
        sign(directory.model_of(2), 2)
        assert finished_trials(config, directory) == {0: records[0], 1: records[1]}

    def test_the_model_of_a_better_one_whose_record_is_lost(self, directory):
        """That trial runs again, and the second best one, which never had a model, does not."""
        config = config_of("random", 5)
        records = fill(directory, config, [0.5, 0.4, 0.3])
        directory.record_of(2).unlink()
        assert [*finished_trials(config, directory, forget=True)] == [0, 1]
        sign(directory.best, 4)
        assert [*finished_trials(config, directory)] == [0, 1]
        sign(directory.best, 5)  # of no trial of this search
        assert finished_trials(config, directory) == {0: records[0]}
        sign(directory.best, 0)  # of a trial on record
        assert finished_trials(config, directory) == {0: records[0]}

    def test_those_of_the_pareto_set_without_a_model(self, directory):
        config = two_objectives(5)
        directory.create(config.as_toml(), {"tfcourse": "0", "keras-tuner": "0"})
        for trial, (score, parameters) in enumerate([(0.5, 10), (0.4, 20), (0.3, 30), (0.6, 40)]):
            record = replace(
                record_of(trial, {"learning_rate": 0.01, "units": 4}),
                score=score,
                parameters=parameters,
            )
            directory.write_trial(record)
        sign(directory.best, 2)
        sign(directory.model_of(0), 0)
        ranking = ranking_on_record(config, directory, directory.read_trials())
        assert [record.trial for record in ranking] == [2, 1, 0, 3]
        assert lost_models(config, directory, ranking) == [1]
        assert [*finished_trials(config, directory)] == [0, 2, 3]
        fewer = two_objectives(1)
        with pytest.raises(InputError) as error:
            finished_trials(fewer, directory)
        assert str(error.value) == (
            f"{directory.path}: the model of a trial of the Pareto set, 1, is lost or damaged, and "
            "of 1 trials it can't be run again. Give --trials 2 (in Python trials=2), or start "
            "over with --fresh."
        )
        sign(directory.best, 4)  # whose record is lost: it runs again, and so does trial 1
        assert [*finished_trials(config, directory)] == [0, 2, 3]
        directory.best.unlink()
        assert [*finished_trials(config, directory)] == [0, 3]
        with pytest.raises(InputError, match=r": the model of the best trial, 2, is lost .* 3 \("):
            finished_trials(fewer, directory)

    @pytest.mark.parametrize("is_forgotten", [False, True])
    def test_are_judged_by_the_limits_of_today(self, directory, is_forgotten):
        """Trial 1 breaks one, so that its model, the best before, is not missed."""
        search = {"name": "protocol", "objective": "val_loss", "trials": 5}
        raw = {"search": search, "training": {"epochs": 9}, "space": SPACE}
        records = fill(directory, parse_config(raw, "protocol", None), [0.5, 0.1])
        for trial, record in records.items():
            directory.write_trial(replace(record, parameters=5 + 10 * trial))
        sign(directory.best, 0)
        if is_forgotten:
            directory.forget_trial(1)
        search |= {"trials": 1, "limits": {"parameters": 10}}
        found = finished_trials(parse_config(raw, "protocol", None), directory)
        expected = {0: "completed"} if is_forgotten else {0: "completed", 1: "infeasible"}
        assert {trial: record.status for trial, record in found.items()} == expected

    def test_a_directory_that_is_not_there(self, directory):
        assert finished_trials(config_of("random", 5), directory) == {}


class TestOtherConfigs:
    def said(self, config, directory):
        with pytest.raises(InputError) as error:
            finished_trials(config, directory)
        return str(error.value)

    def test_are_told_with_what_differs(self, directory):
        config = config_of("random", 5)
        fill(directory, config, [0.5])
        other = parse_config(
            {
                "search": {"name": "protocol", "objective": "val_loss", "trials": 9, "seed": 3},
                "training": {"epochs": 8},
                "space": SPACE,
            },
            "protocol",
            None,
        )
        start_over = "Start over with --fresh, or choose another --out or another name."
        assert self.said(other, directory) == (
            f"{directory.path} holds a search with another config: search.seed is 0 there and 3 "
            f"here; training.epochs is 9 there and 8 here. {start_over}"
        )
        directory.config.write_text("no TOML")
        rest = "and the trials are of a search with another config, or of an unknown one."
        said = f"{directory.config} is not a TOML file, {rest} {start_over}"
        assert self.said(other, directory) == said
        assert [*finished_trials(config, directory)] == [0]
        directory.config.unlink()
        assert self.said(other, directory) == f"{directory.config} is lost, {rest} {start_over}"
        directory.versions.unlink()
        assert [*finished_trials(config, directory)] == [0]
        # A trial of a version without identities may be of any search.
        path = directory.record_of(0)
        path.write_text(json.dumps({**json.loads(path.read_text()), "search": None}))
        assert self.said(config, directory) == f"{directory.config} is lost, {rest} {start_over}"

    def test_keys_of_one_config_alone(self):
        old = {"search": {"a": 1, "nan": float("nan")}, "space": {"b": {"low": 0.5}}}
        new = {"search": {"c": "x", "nan": float("nan")}, "space": {"b": {"low": 0.5}}}
        assert differences(old, new) == [
            "search.a is 1 there and 'not set' here",
            "search.c is 'not set' there and 'x' here",
        ]
        assert differences(old, old) == []

    def test_a_config_that_was_changed_by_hand_is_written_again(self, directory):
        config = config_of("random", 5)
        fill(directory, config, [0.5])
        directory.config.write_text(config.as_toml().replace("seed = 0", "seed = 5"))
        assert differences(read_toml(directory.config), tomllib.loads(config.as_toml()))
        assert [*finished_trials(config, directory)] == [0]

    def test_equal_numbers_are_no_difference(self):
        assert differences({"space": {"low": 1}}, {"space": {"low": 1.0}}) == []

    def test_what_may_change_is_no_difference(self):
        tables = {"search": {"seed": 1, "coarse_to_fine": {"trials_per_round": 3}}}
        grown = {
            "search": {
                "seed": 1,
                "trials": 9,
                "limits": {"parameters": {"most": 3}},
                "ray": {"address": "x"},
                "coarse_to_fine": {"trials_per_round": 3, "rule": "halving", "rounds": "equal"},
            },
            "data": {"path": "elsewhere", "cache": True},
        }
        assert differences(tables, grown) == []
        assert identity(tables) == identity(grown)
        grown["search"]["coarse_to_fine"]["rule"] = "posterior"
        assert differences(tables, grown) == [
            "search.coarse_to_fine.rule is 'not set' there and 'posterior' here"
        ]
        assert identity(tables) != identity(grown)

    def test_an_identity_is_the_same_in_every_version(self):
        """It stands in the files of the trials."""
        tables = {"search": {"seed": 1, "name": "ü"}, "space": {"a": {"values": [1, "b"]}}}
        text = r'{"search.name": "\u00fc", "search.seed": 1, "space.a.values": [1, "b"]}'
        assert identity(tables) == hashlib.sha256(text.encode()).hexdigest()
        reordered = {"space": tables["space"], "search": {"name": "ü", "seed": 1}}
        assert identity(reordered) == identity(tables)
        dates = [{"model": {"since": datetime.date(2026, 1, day)}} for day in (2, 3)]  # of TOML
        assert identity(dates[0]) != identity(dates[1])


class TestVersions:
    def test_a_strategy_of_one_version(self, directory):
        config = config_of("random", 5)
        assert as_recorded(config, directory.path) is config

    def settings(self, config, path):
        found = as_recorded(config, path)
        return found.settings.rounds, found.settings.rule

    def test_with_each_key_alone(self, directory):
        today = config_of("coarse_to_fine", 9)
        text = today.as_toml()
        assert self.settings(today, None) == self.settings(today, directory.path)
        assert self.settings(today, None) == ("halved", "posterior")
        for lost, expected in {
            ("rounds",): ("equal", "posterior"),
            ("rule", "coverage"): ("halved", "halving"),
            ("rounds", "rule", "coverage"): ("equal", "halving"),
            (): ("halved", "posterior"),
        }.items():
            lines = [line for line in text.splitlines() if not line.startswith(lost or "\0")]
            directory.create("\n".join(lines), {"tfcourse": "0"})
            assert self.settings(today, directory.path) == expected
        named = config_of("coarse_to_fine", 9, rounds="halved", rule="posterior")
        assert as_recorded(named, directory.path) is named

    def test_a_key_that_the_config_names_keeps_its_value(self, directory):
        named = config_of("coarse_to_fine", 9, rounds="halved")
        text = "\n".join(
            line
            for line in named.as_toml().splitlines()
            if not line.startswith(("rule", "coverage", "rounds"))
        )
        directory.create(text, {"tfcourse": "0"})
        assert self.settings(named, directory.path) == ("halved", "halving")

    def test_the_record_of_another_strategy(self, directory):
        directory.create(config_of("random", 5).as_toml(), {"tfcourse": "0"})
        today = config_of("coarse_to_fine", 9)
        assert self.settings(today, directory.path) == ("halved", "posterior")
        directory.config.write_text("[data]")
        assert self.settings(today, directory.path) == ("halved", "posterior")
        directory.config.write_text('[search]\nstrategy = "coarse_to_fine"')
        assert self.settings(today, directory.path) == ("equal", "halving")

    @pytest.mark.parametrize(
        "expected", [("halved", "posterior"), ("equal", "posterior"), ("equal", "halving")]
    )
    @pytest.mark.parametrize("kept", ["versions", "trials"])
    def test_without_the_config_by_the_identity(self, directory, expected, kept):
        today = config_of("coarse_to_fine", 9)
        rounds, rule = expected
        then = config_of("coarse_to_fine", 9, rounds=rounds, rule=rule)
        fill(directory, then, [0.5])
        directory.config.unlink()
        if kept == "trials":
            directory.versions.unlink()
        else:
            directory.record_of(0).unlink()
        assert self.settings(today, directory.path) == expected


class TestRepetitions:
    def records(self, *rates):
        values = [{"learning_rate": rate} for rate in rates]
        return {n: TrialRecord(n, "completed", each, 0.5) for n, each in enumerate(values)}

    def test_are_told_in_one_line(self):
        space = {"learning_rate": {"values": [0.01, 0.1, 0.5]}}
        raw = {"search": {"name": "s", "trials": 3}, "space": space}
        space = parse_config(raw, "s.toml", None).space
        assert repetitions("random", space, self.records(0.01, 0.1, 0.5)) == []
        records = self.records(0.01, 0.1, 0.1, 0.01)
        line = (
            "2 trials on record repeat the values of others (trial 2 those of trial 1), as an "
            "earlier version of tfcourse drew them. They stay, and further trials have new "
            "values; --fresh starts over without repetition."
        )
        assert repetitions("random", space, records) == [line]
        assert repetitions("random", space, dict(reversed(records.items()))) == [line]
        for strategy in ("grid", "hyperband"):
            assert repetitions(strategy, space, records) == []
        assert repetitions("random", config_of("random", 5).space, records) == []


class TestLateRecords:
    """Of another machine, which a network file system shows late."""

    @pytest.fixture
    def clock(self, monkeypatch):
        clock = SimpleNamespace(now=5.0, slept=[])

        def sleep(seconds):
            clock.slept.append(seconds)
            assert len(clock.slept) < 100, "it waits without end"
            clock.now += 20 * seconds

        fake = SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep)
        monkeypatch.setattr(visibility, "time", fake)
        return clock

    def test_are_waited_for(self, clock):
        asked, record = [], TrialRecord(3, "failed", {})

        def read(trial):
            asked.append(trial)
            return record if clock.now > 10.0 else None

        assert visibility.await_record(read, 3) is record
        assert asked == [3, 3, 3, 3]
        assert clock.slept == [0.1, 0.1, 0.1]

    def test_for_a_minute(self, clock):
        with pytest.raises(WorkFailedError) as error:
            visibility.await_record(lambda trial: None, 3)
        assert clock.now == 65.0
        assert str(error.value) == (
            "Trial 3 ended, and its record can't be found. All workers must use the chief's run "
            "directory, on storage that they share."
        )


class TestEarlierRuns:
    def summary(self, **fields):
        return Summary(2, "val_loss", 0.3, {"loss": 1.0}, (self.MEASURED,), **fields)

    MEASURED = Measurement(2, 3, {"loss": 1.0})

    def test_are_known_from_the_summary_or_the_trials(self, directory):
        config = config_of("random", 9, {"target": 0.4, "max_seconds": 7.0})
        records = fill(directory, config, [0.5, 0.4, 0.3])
        assert earlier_runs(directory, {}) == EarlierRuns(0.0, 0)
        assert earlier_runs(directory, records) == EarlierRuns(6.0, 0)
        directory.write_summary(self.summary(counted_trials=2, seconds=9.0))
        assert earlier_runs(directory, records) == EarlierRuns(9.0, 2)
        directory.write_summary(self.summary(counted_trials=2, seconds=5.0))
        assert earlier_runs(directory, records) == EarlierRuns(6.0, 2)
        directory.write_summary(self.summary())  # of an earlier version
        assert earlier_runs(directory, records) == EarlierRuns(6.0, 3)
        assert earlier_runs(directory, {}) == EarlierRuns(0.0, 0)

    def test_without_a_test_set(self, directory):
        records = fill(directory, config_of("random", 9), [0.5])
        directory.write_summary(Summary(0, "val_loss", 0.5, {}))
        assert earlier_runs(directory, records) == EarlierRuns(2.0, 0)
        directory.write_summary(
            replace(self.summary(), measurements=(replace(self.MEASURED, trials=None),))
        )
        assert earlier_runs(directory, records) == EarlierRuns(2.0, 0)

    def test_end_a_search(self, directory):
        config = config_of("random", 9, {"max_seconds": 7.0})
        records = fill(directory, config, [0.5, 0.4, 0.3])
        assert stop_on_record(config, directory, records) is None
        directory.write_summary(self.summary(seconds=7.0))
        text = "max_seconds 7 reached after 3 of 9 trials"
        assert stop_on_record(config, directory, records).text == text

    def test_end_a_search_by_an_objective_to_maximize(self, directory):
        search = {"name": "protocol", "objective": "val_accuracy", "trials": 9, "target": 0.9}
        config = parse_config({"search": search, "space": SPACE}, "protocol", None)
        records = fill(directory, config, [0.5, 0.95, 0.99])
        text = "target 0.9 reached by trial 1 of 9"
        assert stop_on_record(config, directory, records).text == text

    def test_those_that_count_are_ranked(self, directory):
        config = config_of("random", 9, {"target": 0.45})
        records = fill(directory, config, [0.5, 0.4, 0.3])
        assert [r.trial for r in ranking_on_record(config, directory, records)] == [1, 0]
        directory.write_summary(self.summary())  # all three counted before there was the target
        assert [r.trial for r in ranking_on_record(config, directory, records)] == [2, 1, 0]

    def test_of_two_with_a_score_the_one_with_the_better_second_objective_is_first(self, directory):
        config = two_objectives(5)
        records = fill(directory, config, [0.5, 0.5])
        records = {n: replace(r, parameters=20 - n) for n, r in records.items()}
        assert [r.trial for r in ranking_on_record(config, directory, records)] == [1, 0]
