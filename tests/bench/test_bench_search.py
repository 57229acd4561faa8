import re
import sys
from contextlib import redirect_stdout
from functools import partial
from io import StringIO

import numpy as np
import pytest
from typer.testing import CliRunner

from tfcourse.bench import search, search_commands, search_runs, search_tuner, search_wide
from tfcourse.bench.search_work import SEARCHES, config_of, convnet, images
from tfcourse.cli import app
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.strategies.proposals import propose
from tfcourse.training.population.program import PopulationProgram


@pytest.fixture(autouse=True)
def cold(monkeypatch):
    """Without what a bench does first so that it doesn't count: it takes long."""
    monkeypatch.setattr(search, "_warm_up", lambda: None)


def test_every_contender_takes_part_in_a_small_bench(monkeypatch):
    """For real; keras-tuner's has the values of our search, in models with its first weights."""
    build, tune = search_tuner.build_trial, search.stock_search
    built, stock = [], []

    def spy_build(config, split, values, seed):
        built.append((dict(values), seed))
        return build(config, split, values, seed)

    def spy_tune(config, split):
        stock.append(tune(config, split))
        return stock[-1]

    monkeypatch.setattr(search_tuner, "build_trial", spy_build)
    monkeypatch.setattr(search, "stock_search", spy_tune)
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
    config = config_of("one", 0.05)
    ((scores, metrics),) = stock
    assert len(scores) == config.search.trials == 2
    assert metrics.keys() == {"accuracy", "loss"}
    for number in range(2):
        trial_seed = search_tuner.trial_seed(config.search.seed, number)
        assert (propose(config.study, number, {}), trial_seed) in built


def test_many_trials_are_a_population_and_keras_tuner_s_time_is_for_all_of_them(monkeypatch):
    """Of 5 trials of 2 epochs it runs one. What the searches train is not what is tested."""
    configs, clock = [], iter([0.0, 4.0, 10.0, 15.0, 20.0, 26.0])

    def ours(config):
        configs.append(config)
        return search_runs.SearchRun([0.5, 9.0, 9.0, 9.0, 9.0], 0.1, 0.2, "effort")

    def stock(config, split):
        configs.append(config)
        return [0.55], {}

    monkeypatch.setattr(search, "run_search", ours)
    monkeypatch.setattr(search, "stock_search", stock)
    timed = partial(search.compare, timer=lambda: next(clock))
    monkeypatch.setattr(search, "compare", timed)
    (found,) = search.bench(names=["many"], scale=0.04)
    settings = [(c.search.caviar, c.search.trials, c.training.epochs) for c in configs]
    assert settings == [("population", 5, 2), ("reuse", 5, 2), ("population", 1, 2)]
    name = f"{search.STOCK}: 5 × its time for 1 trials"
    assert [t.name for t in found.timings] == [search.OURS, search.REUSE, name]
    assert [t.seconds.values for t in found.timings] == [(4.0,), (5.0,), (30.0,)]
    assert found[name].ratios.values == (7.5,)
    assert found.note.splitlines()[1] == f"{search.REUSE}: a trial 100 ms, all else 200 ms; effort"


def test_commands_are_timed_as_whole_processes(monkeypatch):
    """In this process, with one worker: their times are not looked at."""
    workers = []

    def in_this_process(command):
        python, option, *arguments = command
        assert python == sys.executable
        if option == "-m":
            program, *arguments, workers_option, number = arguments
            assert (program, workers_option) == ("tfcourse", "--workers")
            workers.append(number)
            done = CliRunner().invoke(app, [*arguments, "--workers", "1"])
            assert done.exit_code == 0, done.output
            return ""
        output = StringIO()
        monkeypatch.setattr(sys, "argv", ["-c", *arguments[1:]])
        with redirect_stdout(output):
            exec(compile(arguments[0], "<string>", "exec"), {})
        return output.getvalue().strip().splitlines()[-1]

    # The trials of both searches; keras-tuner's script trains as it does.
    monkeypatch.setattr(search_commands, "_run", in_this_process)
    (found,) = search.bench(names=["commands"], scale=0.1)
    commands = search_commands.TWO, search_commands.ONE, search_commands.STOCK
    assert tuple(t.name for t in found.timings) == commands
    assert workers == ["2", "1"]
    assert "all imports" in found.note


