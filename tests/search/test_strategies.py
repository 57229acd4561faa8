"""Each strategy keeps to the oracles' contract, and does what is its own."""

import json
import statistics

import numpy as np
import pytest
from keras_tuner import Objective
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.oracles import HyperbandOracle

from tests.contracts.oracle_contract import SPACE, OracleContract, Search, ended, values_of
from tfcourse import Search as TfcourseSearch
from tfcourse.errors import InputError
from tfcourse.search.config.load import load_config, parse_config
from tfcourse.search.config.strategy_tables import GpTable
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.tables import rounds_table, space_table
from tfcourse.search.runtime import execution
from tfcourse.search.space.parameters import Choice, Range
from tfcourse.search.space.sampling import sample
from tfcourse.search.strategies.coarse_to_fine import rounds_on_record
from tfcourse.search.strategies.grid import grid_problems, grid_size, grid_values
from tfcourse.search.strategies.proposals import propose
from tfcourse.search.strategies.quasi_random import quasi_random
from tfcourse.search.strategies.study import Memo, Study


class TestRandom(OracleContract):
    strategy = "random"


class TestQuasiRandom(OracleContract):
    strategy = "quasi_random"

    def test_the_points_are_haltons(self, undisturbed):
        space = self.config().space
        for trial, record in undisturbed.items():
            assert record.values == quasi_random(space, 0, trial)

    def test_a_discrete_space_has_each_configuration_once(self):
        space = {name: Choice((1, 2, 3)) for name in "abc"}
        study = Study("quasi_random", None, space, 0, "min", 27, 1)
        memo, points = Memo(), [propose(study, trial, {}) for trial in range(27)]
        assert len({json.dumps(point) for point in points}) == 27
        assert points == [propose(study, trial, {}, memo) for trial in range(27)]


class TestCoarseToFine(OracleContract):
    strategy = "coarse_to_fine"
    settings = {"trials_per_round": 5}
    waits = True

    def test_the_first_round_is_quasi_random(self, undisturbed):
        config = self.config()
        for trial in range(5):
            assert undisturbed[trial].values == quasi_random(config.space, 0, trial)

    def test_one_trial_in_four_looks_everywhere(self, undisturbed):
        config = self.config()
        for trial in (7, 11, 15, 19, 23):
            points = [quasi_random(config.space, 0, 64 * trial + k) for k in range(64)]
            assert undisturbed[trial].values in points
        found = [r.get("everywhere") for r in rounds_on_record(config.study, undisturbed)]
        assert found == [None, [7], [11], [15], [19], [23]]

    def test_later_rounds_grow(self):
        config = self.config(trials=100)
        records = {
            trial: TrialRecord(trial, "completed", quasi_random(config.space, 0, trial), 1.0)
            for trial in range(100)
        }
        places = [
            (r["first_trial"], r["last_trial"]) for r in rounds_on_record(config.study, records)
        ]
        fours = [(first, first + 3) for first in range(5, 65, 4)]
        eights = [(first, first + 7) for first in range(65, 97, 8)]
        assert places == [(0, 4), *fours, *eights, (97, 99)]

    def test_a_round_waits_for_the_one_before(self):
        search = Search(self.config(), workers=6)
        for worker in range(5):
            search.begin(f"worker{worker}")
        search.begin("worker5")
        assert search.idle == 1
        for worker in range(4):
            search.end(f"worker{worker}")
        search.begin("worker5")
        assert search.idle == 2
        search.end("worker4")
        search.begin("worker5")
        assert search.running["worker5"] == 5

    def test_the_order_of_the_results_does_not_matter(self, undisturbed):
        turned = dict(reversed(list(undisturbed.items())[:20]))
        assert propose(self.config().study, 20, turned) == undisturbed[20].values

    def test_an_infinite_or_absent_score_is_no_score(self):
        config = self.config()
        scores = [None, float("nan"), float("inf"), float("-inf"), None]
        records = {
            trial: TrialRecord(trial, "completed", sample(config.space, 0, trial), score)
            for trial, score in enumerate(scores)
        }
        expected = quasi_random(config.space, 0, 5)
        assert propose(config.study, 5, records) == pytest.approx(expected)

    def test_the_box_gets_smaller_around_the_valley(self, undisturbed):
        rates = [
            np.log10([undisturbed[t].values["learning_rate"] for t in trials])
            for trials in (range(5), (13, 14, 16, 17, 18))  # without those from everywhere
        ]
        assert np.ptp(rates[1]) < np.ptp(rates[0]) / 2
        assert abs(rates[1].mean() + 2) < 0.5

    def test_the_rounds_on_record(self, undisturbed):
        config = self.config()
        rounds = rounds_on_record(config.study, undisturbed)
        places = [(r["first_trial"], r["last_trial"]) for r in rounds]
        assert places == [(0, 4), (5, 8), (9, 12), (13, 16), (17, 20), (21, 23)]
        assert rounds[0]["box"]["learning_rate"] == {"low": 1e-4, "high": 1.0, "scale": "log"}
        for entry in rounds:
            for trial in range(entry["first_trial"], entry["last_trial"] + 1):
                if trial in entry.get("everywhere", []):
                    continue
                values = undisturbed[trial].values
                for name, part in entry["box"].items():
                    if "low" in part and name in values:
                        assert part["low"] <= values[name] <= part["high"]
        begun = {trial: undisturbed[trial] for trial in range(7)}
        assert rounds_on_record(config.study, begun) == rounds[:2]
        assert rounds_on_record(config.study, {}) == rounds[:1]
        assert rounds_on_record(TestRandom.config().study, undisturbed) == []


