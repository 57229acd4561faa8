"""Old trials run again: the same numbers on the same data, and what has changed on other data."""

import csv
import importlib
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

import tfcourse
from tests.search.conftest import load
from tests.test_cli import run
from tfcourse import InputError, Search, WorkFailedError
from tfcourse.search.data.loading import load_split
from tfcourse.search.results.retest_result import Retest, RetestedTrial
from tfcourse.search.retest import swapped_pairs
from tfcourse.search.space.sampling import trial_seed
from tfcourse.search.trials.trainings import Training
from tfcourse.search.trials.trial import TrialRunner

SPACE = {"learning_rate": {"low": 1e-5, "high": 0.3, "scale": "log"}}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A finished search on a file, and a function that changes the file."""
    folder = tmp_path_factory.mktemp("searched")
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3

    def write(x, y):
        np.savez(folder / "data.npz", x=x, y=y)

    write(rng.normal(size=(120, 4)) + y[:, None], y)
    raw = {
        "search": {"name": "old", "trials": 5, "objective": "val_loss"},
        "data": {"source": "npz", "path": "data.npz"},
        "model": {"layers": 1, "units": 4},
        "training": {"epochs": 2, "optimizer": "gradient_descent", "batch_size": 24},
        "space": SPACE,
    }
    result = Search(load(folder, raw), folder / "runs").run(verbose=False)
    return result, write


@pytest.fixture
def data(searched):
    """The data's file, which the test may change; it is mended after."""
    result, write = searched
    path = result.directory.parents[1] / "data.npz"
    with np.load(path) as arrays:
        x, y = arrays["x"], arrays["y"]
    yield x, y, write
    write(x, y)


def test_the_same_data_and_code_give_the_same(searched):
    result, _ = searched
    found = tfcourse.retest(result.directory, top=4)
    assert [t.trial for t in found.trials] == [r.trial for r in result.ranking[:4]]
    for trial, record in zip(found.trials, result.ranking, strict=False):
        assert trial.new_score == trial.old_score == record.score
        assert trial.new_rank == trial.old_rank
    assert (found.swapped, found.pairs, found.holds, found.best_holds) == (0, 6, True, True)
    assert (found.objective, found.same_data) == ("val_loss", True)
    assert (found.scores_hold, found.moved_most) == (True, None)
    assert "The order holds.\nEvery score is the same.\n" in str(found)


def test_it_uses_the_searchs_threads(searched, monkeypatch):
    """Before anything is computed: then they are settled."""
    import tensorflow as tf

    threads, read = [], []
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", threads.append)
    monkeypatch.setattr(
        sys.modules["tfcourse.search.retest"],
        "load_split",
        lambda config: read.append((*threads,)) or load_split(config),
    )
    config = Search.from_toml(searched[0].directory / "config.toml").config
    tfcourse.retest(searched[0].directory, top=2)
    assert read == [(config.search.threads,)]


def test_the_table(searched):
    result, _ = searched
    before = {p: p.read_bytes() for p in result.directory.rglob("*") if p.is_file()}
    found = tfcourse.retest(str(result.directory), top=3)
    with found.file.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert found.file == result.directory / "retest.csv"
    assert list(rows[0]) == ["trial", "old_rank", "new_rank", "old_score", "new_score", "message"]
    assert [float(row["new_score"]) for row in rows] == [t.new_score for t in found.trials]
    # The search's own record is as it was.
    after = {p: p.read_bytes() for p in before if p.name != "retest.csv"}
    assert after == {p: before[p] for p in after}


def test_another_seed_gives_other_scores(searched):
    result, _ = searched
    found = [tfcourse.retest(result.directory, top=3, seed=seed) for seed in (7, 7, 8)]
    scores = [[trial.new_score for trial in again.trials] for again in found]
    assert scores[0] == scores[1] != scores[2]
    assert not set(scores[0]) & {trial.old_score for trial in found[0].trials}
    assert found[0].same_data


def test_other_data_is_what_it_is_for(searched, data):
    """Labels that say the opposite: what learned most is now furthest off, or learns anew."""
    result, _ = searched
    x, y, write = data
    write(-3 * x, y)
    found = tfcourse.retest(result.directory, top=5)
    assert found.same_data is False
    assert all(trial.new_score != trial.old_score for trial in found.trials)
    # Its verdict is SciPy's.
    old = [trial.old_score for trial in found.trials]
    new = [trial.new_score for trial in found.trials]
    tau = scipy.stats.kendalltau(old, new).statistic
    assert 1 - 2 * found.swapped / found.pairs == pytest.approx(tau)
    assert found.best_holds == (min(new) == new[0])
    # A search of one training a trial knows nothing of chance.
    assert found.scores_hold is None
    assert "How far chance alone moves a score is not known from this search" in str(found)
    changes = [trial.change for trial in found.trials]
    assert changes == pytest.approx([n - o for n, o in zip(new, old, strict=True)])
    assert found.moved_most == found.trials[int(np.argmax(np.abs(changes)))]