def test_long_trials_are_timed_with_two_workers_and_one(monkeypatch):
    """What the commands do is not what is tested; keras-tuner takes no part."""
    asked = []

    def run(command):
        asked.append(command[-1])
        return ""

    class Directory:
        def __init__(self, path):
            assert path.name == "long"

        def read_trials(self):
            return {0: TrialRecord(0, "completed", {}, score=0.9)}

    monkeypatch.setattr(search_commands, "_run", run)
    monkeypatch.setattr(search_commands, "RunDirectory", Directory)
    (found,) = search.bench(names=["long"])
    assert [t.name for t in found.timings] == [search_commands.TWO, search_commands.ONE]
    assert asked == ["2", "1"]
    config = config_of("long")
    assert (config.search.caviar, config.search.threads) == ("reuse", 1)


def test_a_wide_search_is_timed_beside_its_training_alone(monkeypatch):
    """The members that are trained alone are the search's trials, whose records say their scores.

    They have the same scores but for rounding.
    """
    runs, alone = [], []

    def spy_run(config):
        runs.append(search_runs.run_search(config))
        return runs[-1]

    def spy_alone(config):
        alone.append(train_alone(config))
        return alone[-1]

    train_alone = search_wide._train_alone
    monkeypatch.setattr(search_wide, "run_search", spy_run)
    monkeypatch.setattr(search_wide, "_train_alone", spy_alone)
    (found,) = search.bench(names=["wide"], scale=0.006)
    assert (found.title, found.baseline) == (SEARCHES["wide"], search_wide.BARE)
    assert [t.name for t in found.timings] == [search_wide.BARE, search_wide.OURS]
    assert len(runs) == len(alone) == 1 and len(alone[0]) == 6
    assert runs[0].effort.endswith("in populations: 6; programs traced: 2")
    np.testing.assert_allclose(alone[0], runs[0].scores, atol=0.003)
    text = (
        r"tfcourse search: [\d.]+ trials a second; (\d+)% of the time in its compiled programs, "
        r"(\d+)% in their first calls, which compile them"
    )
    share, first = map(int, re.fullmatch(text, found.note).groups())
    assert 0 < first <= share <= 100


def test_programs_are_whole_again_after_they_were_timed():
    before = PopulationProgram.train, PopulationProgram.test
    with pytest.raises(KeyError), search_wide._timed_programs() as seconds:
        assert PopulationProgram.train is not before[0]
        raise KeyError
    assert (PopulationProgram.train, PopulationProgram.test) == before
    assert seconds == {"train": [], "test": []}


def test_a_command_that_fails_ends_the_bench():
    with pytest.raises(RuntimeError, match=r"no-such.toml failed: .*can't be read"):
        search_commands._run([sys.executable, "-m", "tfcourse", "check", "no-such.toml"])


def test_the_searches_are_those_that_are_said():
    assert [config_of(name).search.trials for name in SEARCHES] == [32, 128, 24, 24, 1000, 64, 8]
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


def test_the_time_of_a_run_is_that_of_its_trials_and_of_all_else(untrained):
    """Measured by the search's own records, and by a clock that stands at 0 and then at 1000."""
    times = iter([0.0, 1000.0])
    run = search_runs.run_search(config_of("one", 0.05), timer=lambda: next(times))
    assert len(run.scores) == 2
    assert 0 < run.trial_seconds < 500
    assert run.other_seconds == pytest.approx(1000.0 - 2 * run.trial_seconds)
    assert str(run).endswith(
        "trained in own models: 1, in reused ones: 1, in populations: 0; programs traced: 0"
    )