class TestHalving(OracleContract):
    """The first rule of coarse to fine."""

    strategy = "coarse_to_fine"
    settings = {"trials_per_round": 5, "rule": "halving"}
    waits = True

    def test_the_first_round_is_the_random_search(self, undisturbed):
        config = self.config()
        for trial in range(5):
            assert undisturbed[trial].values == sample(config.space, 0, trial)

    def test_equal_scores_are_ranked_by_number(self):
        """And an infinite or absent score is no score."""
        config = self.config()

        def proposals(scores):
            records = {
                trial: TrialRecord(trial, "completed", sample(config.space, 0, trial), value)
                for trial, value in enumerate(scores)
            }
            return propose(config.study, 5, records)

        assert proposals([1, 1, 1, 1, 1]) == proposals([1, 2, 3, 4, 5])
        nothing = proposals([None, float("nan"), float("inf"), float("-inf"), None])
        assert set(nothing) <= set(config.space)

    def test_the_values_are_those_of_earlier_versions(self, undisturbed):
        """Computed before there was another rule; a search begun then continues with them."""
        rates = [0.698676674, 0.423318838, 0.015573995, 0.024565013, 0.113457791, 0.010753775]
        rates += [0.008158782, 0.002941095, 0.013665186, 0.004704256, 0.005874125, 0.013112896]
        rates += [0.007718233, 0.003844429, 0.009706813, 0.016607748, 0.011497698, 0.014077486]
        rates += [0.00950048, 0.007701688, 0.007906949, 0.008721011, 0.012059688, 0.008882008]
        found = [undisturbed[trial].values["learning_rate"] for trial in range(24)]
        assert found == pytest.approx(rates, rel=1e-6)
        optimizers = "".join(undisturbed[t].values["optimizer"][0] for t in range(24))
        assert optimizers == "mammaammmammmmmmmmmmammm"

    def test_the_rounds_on_record_name_no_trials_from_everywhere(self, undisturbed):
        for entry in rounds_on_record(self.config().study, undisturbed):
            assert set(entry) == {"first_trial", "last_trial", "box"}


