"""Optuna's samplers: the values are those of a bare Optuna study, on the scales of the space."""

import logging
import math
import warnings
from dataclasses import replace

import optuna
import pytest
import tomli_w

from tests.contracts.oracle_contract import OracleContract, Search, ended, values_of
from tests.search.conftest import RATE
from tfcourse import InputError
from tfcourse.search.config.advice import advice
from tfcourse.search.config.load import load_config, parse_config
from tfcourse.search.records.objective import Objective
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.space.parameters import Choice, Range
from tfcourse.search.space.sampling import trial_seed
from tfcourse.search.strategies.proposals import propose
from tfcourse.search.strategies.study import Memo

# Five dimensions, one of them with a condition, on every scale.
SPACE = {
    "batch_size": {"low": 16, "high": 256, "scale": "log"},
    "beta_1": {"low": 0.9, "high": 0.999, "scale": "one_minus_log"},
    "learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"},
    "optimizer": {"values": ["adam", "momentum"]},
    "momentum": {"low": 0.5, "high": 0.9, "when": {"optimizer": "momentum"}},
    "units": {"low": 32, "high": 130, "step": 32},
}
NSGA = {"sampler": "NSGAIISampler", "arguments": {"population_size": 6}}


def config(strategy="tpe", space=SPACE, trials=24, start=(), direction="min", seed=0, **settings):
    search = {"name": "optuna", "objective": "val_loss", "strategy": strategy, "trials": trials}
    search |= {"seed": seed, "direction": direction, "start": list(start), strategy: settings}
    return parse_config({"search": search, "space": space}, "search.toml", None)


def score(values):
    """None, a failure, at the largest learning rates."""
    if values["learning_rate"] > 0.3:
        return None
    valley = (math.log10(values["learning_rate"]) + 2) ** 2 + (values["units"] - 96) ** 2 / 1e4
    valley += math.log10(1 - values["beta_1"]) / 8 + values["batch_size"] / 512
    return valley + values.get("momentum", 0.8) / 10


def record_of(trial, values, sign=1):
    found = score(values)
    status = "failed" if found is None else "completed"
    return TrialRecord(trial, status, values, None if found is None else sign * found)


def play(search, records=(), sign=1):
    records, memo = dict(records), Memo()
    for trial in range(search.trials):
        if trial not in records:
            records[trial] = record_of(trial, propose(search.study, trial, records, memo), sign)
    return records


