"""Pruning with folds and repeats: by the epochs of the first training, then by the mean so far."""

import csv
import datetime
from dataclasses import replace

import hypothesis.strategies as st
import keras
import numpy as np
import optuna
import pytest
from hypothesis import given

from tests.search.test_pruning import config, random_curves
from tfcourse import InputError
from tfcourse.report.study import as_trials
from tfcourse.search.best.trial import read_trial
from tfcourse.search.data.loading import load_split
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.strategies.evidence import observations_of
from tfcourse.search.strategies.proposals import propose
from tfcourse.search.strategies.pruning import Asha, Limit, Median, Pruning, TrialLimits
from tfcourse.search.strategies.study import Memo, by_quality
from tfcourse.search.trials import trial as trial_module
from tfcourse.search.trials.scoring import combine, score_history
from tfcourse.search.trials.trial import TrialRunner

EPOCHS, TRAININGS = 20, 5


def train(pruning, trial, curves, records):
    """The record of a trial of several trainings with these curves."""
    limits, results = pruning.limits(trial, EPOCHS, records), []
    for curve in curves:
        ends = (n for n in range(1, EPOCHS) if not results and limits.verdict(curve[:n]))
        history = {"loss": list(curve[: next(ends, EPOCHS)])}
        earlier = [result["score"] for result in results]
        results.append(score_history(history, "loss", pruning.direction, limits, earlier))
        if results[-1]["status"] == "pruned":
            break
    return TrialRecord(trial, values={}, **combine(results, "loss"))


def play(rule, direction, trials=40, seed=0, parallel=1):
    """Trials whose trainings have curves by a formula: their records, and the curves."""
    pruning = Pruning(rule, parallel, "loss", direction, TRAININGS)
    curves = np.stack([random_curves(seed + n, trials) for n in (0, 3, 6, 9, 12)], axis=1)
    # The same trial in each fold but for noise.
    curves = np.round(curves[:, :1] + 0.05 * (curves - curves.mean(0)), 3)
    curves *= 1 if direction == "min" else -1
    records = {}
    for trial in range(trials):
        records[trial] = train(pruning, trial, curves[trial], records)
    return records, curves


def running(curves, direction):
    """The values by which a trial is compared, in order, and the epochs before each."""
    best = np.minimum if direction == "min" else np.maximum
    ends = best.reduce(curves, axis=1)
    values = [*best.accumulate(curves[0])[:-1], *(np.cumsum(ends) / np.arange(1, TRAININGS + 1))]
    return values, [*range(1, EPOCHS), *(EPOCHS * n for n in range(1, TRAININGS + 1))]


@pytest.fixture(autouse=True)
def quiet_optuna():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.mark.parametrize("direction", ["min", "max"])
@pytest.mark.parametrize(("factor", "least"), [(3, 1), (2, 2), (4, 7), (2, 30)])
def test_successive_halving_is_optunas(direction, factor, least):
    """Optuna's is told the running means at the numbers of epochs so far."""
    records, curves = play(Asha(factor, least), direction)
    pruner = optuna.pruners.SuccessiveHalvingPruner(least, factor, 0)
    study = optuna.create_study(direction=f"{direction}imize", pruner=pruner)
    states = optuna.trial.TrialState
    for trial, record in records.items():
        own, pruned = study.ask(), False
        values, steps = running(curves[trial], direction)
        for value, step in zip(values, steps, strict=True):
            own.report(value, step)
            if pruned := step < TRAININGS * EPOCHS and own.should_prune():
                break
        study.tell(own, None if pruned else value, state=states.PRUNED if pruned else None)
        assert (record.status == "pruned") == pruned
        assert record.epochs_trained == step
        assert record.epochs_saved == TRAININGS * EPOCHS - step
    assert {TRAININGS} < {len(record.scores) for record in records.values()}