class TestGrid(OracleContract):
    strategy = "grid"
    space = {
        **SPACE,
        "learning_rate": {**SPACE["learning_rate"], "points": 3},
        "momentum": {**SPACE["momentum"], "points": 4},
    }

    def test_every_point_is_met_once(self):
        """3 rates × (adam, or momentum with 4 of its values) × 4 sizes, in an order of the seed."""
        config = self.config(trials=60)
        points = [propose(config.study, trial, {}) for trial in range(60)]
        assert grid_size(config.space) == 60
        assert len({json.dumps(point) for point in points}) == 60
        rates = sorted({point["learning_rate"] for point in points})
        assert rates == pytest.approx([1e-4, 0.01, 1.0])
        momenta = sorted({p["momentum"] for p in points if "momentum" in p})
        windows = [1 / (1 - momentum) for momentum in momenta]
        assert windows == pytest.approx([10, 10 ** (5 / 3), 10 ** (7 / 3), 1000])
        other = [propose(self.config(trials=60, seed=1).study, trial, {}) for trial in range(60)]
        assert sorted(map(json.dumps, other)) == sorted(map(json.dumps, points))
        assert other != points

    def test_steps_and_values(self):
        space = {
            "part": Range("float", 0.1, 0.75, 0.2),
            "whole": Range("int", 3, 9, 3),
            "one": Range("float", 1.0, 100.0, None, "log", points=1),
            "two": Range("float", 1.0, 100.0, None, "log", points=2),
            "any": Choice((True, False)),
        }
        points = [grid_values(space, 0, trial) for trial in range(grid_size(space))]
        assert len(points) == 4 * 3 * 1 * 2 * 2
        found = {name: {point[name] for point in points} for name in space}
        assert sorted(found["part"]) == pytest.approx([0.1, 0.3, 0.5, 0.7])
        assert (found["whole"], found["any"]) == ({3, 6, 9}, {True, False})
        assert list(found["one"]) == pytest.approx([10.0])
        assert sorted(found["two"]) == pytest.approx([1.0, 100.0])
        assert all(type(point["whole"]) is int for point in points)

    def test_what_it_can_t_hold(self, monkeypatch):
        monkeypatch.setattr("tfcourse.search.strategies.grid.LARGEST_GRID", 4)
        space = {"rate": Range("float", 0.1, 0.75), "units": Range("int", 1, 5, 1)}
        assert grid_problems(space, None) == [
            "[space.rate] points or step is required by the grid, which can't hold every number "
            "from 0.1 to 0.75."
        ]
        assert grid_problems({"units": space["units"]}, None) == [
            "[space] has a grid of 5 points. At most 4 are searched: give fewer values, fewer "
            "points or a larger step."
        ]
        four = {"rate": Range("float", 0.1, 0.75, points=2), "any": Choice((True, False))}
        assert grid_problems(four, None) == grid_problems(four, 4) == []
        assert grid_problems(four, 5) == [
            "[search] trials must be <= 4, the points of the grid. Received: 5."
        ]

    def test_the_check_says_when_not_all_points_are_tried(self):
        assert "24 of the grid's 60 points" in space_table(self.config()).caption
        assert space_table(self.config(60)).caption is None


class TestHyperband(OracleContract):
    strategy = "hyperband"
    waits = True
    looks_further = True  # the next bracket

    def test_it_is_keras_tuners(self, undisturbed):
        """Its own oracle, played one trial at a time with these results, decides the same."""
        stock = HyperbandOracle(
            Objective("val_loss", "min"),
            max_epochs=9,
            factor=3,
            hyperband_iterations=2,
            seed=1,
            hyperparameters=hyperparameters(["x"]),
        )
        first = {}
        config = self.config()
        undisturbed = dict(undisturbed)
        for trial in range(46):
            asked = stock.populate_space(str(trial))["values"]
            values = propose(config.study, trial, undisturbed)
            assert values["epochs"] == asked["tuner/epochs"]
            past = asked.get("tuner/trial_id")
            first[trial] = trial if past is None else first[int(past)]
            assert values.get("continues", trial) == first[trial]
            undisturbed[trial] = ended(trial, values)
            of_keras_tuner = Trial(hyperparameters(["x"]), str(trial), TrialStatus.COMPLETED)
            of_keras_tuner.hyperparameters.values = asked
            found = undisturbed[trial].score
            of_keras_tuner.score = float("inf") if found is None else found
            stock.trials[str(trial)] = of_keras_tuner
        # Two iterations; ours would go on with a third.
        assert stock.populate_space("46")["status"] == TrialStatus.STOPPED

    def test_one_that_goes_on_has_the_values_of_the_one_it_continues(self, undisturbed):
        going_on = [r for r in undisturbed.values() if "continues" in r.values]
        assert going_on
        for record in going_on:
            first = undisturbed[record.values["continues"]]
            own = {k: v for k, v in record.values.items() if k not in ("epochs", "continues")}
            assert own == {k: v for k, v in first.values.items() if k != "epochs"}
            assert record.values["epochs"] > first.values["epochs"]
            assert "continues" not in first.values


