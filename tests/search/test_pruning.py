"""Pruning: the rules against Optuna's, the same trials in any order, records, tables, errors."""

import csv
import datetime
import json
import math
from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import keras
import numpy as np
import optuna
import pytest
from hypothesis import given

import tfcourse
from tests.contracts.oracle_contract import Search
from tfcourse import InputError
from tfcourse.search.config.advice import advice
from tfcourse.search.config.load import load_config, parse_config
from tfcourse.search.data.loading import load_split
from tfcourse.search.records.trial_record import TrialRecord, rank
from tfcourse.search.results.search_record import read_record
from tfcourse.search.strategies.evidence import observations_of
from tfcourse.search.strategies.proposals import dependencies, propose
from tfcourse.search.strategies.pruning import Asha, Limit, Median, Pruning, TrialLimits
from tfcourse.search.strategies.study import Memo, by_quality
from tfcourse.search.trials import trial
from tfcourse.search.trials.trial import TrialRunner

EPOCHS = 20
SHIPPED = Path(tfcourse.__file__).parents[1] / "tuner_configs" / "digits_pruning.toml"


def play(pruning, curves, failed=()):
    """The records of trials with these curves, one after the other."""
    records = {}
    for number, curve in enumerate(curves):
        limits = pruning.limits(number, len(curve), records)
        ends = (n for n in range(1, len(curve)) if limits.verdict(curve[:n]) is not None)
        history = {"loss": list(curve[: next(ends, len(curve))])}
        status = "completed" if len(history["loss"]) == len(curve) else "pruned"
        status = "failed" if number in failed else status
        best = max if pruning.direction == "max" else min
        score = None if status == "failed" else best(history["loss"])
        records[number] = TrialRecord(number, status, {}, score, history=history)
    return records


def played_by_optuna(pruner, direction, curves, failed=()):
    """The epochs of each trial in a study with the pruner, which gets the best values so far."""
    study = optuna.create_study(direction=f"{direction}imize", pruner=pruner)
    lengths = []
    for number, curve in enumerate(curves):
        own, pruned = study.ask(), False
        best = np.maximum if direction == "max" else np.minimum
        first = isinstance(pruner, optuna.pruners.SuccessiveHalvingPruner)
        for step, value in enumerate(best.accumulate(curve), int(first)):
            own.report(value, step)
            if step - first < len(curve) - 1 and own.should_prune():
                pruned = True
                break
        states = optuna.trial.TrialState
        state = states.PRUNED if pruned else states.COMPLETE
        state = states.FAIL if number in failed else state
        study.tell(own, float(value) if state is states.COMPLETE else None, state=state)
        lengths.append(step - first + 1)
    return lengths


def random_curves(seed, trials=40):
    random = np.random.default_rng(seed)
    ends, rates = random.uniform(0.1, 1.0, (2, trials, 1))
    noise = 0.1 * random.normal(size=(trials, EPOCHS))
    curves = ends + 2 * np.exp(-rates * np.arange(EPOCHS)) + noise
    return np.round(curves, 1 + seed % 3)  # with ties


@pytest.fixture(autouse=True)
def quiet_optuna():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.mark.parametrize("direction", ["min", "max"])
@pytest.mark.parametrize("seed", range(4))
class TestTheRulesOfOptuna:
    @pytest.mark.parametrize(("factor", "least"), [(3, 1), (2, 2), (4, 1)])
    def test_successive_halving(self, seed, direction, factor, least):
        pruner = optuna.pruners.SuccessiveHalvingPruner(least, factor, 0)
        curves = random_curves(seed) * (1 if direction == "min" else -1)
        records = play(Pruning(Asha(factor, least), 1, "loss", direction), curves)
        lengths = [len(record.history["loss"]) for record in records.values()]
        assert lengths == played_by_optuna(pruner, direction, curves)
        assert {1, EPOCHS} <= {*lengths} if least == 1 else EPOCHS in lengths

    @pytest.mark.parametrize(("warmup", "startup", "interval"), [(0, 5, 1), (3, 2, 4), (1, 1, 5)])
    def test_median(self, seed, direction, warmup, startup, interval):
        pruner = optuna.pruners.MedianPruner(startup, warmup, interval)
        curves = random_curves(seed) * (1 if direction == "min" else -1)
        rule = Median(warmup, startup, interval)
        records = play(Pruning(rule, 1, "loss", direction), curves, failed={2, 7})
        lengths = [len(record.history["loss"]) for record in records.values()]
        assert lengths == played_by_optuna(pruner, direction, curves, failed={2, 7})
        assert 5 < sum(record.status == "pruned" for record in records.values()) < 39