def test_a_score_that_falls_in_the_old_order_is_told(quick):
    """Other code, the same data: the order is what it was, the scores are not."""
    source = """
    changes = []

    def changing(input_shape, classes, kind=0):
        model = linear(input_shape, classes)
        bias = 9.0 + kind if changes else 0.1 * kind
        model.layers[-1].bias.assign([bias, 0.0, 0.0])
        return model
    """
    space = {"kind": {"values": [0, 1, 2]}}
    tables = {"search": {"strategy": "grid", "objective": "val_loss"}, "training": {"epochs": 1}}
    search = quick(source, "changing", space, **tables)
    result = search.run(verbose=False)
    module = importlib.import_module(search.config.builder.name.partition(":")[0])
    module.changes.append("all")
    found = tfcourse.retest(result.directory)
    assert (found.same_data, found.scores_hold, len(found.beyond_chance)) == (True, False, 3)
    most = max(found.trials, key=lambda trial: abs(trial.new_score - trial.old_score))
    assert (
        f"The scores do not hold: 3 of 3 changed, most of all trial {most.trial} from "
        f"{most.old_score:.4f} to {most.new_score:.4f} ({most.new_score - most.old_score:+.4g}). "
        "Data and seed are the same: the code, the versions or the machine differ.\n"
    ) in run("retest", result.directory).stdout


def test_chance_is_known_from_repeats(quick):
    search = quick(training={"repeats": 3, "epochs": 1}, search={"objective": "val_loss"})
    result = search.run(verbose=False)
    found = tfcourse.retest(result.directory, seed=5)
    for trial, record in zip(found.trials, result.ranking, strict=True):
        deviation = np.std(record.scores, ddof=1)
        assert trial.chance == pytest.approx(2 * deviation * np.sqrt(1 / 3 + 1 / 3))
        assert (trial in found.beyond_chance) == (abs(trial.change) > trial.chance)
    assert found.scores_hold == (not found.beyond_chance)


@pytest.mark.parametrize(
    ("new", "chance", "said"),
    [
        (0.5, 0.1, "The scores do not hold: 1 of 2 changed by more than chance explains (two "
         "standard deviations); the largest change is trial 0 from 0.8800 to 0.5000 (-0.38)."),
        (0.87, 0.1, "The scores hold: no change is more than chance explains; the largest is trial "
         "0 from 0.8800 to 0.8700 (-0.01)."),
        (0.5, None, "The largest change of a score: trial 0 from 0.8800 to 0.5000 (-0.38). How"),
        (0.88, None, "Every score is the same."),
    ],
)  # fmt: skip
def test_what_is_said_of_the_scores(new, chance, said):
    trials = [
        RetestedTrial(0, 1, 1, 0.88, new, chance=chance),
        RetestedTrial(1, 2, 2, 0.4, 0.4, chance=chance),
    ]
    text = str(Retest("val_accuracy", trials, 0, False, Path("retest.csv")))
    assert f"The order holds.\n{said}" in text
    assert ("-0.38" in text.partition("The data")[0]) == (new == 0.5)


@pytest.mark.parametrize(
    ("chance", "said"),
    [
        (None, "The largest change of a score of the others: trial 0 from 0.8800 to 0.6800 (-0.2). "
         "How far chance alone moves a score is not known"),
        (0.3, "The scores of the others hold: no change is more than chance explains; the largest"),
    ],
)  # fmt: skip
def test_what_is_said_of_the_scores_where_a_trial_failed(chance, said):
    trials = [
        RetestedTrial(0, 1, 1, 0.88, 0.68, chance=chance),
        RetestedTrial(1, 2, 2, 0.4, None, "ValueError", chance=chance),
    ]
    text = str(Retest("val_accuracy", trials, 0, False, Path("retest.csv")))
    assert f"The order of the others holds.\n{said}" in text


def test_when_all_fail_it_is_an_error(searched, data):
    result, _ = searched
    x, y, write = data
    write(x / np.abs(x).max() * 3e38, y)  # what the first layer adds up is infinite
    first = result.ranking[0].trial
    said = rf"All 2 trials that were run again failed; the first, trial {first}, with: .*not finite"
    with pytest.raises(WorkFailedError, match=said):
        tfcourse.retest(result.directory, top=2)