def hyperparameters(names):
    import keras_tuner

    made = keras_tuner.HyperParameters()
    for name in names:
        made.Float(name, 0.0, 1.0)
    return made


class TestBayesian(OracleContract):
    strategy = "bayesian"
    settings = {"initial": 7, "parallel": 2}
    trials = 10
    waits = True
    in_order = True

    def test_it_begins_at_random(self, undisturbed):
        space = self.config().space
        for trial in range(7):
            assert undisturbed[trial].values == sample(space, 0, trial)
        assert undisturbed[8].values != sample(space, 0, 8)

    def test_trials_of_one_batch_differ(self, undisturbed):
        assert undisturbed[8].values != undisturbed[9].values

    def test_without_a_completed_trial_it_goes_on_at_random(self):
        config = self.config()
        records = {t: TrialRecord(t, "failed", sample(config.space, 0, t)) for t in range(8)}
        assert propose(config.study, 8, records) == sample(config.space, 0, 8)


class TestGp(OracleContract):
    strategy = "gp"
    settings = {"initial": 7, "parallel": 2}
    trials = 16
    waits = True
    in_order = True

    def test_it_begins_quasi_random(self, undisturbed):
        space = self.config().space
        for trial in range(7):
            assert undisturbed[trial].values == quasi_random(space, 0, trial)
        assert undisturbed[8].values != quasi_random(space, 0, 8)

    def test_trials_of_one_batch_differ(self, undisturbed):
        for first in (7, 9, 11, 13):
            assert undisturbed[first].values != undisturbed[first + 1].values

    def test_a_batch_waits_for_those_before(self, undisturbed):
        study = self.config().study
        known = {trial: undisturbed[trial] for trial in range(9)}
        assert propose(study, 10, known) == undisturbed[10].values
        assert propose(study, 11, known) is None

    def test_without_a_completed_trial_it_goes_on_quasi_random(self):
        config = self.config()
        records = {t: TrialRecord(t, "failed", sample(config.space, 0, t)) for t in range(9)}
        assert propose(config.study, 9, records) == quasi_random(config.space, 0, 9)

    def test_the_better_end(self):
        """To the largest score with "max", to the smallest with "min"."""
        for direction, sign in (("max", 1), ("min", -1)):
            space = {"x": Range("float", 0.0, 1.0)}
            study = Study("gp", GpTable(), space, 0, direction, 16, 1)
            records = {}
            for trial in range(16):
                x = propose(study, trial, records)["x"]
                records[trial] = TrialRecord(trial, "completed", {"x": x}, sign * x)
            assert np.median([records[trial].values["x"] for trial in range(10, 16)]) > 0.9


# Losses on the unit square, as if of two hyperparameters; each with its own kind of valley.
def bowl(a, b):
    return (a - 0.7) ** 2 + (b - 0.2) ** 2


def branin(a, b):
    """Three valleys alike, Branin's; 0 at the bottom."""
    x, y = 15 * a - 5, 15 * b
    parabola = y - 5.1 / (4 * np.pi**2) * x**2 + 5 / np.pi * x - 6
    return parabola**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) + 10 - 0.397887


def rosenbrock(a, b):
    """One long bent valley."""
    x, y = 4 * a - 2, 4 * b - 1
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