@pytest.mark.parametrize("direction", ["min", "max"])
@pytest.mark.parametrize(("warmup", "interval"), [(0, 1), (2, 7), (25, 1), (3, 50)])
def test_the_median_is_that_of_the_completed_trials_at_the_same_place(direction, warmup, interval):
    rule = Median(warmup, 5, interval)
    records, curves = play(rule, direction, parallel=3)
    due = {warmup + 1 + interval * n for n in range(100)}
    for trial, record in records.items():
        values, steps = running(curves[trial], direction)
        others = [
            running(curves[n], direction)[0]
            for n in range(0 if trial < 5 else 5 + (trial - 5) // 3 * 3)
            if records[n].status == "completed"
        ]
        expected = TRAININGS * EPOCHS
        for place, (value, step) in enumerate(zip(values[:-1], steps[:-1], strict=True)):
            before = steps[place - 1] if place else 0
            if not due & {*range(before + 1, step + 1)} or len(others) < 5:
                continue
            median = np.median([other[place] for other in others])
            if value > median if direction == "min" else value < median:
                expected = step
                break
        assert record.epochs_trained == expected
    counts = [len(record.scores) for record in records.values()]
    assert len({*counts}) > 1


@given(
    rule=st.sampled_from([Asha(), Asha(2, 3), Asha(3, 5), Median(), Median(4, 3, 7)]),
    after=st.integers(0, 120),
    length=st.integers(1, 30),
)
def test_a_stretch_of_epochs_is_compared_if_one_of_them_is(rule, after, length):
    single = [rule.compares(n - 1, n) for n in range(after + 1, after + length + 1)]
    assert rule.compares(after, after + length) == any(single)


def test_one_training_has_the_limits_of_its_epochs_alone():
    curves = random_curves(1)
    records = {
        n: TrialRecord(n, "completed", {}, min(c), history={"loss": list(c)})
        for n, c in enumerate(curves)
    }
    found = Pruning(Median(), 1, "loss", "min").limits(30, EPOCHS, records)
    assert found.by_epoch.keys() == {*range(1, EPOCHS)}
    assert (found.trainings, found.by_training) == (1, {})


class TestTheResult:
    LIMITS = TrialLimits("loss", "min", 3, {2: Limit(0.5, "is behind")}, 3, {2: Limit(0.3, "is")})

    def results(self, *curves):
        results = []
        for curve in curves:
            earlier = [result["score"] for result in results]
            results.append(score_history({"loss": curve}, "loss", "min", self.LIMITS, earlier))
        return combine(results, "loss")

    def test_pruned_in_the_first_training(self):
        found = self.results([0.9, 0.7])
        assert found["message"] == "loss 0.7 by epoch 2 is behind: 0.5."
        assert (found["status"], found["epochs_saved"], "scores" in found) == ("pruned", 7, False)

    def test_pruned_after_a_training(self):
        found = self.results([0.4, 0.3, 0.2], [0.9, 0.8, 0.7])
        assert found["message"] == "loss 0.45 after 2 of 3 trainings is: 0.3."
        assert (found["status"], found["epochs_saved"]) == ("pruned", 3)
        assert found["scores"] == [0.2, 0.7]
        assert found["score"] == pytest.approx(0.45)
        assert found["score_std"] == pytest.approx(np.std([0.2, 0.7], ddof=1))
        assert found["curves"] == [[0.4, 0.3, 0.2], [0.9, 0.8, 0.7]]

    def test_a_later_training_has_no_limits_by_epoch(self):
        found = self.results([0.4, 0.3, 0.2], [0.4, 0.9, 0.9], [0.1, 0.7, 0.8])
        assert (found["status"], "message" in found) == ("completed", False)

    def test_a_single_training_that_ended_counts_as_one(self):
        limits = replace(self.LIMITS, by_training={1: Limit(0.1, "is")})
        found = combine([score_history({"loss": [0.4, 0.3, 0.2]}, "loss", "min", limits)], "loss")
        assert (found["scores"], found["epochs_saved"]) == ([0.2], 6)
        assert "score_std" not in found


def pruned(trial, scores, expected=None, score=None):
    mean = score if score is not None else float(np.mean(scores))
    return TrialRecord(trial, "pruned", {"x": trial}, mean, scores=scores, expected_score=expected)


def test_strategies_learn_from_what_a_score_would_be_after_all_folds():
    """The first fold is easy: a bad trial that was pruned after it is not the best of all."""
    folds = np.array([0.1, 0.3, 0.5])
    records = {
        n: TrialRecord(
            n, "completed", {"x": n}, float(np.mean(folds + n / 10)), scores=list(folds + n / 10)
        )
        for n in range(3)
    }
    records[3] = TrialRecord(3, "failed", {"x": 3})
    records[4] = pruned(4, [0.9])
    found = Pruning(Asha(), 1, "loss", "min", 3).limits(5, 4, records)
    assert found.shifts == {1: pytest.approx(0.2), 2: pytest.approx(0.1)}
    limits = replace(found, by_training={2: Limit(0.1, "is")}, by_epoch={2: Limit(0.1, "is")})
    first = score_history({"loss": [0.9, 0.25]}, "loss", "min", limits)
    later = score_history({"loss": [0.9, 0.45]}, "loss", "min", limits, [0.25])
    assert first["expected_score"] == pytest.approx(0.45)
    assert later["expected_score"] == pytest.approx(0.45)
    records[5] = pruned(5, [0.25, 0.45], later["expected_score"])
    assert records[5].score < records[1].score
    assert [r.trial for r in by_quality(records, "min")[0]] == [0, 1, 5, 2, 4]
    assert [loss for _, loss in observations_of(records, "min")][3:5] == [None, 0.9]
    assert Pruning(Asha(), 1, "loss", "min", 1).limits(5, 4, records).shifts == {}
    assert Pruning(Asha(), 4, "loss", "min", 3).limits(3, 4, {}).shifts == {}


@pytest.mark.parametrize(
    ("strategy", "settings"),
    [
        ("bayesian", {"initial": 4, "parallel": 4}),
        ("tpe", {"initial": 4, "parallel": 4}),
        ("gp", {"initial": 4, "parallel": 4}),
    ],
)
def test_each_of_them_does(strategy, settings):
    search = {strategy: settings}
    study = config(strategy, trials=9, search=search, training={"folds": 3}).study
    records, memo = {}, Memo()
    for n in range(4):
        values = propose(study, n, records, memo)
        records[n] = TrialRecord(n, "completed", values, 0.4 - n / 10, scores=[0.4 - n / 10] * 3)

    def proposed(record):
        known, memo = {**records, 3: record}, Memo()
        return [propose(study, n, known, memo) for n in range(4, study.pruning.parallel + 4)]

    behind = replace(records[3], status="pruned", scores=records[3].scores[:1])
    assert proposed(replace(behind, expected_score=0.9)) == proposed(replace(behind, score=0.9))
    assert proposed(behind) != proposed(replace(behind, score=0.9))


def test_optuna_gets_the_means_that_trials_were_compared_by():
    curve = [0.9, 0.3, 0.5]
    records = [
        TrialRecord(0, "pruned", {}, 0.3, history={"loss": curve[:2]}),
        replace(pruned(1, [0.3]), values={}, history={"loss": curve}),
        replace(pruned(2, [0.3, 0.7]), values={}, curves=[curve, [0.7, 0.8, 0.9]]),
        # Without pruning there are no curves: the mean by epoch.
        TrialRecord(3, "completed", {}, 0.3, history={"loss": curve}, scores=[0.2, 0.4]),
    ]
    found = [trial.intermediate_values for trial in as_trials({}, records, "loss")]
    assert found == [
        {1: 0.9, 2: 0.3},
        {1: 0.9, 2: 0.3, 3: 0.3},
        {1: 0.9, 2: 0.3, 3: 0.3, 6: 0.5},
        {1: 0.9, 2: 0.3, 3: 0.5},
    ]


def test_what_is_refused_counts_all_trainings():
    with pytest.raises(InputError) as error:
        config(pruning={"min_epochs": 19}, training={"folds": 3})
    assert (
        "[search.pruning] min_epochs must be < 19, as trials train at most 3 times 9 epochs and "
        "are compared after epoch 19 first. Received: 19. Lower it, or give [training] more epochs."
    ) in str(error.value)
    assert config(pruning={"min_epochs": 18}, training={"folds": 3}).trials == 24
    assert config(training={"epochs": 1, "repeats": 2}).trials == 24
    with pytest.raises(InputError, match=r'caviar = "population" is not possible with .*folds = 3'):
        config(training={"folds": 3}, search={"caviar": "population"})


class TestASearch:
    @pytest.fixture
    def make(self, quick):
        space = {"learning_rate": {"low": 1e-3, "high": 1.0, "scale": "log"}}

        def search(trials=10, training=None, **settings):
            pruning = {"rule": "median", "warmup_epochs": 1, "startup_trials": 2, "parallel": 2}
            settings = {"objective": "val_loss", "pruning": pruning, "seed": 1, **settings}
            training = {"epochs": 3, "folds": 3, **(training or {})}
            return quick(space=space, search={"trials": trials, **settings}, training=training)

        return search

    def test_records_tables_findings_and_the_trials_of_an_interrupted_one(self, make, tmp_path):
        search = make()
        result = search.run(verbose=False)
        trials = result.trials
        pruned = [record for record in trials.values() if record.status == "pruned"]
        by_epoch = [record for record in pruned if not record.scores]
        by_training = [record for record in pruned if record.scores]
        assert by_epoch
        assert by_training
        for record in by_epoch:
            assert record.epochs_saved == 9 - len(record.history["loss"])
            assert record.message.endswith("(fold 1 of 3)")
            assert record.score_std is None
        completed_before = [r for r in trials.values() if r.trial < 2 and r.status == "completed"]
        assert len(completed_before) == 2
        for record in pruned:
            assert abs(record.expected_score - record.score) < 0.2
        for record in by_training:
            count = len(record.scores)
            said = f"val_loss {np.mean(record.scores):.4g} after {count} of 3 trainings is worse "
            assert record.message.startswith(said)
            assert record.message.endswith(f"(fold {count} of 3)")
            assert record.epochs_saved == 9 - 3 * count
        assert all(r.status == "completed" and len(r.scores) == 3 for r in result.ranking)
        saved = sum(record.epochs_saved for record in pruned)
        said = f"{len(pruned)} of 10 trials were pruned, which saved {saved} of 90 epochs."
        assert said in result.findings
        rows = [*csv.DictReader((result.directory / "results.csv").read_text().splitlines())]
        assert [row["message"] for row in rows] == [r.message for r in trials.values()]

        def outcome(records):
            return {n: replace(r, seconds=0.0, worker="") for n, r in records.items()}

        for number in (2, 5, 9):
            (result.directory / "trials" / f"{number:04d}.json").unlink()
        again = search.run(verbose=False)
        assert outcome(again.trials) == outcome(trials)
        assert again.best.trial == result.best.trial

        # What shows them.
        for record in (by_epoch[0], by_training[-1]):
            view = read_trial(result.directory, record.trial)
            assert f"# pruned          {record.message}\n" in view.text()
            assert ("its first training trains to its end" in view.training) == (not record.scores)
            done = f"The search pruned it after {len(record.scores)} of 3 trainings, "
            assert (done in view.training) == bool(record.scores)
            assert f'sum(scores) / len(scores), "on record:", {record.score!r}' in view.training
        exported = {
            t.user_attrs["trial"]: t
            for t in as_trials(search.config.space, trials.values(), "val_loss")
        }
        for number, record in trials.items():
            own = exported[number].intermediate_values
            assert max(own) == record.epochs_trained
            assert own[max(own)] == pytest.approx(
                record.score if record.scores else record.history["val_loss"][-1]
            )
            assert {1, 2} <= own.keys() or record in by_epoch
            if len(record.scores) == 3:
                assert own.keys() == {1, 2, 3, 6, 9}
                assert own[6] == pytest.approx(np.mean(record.scores[:2]))

    def test_with_repeats_and_early_stopping(self, make):
        stopping = {"patience": 1, "monitor": "val_loss"}
        result = make(
            training={"folds": 1, "repeats": 3, "epochs": 5, "early_stopping": stopping}
        ).run(verbose=False)
        statuses = {record.status for record in result.trials.values()}
        assert statuses == {"completed", "pruned"}
        for record in result.trials.values():
            assert record.epochs_trained + record.epochs_saved <= 15


@pytest.mark.parametrize("after", [1, 5, 7])
def test_a_trial_resumed_in_the_middle_of_a_fold_is_pruned_at_the_same_one(
    quick, monkeypatch, tmp_path, after
):
    training = {"epochs": 4, "folds": 3}
    found = quick(training=training, search={"objective": "val_loss"}).config
    monkeypatch.setattr(trial_module, "SAVE_EVERY", datetime.timedelta(microseconds=1))
    # The limit by epoch is that of the first training alone: the second one is behind it.
    by_epoch, by_training = {1: Limit(1.4, "is worse")}, {2: Limit(-1.0, "is behind")}
    limits = TrialLimits("val_loss", "min", 4, by_epoch, 3, by_training)
    callbacks, begun = trial_module.trial_callbacks, []

    def run(stop, folder):
        begun.clear()

        def on_epoch_begin(epoch, logs):
            if len(begun) == stop:
                raise KeyboardInterrupt
            begun.append(epoch)

        epochs = keras.callbacks.LambdaCallback(on_epoch_begin=on_epoch_begin)
        monkeypatch.setattr(trial_module, "trial_callbacks", lambda *a: [*callbacks(*a), epochs])
        runner = TrialRunner(found, load_split(found), "main", folder, lambda *_: limits)
        return runner.run(1, {"learning_rate": 0.05})[0]

    expected = run(None, None)
    assert (expected.status, len(expected.scores), expected.epochs_saved) == ("pruned", 2, 4)
    assert expected.curves[0][0] < 1.4 < expected.curves[1][0]
    assert expected.message.endswith("after 2 of 3 trainings is behind: -1. (fold 2 of 3)")
    with pytest.raises(KeyboardInterrupt):
        run(after, tmp_path / "checkpoints")
    record = run(None, tmp_path / "checkpoints")
    assert len(begun) == 8 - after
    assert replace(record, seconds=0.0) == replace(expected, seconds=0.0)