def bare(sampler, batches, direction="minimize", sign=1, worst=False):
    """The values that Optuna alone proposes, asked in batches, in its own parameters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(sampler=sampler, direction=direction)
    results = []
    for size in batches:
        batch = []
        for _ in range(size):
            trial, values = study.ask(), {}
            values["batch_size"] = trial.suggest_int("batch_size", 16, 256, log=True)
            complement = trial.suggest_float("beta_1", 1 - 0.999, 1 - 0.9, log=True)
            values["beta_1"] = min(max(1 - complement, 0.9), 0.999)
            values["learning_rate"] = trial.suggest_float("learning_rate", 1e-4, 1.0, log=True)
            values["optimizer"] = trial.suggest_categorical("optimizer", ["adam", "momentum"])
            values["units"] = trial.suggest_int("units", 32, 128, step=32)
            if values["optimizer"] == "momentum":
                values["momentum"] = trial.suggest_float("momentum", 0.5, 0.9)
            batch.append((trial, values))
        for trial, values in batch:
            found = score(values)
            if found is None and worst:
                study.tell(trial, sign * math.inf)
            elif found is None:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(trial, sign * found)
        results += [values for _, values in batch]
    return results


SAMPLERS = {
    "tpe": ("tpe", {"failures": "ignore"}, lambda seed: optuna.samplers.TPESampler(seed=seed), 10),
    "tpe, failures worst": (
        "tpe",
        {"initial": 6},
        lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=6),
        6,
    ),
    "cma_es": ("cma_es", {}, lambda seed: optuna.samplers.CmaEsSampler(seed=seed), 1),
    "sobol": (
        "optuna",
        {"sampler": "QMCSampler", "arguments": {"scramble": True}},
        lambda seed: optuna.samplers.QMCSampler(seed=seed, scramble=True),
        1,
    ),
    "nsga": (
        "optuna",
        NSGA,
        lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=6),
        6,
    ),
}


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize(("seed", "parallel", "direction"), [(0, 1, "min"), (3, 4, "max")])
def test_the_values_are_those_of_optuna_alone(name, seed, parallel, direction):
    strategy, settings, sampler, initial = SAMPLERS[name]
    sign = 1 if direction == "min" else -1
    search = config(
        strategy, trials=initial + 24, seed=seed, direction=direction, parallel=parallel, **settings
    )
    records = play(search, sign=sign)
    batches = [initial, *[parallel] * (24 // parallel)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        worst = name == "tpe, failures worst"
        expected = bare(sampler(seed), batches, f"{direction}imize", sign, worst)
    for trial, values in enumerate(expected):
        assert records[trial].values == values
    statuses = [record.status for record in records.values()]
    assert {"completed"} < {*statuses} or name == "cma_es"


class TestTpe(OracleContract):
    strategy = "tpe"
    settings = {"initial": 7, "parallel": 2}
    trials = 16
    waits = True
    in_order = True

    def test_the_first_trials_wait_for_none(self):
        search = Search(self.config(), workers=8)
        for worker in range(8):
            search.begin(f"worker{worker}")
        assert [search.running[f"worker{worker}"] for worker in range(8)] == [*range(7), None]

    def test_trials_of_a_batch_differ(self, undisturbed):
        for first in range(7, 15, 2):
            assert undisturbed[first].values != undisturbed[first + 1].values

    def test_values_of_another_version_of_optuna_stay_and_count(self, undisturbed):
        config = self.config()
        other = {**undisturbed[8].values, "learning_rate": 0.0123}
        records = {t: undisturbed[t] for t in range(9)} | {8: ended(8, other)}
        same = {**undisturbed[8].values}
        same["learning_rate"] *= 1 + 1e-14  # another machine's rounding
        rounded = {t: undisturbed[t] for t in range(9)} | {8: replace(undisturbed[8], values=same)}
        expected = undisturbed[9].values
        assert propose(config.study, 9, records) != expected
        assert propose(config.study, 9, rounded) == expected


class TestRebuilt(TestTpe):
    """As GPSampler, which needs torch: a sampler that begins again with each batch."""

    settings = {**TestTpe.settings, "failures": "ignore"}

    @pytest.fixture(autouse=True, scope="class")
    @staticmethod
    def rebuilt():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tfcourse.search.strategies.optuna_samplers.REBUILT", ("TPESampler",))
            yield

    def test_a_batch_is_that_of_a_new_sampler_and_the_trials_before(self, undisturbed):
        config = self.config()
        sampler = optuna.samplers.TPESampler(seed=trial_seed(0, 9), n_startup_trials=7)
        alone = optuna.create_study(sampler=sampler)
        for trial in range(11):
            if trial < 9:
                values = undisturbed[trial].values
                alone.enqueue_trial(
                    values
                    | {"units": values["units"] // 32 - 1}
                    | ({"momentum": 1 - values["momentum"]} if "momentum" in values else {})
                )
            new = alone.ask()
            rate = new.suggest_float("learning_rate", 1e-4, 1.0, log=True)
            optimizer = new.suggest_categorical("optimizer", ["adam", "momentum"])
            units = 32 + 32 * new.suggest_int("units", 0, 3)
            if optimizer == "momentum":
                new.suggest_float("momentum", 1 - 0.999, 1 - 0.9, log=True)
            if trial >= 9:
                expected = {"learning_rate": rate, "optimizer": optimizer, "units": units}
                values = propose(config.study, trial, undisturbed)
                assert {name: values[name] for name in expected} == expected
            elif undisturbed[trial].score is None:
                alone.tell(new, state=optuna.trial.TrialState.FAIL)
            else:
                alone.tell(new, undisturbed[trial].score)


class TestCmaEs(OracleContract):
    strategy = "cma_es"
    settings = {"initial": 6, "parallel": 3}
    trials = 16
    waits = True
    in_order = True


class TestNsga(OracleContract):
    strategy = "optuna"
    settings = {**NSGA, "parallel": 2}
    trials = 16
    waits = True
    in_order = True


@pytest.mark.parametrize("failures", ["ignore", "worst"])
def test_a_score_that_is_not_finite_is_a_failure(failures):
    search = config(trials=12, failures=failures)
    records = play(search)
    # A bad trial and a failed one count the same.
    best = min(range(10), key=lambda trial: records[trial].score or math.inf)
    failed = {**records, best: replace(records[best], score=None, status="failed")}
    infinite = {**records, best: replace(records[best], score=float("inf"))}
    without = [propose(search.study, trial, failed) for trial in (10, 11)]
    assert [propose(search.study, trial, infinite) for trial in (10, 11)] == without
    known = [propose(search.study, trial, records) for trial in (10, 11)]
    assert known != without
    pruned = {**records, best: replace(records[best], status="pruned")}
    assert [propose(search.study, trial, pruned) for trial in (10, 11)] == known


@pytest.mark.parametrize("direction", ["min", "max"])
def test_a_failure_is_the_worst_in_every_objective(direction):
    """Also a score that is finite beside another objective that is not there."""
    objectives = (Objective("val_loss", direction), Objective("parameters", "min"))
    study = replace(config(initial=3, direction=direction).study, objectives=objectives)
    memo = Memo()
    values = [propose(study, trial, {}, memo) for trial in range(3)]
    records = {
        0: TrialRecord(0, "completed", values[0], 0.5, parameters=7),
        1: TrialRecord(1, "failed", values[1]),
        2: TrialRecord(2, "completed", values[2], 0.25),
    }
    propose(study, 3, records, memo)
    worst = [math.inf if direction == "min" else -math.inf, math.inf]
    told = [trial.values for trial in memo.replay.optuna._study.trials[:3]]
    assert told == [[0.5, 7.0], worst, worst]


def test_the_first_trials_of_a_start_count():
    start = [
        {"learning_rate": 0.01, "batch_size": 16, "beta_1": 0.9, "optimizer": "adam", "units": 96},
        {"optimizer": "momentum", "units": 32},
    ]
    with_start, without = config(start=start), config()
    records = play(with_start)
    assert records[0].values == start[0]
    second = records[1].values
    assert (second["optimizer"], second["units"], len(second)) == ("momentum", 32, 6)
    worse = {**records, 0: replace(records[0], score=9.0)}
    assert propose(with_start.study, 12, worse) != propose(with_start.study, 12, records)
    assert play(without)[0].values != start[0]


def test_more_trials_later():
    records = play(config(trials=13, parallel=4))
    longer = play(config(trials=24, parallel=4), records)
    assert values_of(longer) == values_of(play(config(trials=24, parallel=4)))


@pytest.mark.parametrize(
    ("strategy", "settings"),
    [("tpe", {"initial": 2, "parallel": 4}), ("cma_es", {}), ("optuna", NSGA)],
)
def test_a_discrete_space_of_few_configurations(strategy, settings):
    """Six; twenty trials end after them, each once."""
    space = {"units": {"values": [8, 16, 32]}, "layers": {"low": 1, "high": 2}}
    search = config(strategy, space, trials=20, **settings)
    assert search.trials == 6
    records, memo = {}, Memo()
    for trial in range(6):
        values = propose(search.study, trial, records, memo)
        assert values == propose(search.study, trial, records)
        records[trial] = TrialRecord(trial, "completed", values, values["units"] + values["layers"])
    assert len({(r.values["units"], r.values["layers"]) for r in records.values()}) == 6


@pytest.mark.parametrize("failed", [False, True])
def test_the_study_gets_the_score_of_a_configuration_each_time_it_proposes_it(failed):
    """As a running trial, or a failed one, it would be proposed again and again."""
    space = {"units": {"values": [8, 16, 32, 64]}, "layers": {"low": 1, "high": 3}}
    search = config("tpe", space, trials=11, initial=2, parallel=2, failures="ignore")
    records, memo, scores = {}, Memo(), {}
    for trial in range(11):
        values = propose(search.study, trial, records, memo)
        score = None if failed and trial % 3 else values["units"] + values["layers"] / 4
        status = "failed" if score is None else "completed"
        records[trial] = TrialRecord(trial, status, values, score)
        scores[[8, 16, 32, 64].index(values["units"]), values["layers"] - 1] = score
    ended = memo.replay.optuna._study.trials[: -len(memo.replay.batch)]
    proposed = [trial for trial in ended if trial.state.is_finished()]
    assert len(proposed) > 11, "some were repetitions"
    assert len(ended) - len(proposed) <= len(memo.replay.repetitions)
    for trial in proposed:
        score = scores[trial.params["units"], trial.params["layers"]]
        assert trial.value == score
        assert trial.state.name == ("FAIL" if score is None else "COMPLETE")


def test_cma_es_learns_nothing_about_choices_and_conditions():
    (line,) = advice(config("cma_es"))
    assert "whose values are random (optimizer, momentum). Strategies" in line
    assert advice(config("tpe")) == []


@pytest.mark.parametrize(
    "parameter",
    [
        Choice((True, 1, "1", 1.0)),
        Range("int", 3, 11, 2),
        Range("int", 1, 100, 1, "log"),
        Range("int", 16, 256, 16, "log"),
        Range("float", 0.1, 0.75, 0.2),
        Range("float", 0.1, 0.9, 0.1, "one_minus_log"),
        Range("float", -3.0, 0.99, None, "one_minus_log"),
        Range("float", 1e-5, 1.0, None, "log"),
        Range("float", 0.3, 0.3),
    ],
)
def test_each_parameter_has_all_its_values(parameter):
    """A value that a trial has is the one that Optuna is told of, to rounding."""
    from tfcourse.search.engine.optuna_study import OptunaStudy

    study = OptunaStudy({"x": parameter}, ["min"], "RandomSampler", {}, 0)
    values = [study.ask().values["x"] for _ in range(200)]
    if parameter.count is not None and parameter.count < 20:
        every = parameter.values if isinstance(parameter, Choice) else None
        every = every or [parameter.after(place) for place in range(parameter.count)]
        assert {(type(v), v) for v in values} == {(type(v), v) for v in every}
    else:
        assert min(values) >= parameter.low
        assert max(values) <= parameter.high
        units = [parameter.unit_of(value) for value in values]
        # Uniform on the scale: 200 independent positions have a mean within five deviations.
        expected = 0.5 if parameter.low < parameter.high else units[0]
        assert sum(units) / 200 == pytest.approx(expected, abs=5 / math.sqrt(12 * 200))
    for value in values[:20]:
        number = study.ask({"x": value}).number
        coordinate = study._study.trials[number].params["x"]
        assert study._variables["x"].value_at(coordinate) == (
            value if isinstance(value, str) else pytest.approx(value, rel=1e-12)
        )


@pytest.mark.parametrize("strategy", ["tpe", "cma_es"])
def test_optuna_is_silent_and_its_settings_stay(strategy, caplog, capfd):
    verbosity = optuna.logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        play(config(strategy))
        play(config("optuna", sampler="CmaEsSampler", arguments={"with_margin": True}, trials=8))
    assert optuna.logging.get_verbosity() == verbosity
    assert (caplog.text, *capfd.readouterr()) == ("", "", "")
    assert logging.getLogger("optuna").level == verbosity


ARGUMENTS = {
    "unknown": (
        {"n_startup": 5},
        '[search.optuna] arguments: "n_startup" is not an argument of TPESampler that a config can '
        'set. Did you mean "n_startup_trials"? Known: ',
    ),
    "a function": ({"gamma": 3}, '"gamma" is not an argument of TPESampler that a config can set.'),
    "of another type": (
        {"n_startup_trials": "six"},
        "arguments: n_startup_trials must be a whole number. Received: 'six'.",
    ),
    "a boolean": (
        {"n_startup_trials": True},
        "arguments: n_startup_trials must be a whole number. Received: True.",
    ),
    "text": ({"multivariate": "no"}, "arguments: multivariate must be true or false. Received"),
    "seed": ({"seed": 3}, "the sampler's seed is [search] seed. Remove seed here."),
    "out of range": (
        {"n_ei_candidates": 0},
        "[search.optuna] arguments: TPESampler does not work with n_ei_candidates = 0: ",
    ),
}


@pytest.mark.parametrize(("arguments", "line"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_wrong_arguments(arguments, line):
    with pytest.raises(InputError) as error:
        config("optuna", sampler="TPESampler", arguments=arguments)
    assert line in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_wrong_samplers_and_values():
    with pytest.raises(
        InputError, match=r'\[search.optuna\] sampler must be one of "TPESampler", .*mean'
    ):
        config("optuna", sampler="TPESample")
    with pytest.raises(
        InputError,
        match=r'\[search.optuna\] sampler is required and missing\. Take "TPESampler" or .* or "Ra',
    ):
        config("optuna")
    with pytest.raises(InputError, match=r"QMCSampler does not work with qmc_type = 'x': .*halton"):
        config("optuna", sampler="QMCSampler", arguments={"qmc_type": "x"})
    with pytest.raises(InputError, match=r"CmaEsSampler does not work with popsize = 0: popsize"):
        config("optuna", sampler="CmaEsSampler", arguments={"popsize": 0})
    with pytest.raises(InputError, match=r"\[search.tpe\] initial: must be greater"):
        config("tpe", initial=0)


def test_missing_packages_are_named_with_the_command(monkeypatch):
    installed = {"optuna", "scipy", "sklearn"}
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: name if name in installed else None
    )
    with pytest.raises(InputError) as error:
        config("cma_es")
    assert str(error.value) == (
        'search.toml: [search] strategy "cma_es" needs cmaes. Install: pip install cmaes.'
    )
    with pytest.raises(InputError, match=r"with the sampler GPSampler needs torch\. Install: pip"):
        config("optuna", sampler="GPSampler", arguments={"n_startup_trials": 4})
    installed.remove("optuna")
    with pytest.raises(InputError, match=r'"tpe" needs optuna\. Install: pip install optuna\.'):
        config("tpe")


def test_a_search_that_lost_trials_finds_them_again(quick, untrained):
    search = quick(
        space=RATE | {"optimizer": {"values": ["adam", "momentum"]}},
        search={"trials": 8, "strategy": "tpe", "tpe": {"initial": 2, "parallel": 2}},
    )
    values = values_of(search.run(verbose=False).trials)
    assert 'strategy = "tpe"' in (search.directory / "config.toml").read_text()
    for lost in (range(3, 8), (2, 7)):
        for trial in lost:
            (search.directory / "trials" / f"{trial:04d}.json").unlink()
        assert values_of(search.run(verbose=False).trials) == values


class TestTheNameOfTheSampler:
    """``strategy = "optuna:SAMPLER"`` needs no table."""

    def config(self, tmp_path, optuna=None, **overrides):
        search = {"name": "named", "trials": 3, "strategy": "optuna:QMCSampler"}
        tables = {"search": search, "space": {"learning_rate": SPACE["learning_rate"]}}
        if optuna is not None:
            search["optuna"] = optuna
        path = tmp_path / "named.toml"
        path.write_text(tomli_w.dumps(tables), encoding="utf-8")
        return load_config(path, **overrides)

    def test_it_is_the_table_of_the_strategy(self, tmp_path):
        config = self.config(tmp_path)
        assert (config.search.strategy, config.settings.sampler) == ("optuna", "QMCSampler")
        assert config == self.config(tmp_path, {"sampler": "QMCSampler"})
        assert self.config(tmp_path, {"parallel": 2}).settings.parallel == 2

    def test_an_override_replaces_sampler_and_table(self, tmp_path):
        table = {"sampler": "QMCSampler", "parallel": 2}
        config = self.config(tmp_path, table, strategy="optuna:RandomSampler")
        assert (config.settings.sampler, config.settings.parallel) == ("RandomSampler", 1)
        assert self.config(tmp_path, strategy="gp").search.strategy == "gp"

    def test_errors(self, tmp_path):
        with pytest.raises(InputError, match=r"optuna:QMCSampler\", and .* sampler = 'GPSampler'"):
            self.config(tmp_path, {"sampler": "GPSampler"})
        with pytest.raises(InputError, match=r'\[search.optuna\] sampler.*"QMCSampler".*nothing'):
            self.config(tmp_path, strategy="optuna:nothing")