@pytest.mark.parametrize(
    ("loss", "seeds", "share"), [(bowl, 7, 0.1), (branin, 11, 0.3), (rosenbrock, 15, 0.8)]
)
def test_coarse_to_fine_beats_random(loss, seeds, share):
    """Course 1.3: with the same number of trials, in the median over seeds.

    Random search, which takes little time, has more seeds. With few seeds a quasi-random search has
    a third less than the median of a random one too: the bounds are below that where they can be.
    """

    def best(strategy, seed):
        names = {"learning_rate": "log", "beta_1": "one_minus_log"}
        space = {n: {"low": 0.01, "high": 0.99, "scale": s} for n, s in names.items()}
        search = {"name": "f", "trials": 24, "strategy": strategy, "seed": seed}
        config = parse_config({"search": search | {"direction": "min"}, "space": space}, "f", None)
        records, memo = {}, Memo()
        for trial in range(24):
            values = propose(config.study, trial, records, memo)
            units = (config.space[name].unit_of(value) for name, value in values.items())
            records[trial] = TrialRecord(trial, "completed", values, loss(*units))
        return min(record.score for record in records.values())

    medians = {
        strategy: statistics.median(best(strategy, seed) for seed in range(count))
        for strategy, count in (("random", 30), ("coarse_to_fine", seeds))
    }
    assert medians["coarse_to_fine"] < share * medians["random"]


ROUNDS = {"strategy": "coarse_to_fine", "trials": 5, "coarse_to_fine": {"trials_per_round": 2}}


