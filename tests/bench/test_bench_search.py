import re
import sys

import pytest

from tests.training.population.small import mlp
from tfcourse.bench import search, search_commands
from tfcourse.bench.search_breakdown import PHASES, Clock, measured
from tfcourse.bench.search_tuner import stock_search
from tfcourse.bench.search_work import SEARCHES, config_of, convnet, images
from tfcourse.search.data.loading import load_split
from tfcourse.search.trials import building
from tfcourse.search.trials.vectorized import group
from tfcourse.training.population.fresh import FreshValues
from tfcourse.training.population.population import Population
from tfcourse.training.reuse.pool import ModelPool


@pytest.fixture(autouse=True)
def cold(monkeypatch):
    """Without what a bench does first so that it doesn't count: it takes long."""
    monkeypatch.setattr(search, "_warm_up", lambda: None)


@pytest.mark.slow
def test_every_contender_takes_part_in_a_small_bench():
    (found,) = search.bench(names=["one"], scale=0.05)
    assert found.title == SEARCHES["one"]
    assert found.baseline == search.OURS
    assert [t.name for t in found.timings] == [search.OURS, search.ANEW, search.STOCK]
    lines = found.note.splitlines()
    assert len(lines) == 2
    for line, name in zip(lines, (search.OURS, search.ANEW), strict=True):
        phases = ", ".join(rf"{phase} [\d.]+ (s|ms|µs)" for phase in PHASES)
        assert re.fullmatch(rf"a trial of {re.escape(name)}: {phases}", line)


@pytest.mark.slow
def test_many_trials_are_a_population_and_keras_tuner_s_time_is_for_all_of_them(monkeypatch):
    """Of 5 trials of 2 epochs it runs one, whose score says nothing of the others'."""
    monkeypatch.setattr(search, "check_agreement", lambda title, scores: None)
    (found,) = search.bench(names=["many"], scale=0.04)
    stock = f"{search.STOCK}: 5 × its time for 1 trials"
    assert [t.name for t in found.timings] == [search.OURS, search.REUSE, stock]
    assert found[stock].ratios.median == pytest.approx(
        found[stock].seconds.median / found[search.OURS].seconds.median
    )


@pytest.mark.slow
def test_commands_are_timed_as_whole_processes():
    (found,) = search.bench(names=["commands"], scale=0.1)
    commands = search_commands.TWO, search_commands.ONE, search_commands.STOCK
    assert tuple(t.name for t in found.timings) == commands
    assert "all imports" in found.note


def test_a_command_that_fails_ends_the_bench():
    with pytest.raises(RuntimeError, match=r"no-such.toml failed: .*can't be read"):
        search_commands._run([sys.executable, "-m", "tfcourse", "check", "no-such.toml"])


def test_the_stock_search_runs_our_trials(monkeypatch):
    """The values that our search proposes, in models with its first weights."""
    from tfcourse.bench import search_tuner
    from tfcourse.search.engine.oracle import propose

    config, built = config_of("one", 0.05), []
    build = search_tuner.build_trial

    def spy(config, values, seed, *args):
        built.append((dict(values), seed))
        return build(config, values, seed, *args)

    monkeypatch.setattr(search_tuner, "build_trial", spy)
    scores, metrics = stock_search(config, load_split(config))
    assert len(scores) == config.search.trials == 2
    assert metrics.keys() == {"accuracy", "loss"}
    for number in range(2):
        trial_seed = search_tuner.trial_seed(config.search.seed, number)
        assert (propose(config, number, {}), trial_seed) in built


def test_the_searches_are_those_that_are_said():
    assert [config_of(name).search.trials for name in SEARCHES] == [32, 128, 24, 24, 8]
    one, digits = config_of("one"), config_of("digits")
    assert (one.training.epochs, digits.training.epochs) == (10, 10)
    assert set(one.space) == {"learning_rate", "beta_1"}
    assert {"units", "layers", "batch_size"} <= set(digits.space)


def test_the_convnet_and_its_images():
    x, y = images()
    assert x.shape == (1797, 24, 24, 1) and len(y) == len(x)
    assert (x[0, :3, :3] == x[0, 0, 0]).all()
    assert convnet(x.shape[1:], 10).output_shape == (None, 10)


def test_scores_that_do_not_agree_end_the_bench():
    with pytest.raises(RuntimeError, match=r"The trials of it don't come to the same: .*'b': 0\.2"):
        search.check_agreement("it", {"a": [0.9, 0.5, 0.1], "b": [0.2, 0.1, 0.3]})


class TestClock:
    def test_inner_phases_are_not_counted_twice(self, monkeypatch):
        times = iter([0.0, 1.0, 4.0, 10.0])
        monkeypatch.setattr("time.perf_counter", lambda: next(times))
        clock = Clock()
        with clock.phase("train"), clock.phase("trace"):
            pass
        assert (clock.seconds["train"], clock.seconds["trace"]) == (7.0, 3.0)

    def test_a_part_of_a_phase_can_be_another_s(self, monkeypatch):
        times = iter([0.0, 10.0])
        monkeypatch.setattr("time.perf_counter", lambda: next(times))
        clock = Clock()
        with clock.phase("train"):
            clock.move(4.0, "compile")
        assert (clock.seconds["train"], clock.seconds["compile"]) == (6.0, 4.0)

    BUILDS = ((building, "build_trial"), (group, "build_trial"), (Population, "__init__"))
    BUILDS += ((Population, "prepare"), (FreshValues, "of"), (ModelPool, "_restated"))

    def test_nothing_stays_patched(self):
        before = [getattr(owner, name) for owner, name in self.BUILDS]
        with measured():
            now = [getattr(owner, name) for owner, name in self.BUILDS]
        assert not {*map(id, before)} & {*map(id, now)}
        assert [getattr(owner, name) for owner, name in self.BUILDS] == before

    def test_a_population_s_model_is_part_of_the_build(self):
        with measured() as clock:
            Population(mlp)
        assert clock.seconds["build"] > 0
        assert sum(clock.seconds.values()) == clock.seconds["build"]