def test_a_trial_that_fails_now_is_last_and_named(quick):
    source = """
    refused = []

    def choosy(input_shape, classes, kind=0):
        if kind in refused:
            raise ValueError(f"[no] more of {kind}")
        return linear(input_shape, classes)
    """
    space = {"kind": {"values": [0, 1, 2]}}
    search = quick(source, "choosy", space, search={"strategy": "grid"}, training={"epochs": 1})
    result = search.run(verbose=False)
    module = importlib.import_module(search.config.builder.name.partition(":")[0])

    def retest_without(rank):
        module.refused[:] = [result.ranking[rank].values["kind"]]
        found = tfcourse.retest(result.directory)
        assert found.failed == [found.trials[rank]]
        failed = found.failed[0]
        assert (failed.trial, failed.new_rank) == (result.ranking[rank].trial, 3)
        printed = run("retest", result.directory)
        assert printed.exit_code == 0
        assert f"Trial {failed.trial} failed: ValueError: [no] more of " in printed.output
        return found, printed.output

    found, printed = retest_without(2)
    assert (found.swapped, found.holds, found.best_holds) == (0, False, True)
    assert "\nThe order of the others holds.\n" in printed
    found, printed = retest_without(0)
    assert (found.swapped, found.holds, found.best_holds) == (2, False, False)
    assert "\nThe order does not hold: 2 of 3 pairs of trials are the other way round." in printed


def test_a_search_of_objects(tmp_path, searched):
    x = np.random.default_rng(0).normal(size=(60, 4))
    arguments = {"layers": 1, "units": 4}
    search = Search(
        space=SPACE,
        arguments=arguments,
        data=(x, np.arange(60) % 3),
        trials=2,
        epochs=1,
        out=tmp_path,
    )
    search.run(verbose=False)
    assert tfcourse.retest(search).holds
    with pytest.raises(InputError, match="stands for arrays in Python"):
        tfcourse.retest(search.directory)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_swapped_pairs_give_kendalls_tau(count):
    for ranks in itertools.permutations(range(1, count + 1)):
        tau = scipy.stats.kendalltau(range(count), ranks).statistic
        assert 1 - 4 * swapped_pairs(ranks) / (count * (count - 1)) == pytest.approx(tau)
    assert swapped_pairs([1, 3, 3, 2]) == 2  # equal ranks are no swap


@pytest.mark.parametrize(
    ("place", "arguments", "said"),
    [
        ("nowhere", {}, r"nowhere is not a run directory \(it lacks config\.toml, "),
        ("", {"top": 1}, r"retest: top must be >= 2\. Received: 1\."),
        ("", {"seed": -1}, r"retest: seed must be >= 0\. Received: -1\."),
    ],
)
def test_errors(searched, place, arguments, said):
    with pytest.raises(InputError, match=said):
        tfcourse.retest(searched[0].directory / place, **arguments)


def test_one_completed_trial_has_no_order(searched, tmp_path):
    import shutil

    copy = tmp_path / "old"
    shutil.copytree(searched[0].directory, copy)
    for path in sorted((copy / "trials").glob("*.json"))[1:]:
        path.unlink()
    with pytest.raises(InputError, match=r"at least 2 completed trials\. Found: 1\."):
        tfcourse.retest(copy)


def test_several_seeds_show_the_spread(searched):
    result, _ = searched
    spread = tfcourse.retest(result.directory, top=2, seeds=3)
    # The same as the mean of three searches' trials, none of them with the search's own seed.
    config = Search.from_toml(result.directory / "config.toml").config
    for trial in spread.trials:
        seeds = [trial_seed(config.search.seed + 1, trial.trial, repeat) for repeat in range(3)]
        runner = TrialRunner(config, load_split(config))
        values = result.trials[trial.trial].values
        scores = [
            min(runner.train(trial.trial, values, Training(0, seed, ""))[1]["val_loss"])
            for seed in seeds
        ]
        assert trial.new_score == pytest.approx(np.mean(scores), rel=1e-6)
        assert trial.new_std == pytest.approx(np.std(scores, ddof=1), rel=1e-4)
        assert trial.chance == pytest.approx(2 * trial.new_std * np.sqrt(1 + 1 / 3), rel=1e-6)
    with spread.file.open(newline="") as file:
        assert next(iter(csv.DictReader(file)))["new_std"] == str(spread.trials[0].new_std)
    assert f"± {spread.trials[0].new_std:.4f}" in str(spread)


def test_no_seeds_are_refused(searched):
    with pytest.raises(InputError, match=r"retest: seeds must be >= 1\. Received: 0\."):
        tfcourse.retest(searched[0].directory, seeds=0)