class TestARunDirectory:
    """Searches that train, with the strategies that leave something of their own there."""

    @pytest.fixture
    def fine(self, quick):
        return quick(search=ROUNDS)

    def test_the_rounds_are_on_record(self, fine):
        result = fine.run(verbose=False)
        kept = json.loads((result.directory / "rounds.json").read_text())
        assert kept == result.rounds == rounds_on_record(fine.config.study, result.trials)
        assert [(r["first_trial"], r["last_trial"]) for r in kept] == [(0, 1), (2, 3), (4, 4)]
        (shown, *_) = rounds_table(result.rounds).tables
        assert [column.header for column in shown.columns] == [
            "trials",
            "0 to 1",
            "2 to 3",
            "4 to 4",
        ]
        assert [next(iter(column.cells)) for column in shown.columns][:2] == [
            "learning_rate",
            "0.01 to 0.1",
        ]
        (many, *_) = rounds_table(kept * 2).tables
        assert (len(many.columns), many.caption) == (
            5,
            "4 of 6 rounds; all are in rounds.json",
        )

    def test_interrupted_in_the_middle_of_a_round(self, fine, monkeypatch):
        expected = fine.run(verbose=False)
        values, boxes = values_of(expected.trials), expected.rounds
        for lost in ([3], [2, 3, 4], [1, 3, 4]):
            for trial in lost:
                (expected.directory / "trials" / f"{trial:04d}.json").unlink()
            again = fine.run(verbose=False)
            assert values_of(again.trials) == values
            assert again.rounds == boxes

    def test_ended_after_three_trials_and_started_again(self, fine, monkeypatch, tmp_path):
        expected = values_of(fine.run(verbose=False).trials)
        train, done = execution.TrialRunner.train, []

        def stops(tuner, number, *more):
            if len(done) == 3:
                raise KeyboardInterrupt
            done.append(number)
            return train(tuner, number, *more)

        monkeypatch.setattr(execution.TrialRunner, "train", stops)
        elsewhere = TfcourseSearch(fine.config, tmp_path / "elsewhere")
        with pytest.raises(KeyboardInterrupt):
            elsewhere.run(verbose=False)
        assert done == [0, 1, 2]
        assert len(json.loads((elsewhere.directory / "rounds.json").read_text())) == 2
        monkeypatch.undo()
        assert values_of(elsewhere.run(verbose=False).trials) == expected

    def test_more_trials(self, fine, tmp_path):
        before = values_of(fine.run(verbose=False).trials)
        longer = TfcourseSearch(
            load_config(tmp_path / "search.toml", trials=7), tmp_path / "runs"
        ).run(verbose=False)
        after = values_of(longer.trials)
        assert list(after) == list(range(7))
        assert {trial: after[trial] for trial in before} == before
        assert longer.rounds[-1]["last_trial"] == 6

    def test_a_search_of_an_earlier_version_keeps_its_rule(self, quick, tmp_path):
        """Its config on record names no rule; the file that is run again doesn't either."""
        halving = {"trials_per_round": 2, "rule": "halving"}
        expected = quick(search={**ROUNDS, "coarse_to_fine": halving}).run(verbose=False)
        values, boxes = values_of(expected.trials), expected.rounds
        file, config = tmp_path / "search.toml", expected.directory / "config.toml"
        for path in (file, config):
            path.write_text(path.read_text().replace('rule = "halving"\n', ""))
            assert "rule" not in path.read_text()

        def again(**changes):
            return TfcourseSearch(load_config(file), tmp_path / "runs").run(
                verbose=False, **changes
            )

        assert again().rounds == boxes
        assert TfcourseSearch.read_result(expected.directory).rounds == boxes
        for trial in (3, 4):
            (expected.directory / "trials" / f"{trial:04d}.json").unlink()
        resumed = again()
        assert (values_of(resumed.trials), resumed.rounds) == (values, boxes)
        config.unlink()
        assert again().rounds == boxes
        text = file.read_text()
        file.write_text(text.replace("trials_per_round", 'rule = "posterior"\ntrials_per_round'))
        with pytest.raises(InputError, match="rule is"):
            again()
        file.write_text(text)
        assert values_of(again(fresh=True).trials) != values
        assert "posterior" in config.read_text()
        assert [entry.get("everywhere") for entry in again().rounds] == [None, [3], []]

    def test_the_config_on_record_has_the_settings(self, fine):
        result = fine.run(verbose=False)
        kept = load_config(result.directory / "config.toml")
        assert kept.settings == fine.config.settings
        assert kept.settings.coverage == 0.8
        assert "keep" not in (result.directory / "config.toml").read_text()

    def test_hyperband_trains_the_same_run_for_longer(self, quick):
        search = quick(
            search={"strategy": "hyperband", "trials": 9, "objective": "val_loss"},
            training={"epochs": 4},
        )
        result = search.run(verbose=False)
        going_on = [r for r in result.trials.values() if "continues" in r.values]
        assert going_on
        for record in result.trials.values():
            assert len(record.history["loss"]) == record.values["epochs"]
        for record in going_on:
            first = result.trials[record.values["continues"]].history["loss"]
            assert record.history["loss"][: len(first)] == first
        header, *rows = (result.directory / "results.csv").read_text().splitlines()
        assert header.endswith("message,learning_rate,epochs,continues")
        assert rows[0].endswith(",")

    def test_a_condition_is_recorded_empty(self, quick):
        space = {
            "learning_rate": {"low": 0.01, "high": 0.1, "scale": "log"},
            "optimizer": {"values": ["adam", "momentum"]},
            "momentum": {"low": 0.5, "high": 0.9, "when": {"optimizer": "momentum"}},
        }
        result = quick(space=space, search={"trials": 5}).run(verbose=False)
        header, *rows = (result.directory / "results.csv").read_text().splitlines()
        assert header.endswith("learning_rate,optimizer,momentum")
        found = {r.values["optimizer"] for r in result.trials.values()}
        assert found == {"adam", "momentum"}
        for row, record in zip(rows, result.trials.values(), strict=True):
            _, optimizer, momentum = row.rsplit(",", 2)
            assert (optimizer == "momentum") == (momentum != "") == ("momentum" in record.values)


def test_rounds_that_another_machine_rounded_otherwise_are_the_same():
    from tfcourse.search.results.completion import _is_close

    rounds = [{"first_trial": 0, "last_trial": 7, "box": {"a": {"low": 0.1, "scale": "log"}}}]
    near = [{"first_trial": 0, "last_trial": 7, "box": {"a": {"low": 0.1 + 1e-12, "scale": "log"}}}]
    far = [{"first_trial": 0, "last_trial": 7, "box": {"a": {"low": 0.101, "scale": "log"}}}]
    assert _is_close(rounds, near)
    for other in (far, [], [*rounds, *rounds], None, [{**rounds[0], "last_trial": 8}], ["x"]):
        assert not _is_close(rounds, other)
