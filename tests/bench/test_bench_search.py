import re
import sys

import pytest

from tests import processes
from tfcourse.bench import search, search_commands, search_runs
from tfcourse.bench.search_tuner import stock_search
from tfcourse.bench.search_work import SEARCHES, config_of, convnet, images
from tfcourse.search.data.loading import load_split


@pytest.fixture(autouse=True)
def cold(monkeypatch):
    """Without what a bench does first so that it doesn't count: it takes long."""
    monkeypatch.setattr(search, "_warm_up", lambda: None)


@pytest.mark.slow
def test_every_contender_takes_part_in_a_small_bench():
    (found,) = search.bench(names=["one"], scale=0.05)
    assert found.title == SEARCHES["one"]
    assert found.baseline == search.OURS
    assert [t.name for t in found.timings] == [search.OURS, search.NO_REUSE, search.STOCK]
    lines = found.note.splitlines()
    assert len(lines) == 2
    models = {
        search.OURS: "own models: 1, in reused ones: 1",
        search.NO_REUSE: "own models: 2, in reused ones: 0",
    }
    duration = r"[\d.]+ (s|ms|µs)"
    for line, (name, trained) in zip(lines, models.items(), strict=True):
        text = (
            rf"{re.escape(name)}: a trial {duration}, all else {duration}; trained in {trained}, "
        )
        assert re.fullmatch(rf"{text}in populations: 0; programs traced: \d+", line)


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
def test_commands_are_timed_as_whole_processes(monkeypatch):
    """Forked from one that has TensorFlow imported: their times are not looked at."""

    def forked(command):
        done = processes.run(command[1:])
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().splitlines()[-1]

    monkeypatch.setattr(search_commands, "_run", forked)
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
    from tfcourse.search.strategies.proposals import propose

    config, built = config_of("one", 0.05), []
    build = search_tuner.build_trial

    def spy(config, split, values, seed):
        built.append((dict(values), seed))
        return build(config, split, values, seed)

    monkeypatch.setattr(search_tuner, "build_trial", spy)
    scores, metrics = stock_search(config, load_split(config))
    assert len(scores) == config.search.trials == 2
    assert metrics.keys() == {"accuracy", "loss"}
    for number in range(2):
        trial_seed = search_tuner.trial_seed(config.search.seed, number)
        assert (propose(config.study, number, {}), trial_seed) in built


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
    with pytest.raises(RuntimeError, match=r"The trials of it don't agree: .*'b': 0\.2"):
        search.check_agreement("it", {"a": [0.9, 0.5, 0.1], "b": [0.2, 0.1, 0.3]})


def test_the_time_of_a_run_is_that_of_its_trials_and_of_all_else():
    """Measured by the search's own records, and by a clock that stands at 0 and then at 1000."""
    times = iter([0.0, 1000.0])
    run = search_runs.run_search(config_of("one", 0.05), timer=lambda: next(times))
    assert len(run.scores) == 2
    assert 0 < run.trial_seconds < 500
    assert run.other_seconds == pytest.approx(1000.0 - 2 * run.trial_seconds)
    assert str(run).endswith(
        "trained in own models: 1, in reused ones: 1, in populations: 0; programs traced: 2"
    )