@given(
    seed=st.integers(0, 10**6),
    rule=st.sampled_from([Asha(), Asha(2, 3), Median(), Median(2, 3, 4)]),
    parallel=st.integers(1, 9),
    direction=st.sampled_from(["min", "max"]),
)
def test_the_best_of_all_is_never_pruned(seed, rule, parallel, direction):
    records = play(Pruning(rule, parallel, "loss", direction), random_curves(seed), failed={0, 9})
    others = [record.score for record in records.values() if record.status == "pruned"]
    best = rank(records.values(), direction)[0]
    assert best.status == "completed"
    assert all(best.score >= s if direction == "max" else best.score <= s for s in others)


SPACE = {
    "learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"},
    "units": {"low": 32, "high": 128, "step": 32},
}


def config(strategy="random", trials=24, pruning=None, search=None, training=None, space=None):
    pruning = {"rule": "asha", **(pruning or {})}
    search = {"name": "pruned", "objective": "val_loss", "strategy": strategy, **(search or {})}
    tables = {"search": {**search, "trials": trials, "pruning": pruning}}
    tables |= {"training": {"epochs": 9, **(training or {})}, "space": space or SPACE}
    return parse_config(tables, "search.toml", None)


class Pruned(Search):
    """The scheduler and workers of a search whose trials have curves by a formula."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.memo = Memo()

    def end(self, worker):
        number = self.running[worker]
        self.running[worker] = None
        study = self.config.study
        values = dict(propose(study, number, self.records, self.memo))
        known = {n: self.records[n] for n in dependencies(study, number)}
        limits = study.pruning.limits(number, 9, known)
        slope, end = values["learning_rate"], abs(np.log10(values["learning_rate"]) + 2)
        curve, reason = [], None
        while len(curve) < 9 and reason is None:
            curve.append(float(end + values["units"] / 1e3 + np.exp(-slope * len(curve))))
            reason = limits.verdict(curve)
        status = "completed" if reason is None else "pruned"
        record = TrialRecord(
            number, status, values, min(curve), message=reason or "", history={"val_loss": curve}
        )
        self.records[number] = record
        self.scheduler.end(number)


def outcome(records):
    return {n: (records[n].values, records[n].status, records[n].message) for n in sorted(records)}


STRATEGIES = {
    "random": ("asha", {}),
    "coarse_to_fine": ("median", {"trials_per_round": 7}),
    "gp": ("asha", {"parallel": 3, "initial": 12}),
    "tpe": ("median", {"parallel": 2, "initial": 4}),
}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_same_trials_in_any_order_interrupted_or_extended(strategy):
    rule, settings = STRATEGIES[strategy]
    own = {"search": {strategy: settings}} if settings else {}
    found = config(strategy, pruning={"rule": rule}, **own)
    alone = Pruned(found).run()
    statuses = [record.status for record in alone.values()]
    assert 2 < statuses.count("pruned") < 21
    for workers, by_program in ((2, True), (5, False)):
        search = Pruned(found, workers=workers, order=workers, by_program=by_program)
        assert outcome(search.run()) == outcome(alone)
    part = Pruned(found, workers=3, order=1).run(20)
    assert 2 < len(part) < 24
    assert outcome(Pruned(found, part, workers=2).run()) == outcome(alone)
    shorter = Pruned(config(strategy, 10, pruning={"rule": rule}, **own), workers=2).run()
    assert outcome(Pruned(found, shorter).run()) == outcome(alone)


def test_a_pruned_trial_counts_with_its_score_for_strategies_that_learn():
    scores = {0: 0.5, 1: 0.2, 2: None, 3: 0.3, 4: math.inf}
    statuses = ["completed", "pruned", "failed", "completed", "completed"]
    records = {n: TrialRecord(n, statuses[n], {}, score) for n, score in scores.items()}
    for direction, order in (("min", [1, 3, 0]), ("max", [0, 3, 1])):
        good, others = by_quality(records, direction)
        assert [record.trial for record in good] == order
        assert [record.trial for record in others] == [2, 4]
    losses = [loss for _, loss in observations_of(records, "min")]
    assert losses == [0.5, 0.2, None, 0.3, None]
    losses = [loss for _, loss in observations_of(records, "max")]
    assert losses == [-0.5, -0.2, None, -0.3, None]


def test_failed_trials_are_compared_with_none():
    history = {"loss": [0.1, 0.1, 0.1]}
    failed = {n: TrialRecord(n, "failed", {}, history=history) for n in range(8)}
    for rule in (Asha(), Median()):
        assert Pruning(rule, 1, "loss", "min").limits(8, 3, failed).by_epoch == {}


@pytest.mark.parametrize("rule", [Asha(), Median()])
def test_trials_that_are_only_slow_are_compared_with_as_completed_ones(rule):
    """Else the times of a machine would decide which trials are pruned."""
    pruning = Pruning(rule, 1, "loss", "min", trainings=2)
    completed = {
        n: TrialRecord(
            n, "completed", {}, scores=[n, 2.0 * n + 1], history={"loss": [n + 1.0, float(n)]}
        )
        for n in range(8)
    }
    slow = {n: replace(r, status="infeasible", is_slow=n > 2) for n, r in completed.items()}
    fast = {n: r if n > 2 else slow[n] for n, r in completed.items()}
    limits = pruning.limits(8, 2, slow)
    assert limits == pruning.limits(8, 2, fast)
    assert limits.by_epoch
    assert limits.shifts
    assert limits != pruning.limits(8, 2, {n: replace(slow[n], is_slow=False) for n in slow})


def test_a_trial_waits_for_those_it_is_compared_with_and_for_no_others():
    study = config(pruning={"rule": "median", "startup_trials": 3, "parallel": 4}).study
    assert [len(dependencies(study, n)) for n in range(9)] == [0, 0, 0, 3, 3, 3, 3, 7, 7]
    start = [{"units": 64}] * 6
    study = config(pruning={"parallel": 2}, search={"start": start}).study
    assert [len(dependencies(study, n)) for n in range(5)] == [0, 0, 2, 2, 4]


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"pruning": {"rule": "best"}}, r'\[search.pruning\] rule must be one of "asha", "median"'),
        (
            {"pruning": {"factor": 3}},
            r"\[search.pruning\] factor is not a known key\. .*Known: rule",
        ),
        (
            {"pruning": {"interval": 2}},
            r'\[search.pruning\] interval is for rule "median" only\. Received: "asha"\.',
        ),
        (
            {"pruning": {"min_epochs": 9}},
            r"\[search.pruning\] min_epochs must be < 9, as trials train at most 9 epochs and are "
            r"compared after epoch 9 first\. Received: 9\. Lower it, or give \[training\] more",
        ),
        (
            {"pruning": {"rule": "median", "warmup_epochs": 8}},
            r"\[search.pruning\] warmup_epochs must be < 8, .* after epoch 9 first\. Received: 8\.",
        ),
        (
            {"training": {"epochs": 1}},
            r"\[search.pruning\] needs trials of at least 2 epochs, .*\. Received: 1\. Leave it",
        ),
        (
            {"strategy": "hyperband"},
            r'\[search.pruning\] is not possible with strategy "hyperband", which ends trials by a '
            r"schedule of its own\. Leave it out, or use another strategy\.",
        ),
    ],
)
def test_what_is_refused(tables, said):
    with pytest.raises(InputError, match=said):
        config(**tables)


def test_searched_epochs_count_and_what_has_no_effect_is_said():
    epochs = {"epochs": {"low": 5, "high": 30}}
    assert config(pruning={"min_epochs": 20}, space={**SPACE, **epochs}).trials == 24
    with pytest.raises(InputError, match=r"must be < 12, as trials train at most 12 epochs"):
        config(pruning={"min_epochs": 12}, space={**SPACE, "epochs": {"values": [4, 12]}})
    found = config(trials=5, pruning={"rule": "median"}, search={"workers": 8})
    assert advice(found) == [
        "[search.pruning] parallel = 4: after the first trials no more run at a time. With "
        "workers = 8, set it to 8.",
        "[search.pruning] compares no trial before trial 5. With trials = 5 it has no effect.",
    ]
    others = [config("gp"), config(search={"caviar": "population"}), load_config(SHIPPED)]
    assert [line.partition(":")[0] for found in others for line in advice(found)] == [
        '[search.pruning] with strategy "gp"',
        '[search.pruning] saves little time with caviar = "population"',
    ]


class TestASearch:
    @pytest.fixture
    def make(self, quick):
        space = {"learning_rate": {"low": 1e-3, "high": 1.0, "scale": "log"}}

        def search(trials=8, **settings):
            pruning = {"rule": "asha", "min_epochs": 2, "reduction_factor": 2, "parallel": 2}
            settings = {"objective": "val_loss", "pruning": pruning, **settings}
            return quick(space=space, search={"trials": trials, **settings}, training={"epochs": 5})

        return search

    def test_records_tables_and_findings(self, make):
        result = make().run(verbose=False)
        pruned = [record for record in result.trials.values() if record.status == "pruned"]
        assert 2 <= len(pruned) < 6
        for record in pruned:
            epochs = len(record.history["val_loss"])
            assert epochs in (2, 4)
            assert record.epochs_saved == 5 - epochs
            assert record.score == min(record.history["val_loss"])
            said = f"val_loss {record.score:.4g} by epoch {epochs} is not "
            assert record.message.startswith(said)
        assert all(r.status == "completed" for r in result.ranking)
        assert len(result.ranking) == 8 - len(pruned)
        saved = sum(record.epochs_saved for record in pruned)
        said = f"{len(pruned)} of 8 trials were pruned, which saved {saved} of 40 epochs."
        assert said in result.findings
        assert said in str(result)
        assert "failed" not in str(result)
        summary = json.loads((result.directory / "summary.json").read_text())
        assert (summary["pruned"], summary["epochs_saved"]) == (len(pruned), saved)
        rows = [*csv.DictReader((result.directory / "results.csv").read_text().splitlines())]
        assert [row["status"] for row in rows] == [r.status for r in result.trials.values()]
        assert read_record(result.directory).counts["pruned"] == len(pruned)

    def test_interrupted_or_extended_it_has_the_same_trials(self, make, tmp_path):
        def statuses(search):
            return [
                (r.status, r.score, r.message) for r in search.run(verbose=False).trials.values()
            ]

        whole = make()
        table = whole.config.search.model_copy(update={"trials": 5})
        config = replace(whole.config, search=table)
        expected = statuses(whole)
        tfcourse.Search(config, tmp_path / "other").run(verbose=False)
        for number in (1, 3):
            (tmp_path / "other" / "quick" / "trials" / f"{number:04d}.json").unlink()
        assert statuses(tfcourse.Search(whole.config, tmp_path / "other")) == expected

    def test_accuracy_and_every_model(self, make):
        result = make(objective="val_accuracy", checkpoints="all", seed=1).run(verbose=False)
        assert any("val_accuracy" in record.message for record in result.trials.values())
        assert len(list((result.directory / "models").iterdir())) == 8

    def test_a_population_prunes_the_same_trials(self, make):
        alone, together = make(name="alone"), make(name="together", caviar="population")
        expected, found = (s.run(verbose=False).trials for s in (alone, together))
        assert [(r.status, len(r.history["loss"])) for r in found.values()] == [
            (r.status, len(r.history["loss"])) for r in expected.values()
        ]
        assert {record.status for record in found.values()} == {"completed", "pruned"}


@pytest.mark.parametrize("after", [1, 3])
def test_a_trial_resumed_in_the_middle_is_pruned_at_the_same_epoch(
    quick, monkeypatch, tmp_path, after
):
    """Its best value is that of an epoch before the interruption, and the limit is at epoch 4."""
    found = quick(training={"epochs": 6}, search={"objective": "val_loss"}).config
    monkeypatch.setattr(trial, "SAVE_EVERY", datetime.timedelta(microseconds=1))
    limits = TrialLimits("val_loss", "min", 6, {4: Limit(-1.0, "is behind")})
    callbacks = trial.trial_callbacks

    def run(stop, folder):
        def on_epoch_begin(epoch, logs):
            if epoch == stop:
                raise KeyboardInterrupt

        interrupt = keras.callbacks.LambdaCallback(on_epoch_begin=on_epoch_begin)
        monkeypatch.setattr(trial, "trial_callbacks", lambda *a: [*callbacks(*a), interrupt])
        runner = TrialRunner(found, load_split(found), "main", folder, lambda *_: limits)
        return runner.run(1, {"learning_rate": 0.05})[0]

    expected = run(None, None)
    assert (expected.status, len(expected.history["loss"])) == ("pruned", 4)
    assert expected.epochs_saved == 2
    with pytest.raises(KeyboardInterrupt):
        run(after, tmp_path / "checkpoints")
    record = run(None, tmp_path / "checkpoints")
    assert replace(record, seconds=0.0) == replace(expected, seconds=0.0)


def test_a_rung_names_the_place_that_a_trial_lacks():
    losses = [0.5, 0.1, 0.3, 0.2, 0.4, 0.6, 0.7, 0.8]
    rule = Asha(reduction_factor=3)
    assert rule.limit(losses[:1]) == (0.5, "is not the best of 2 trials")
    assert rule.limit(losses[:5]) == (0.2, "is not among the best 2 of 6 trials")
    assert rule.limit(losses) == (0.3, "is not among the best 3 of 9 trials")
    assert rule.limit([]) is None
