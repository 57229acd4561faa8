"""The comparison of searches by their run directories."""

import itertools
import json
import statistics
import tomllib

import matplotlib.image
import pytest
import tomli_w
from typer.testing import CliRunner

from tests.search.run_directories import completed, failed, write_run
from tfcourse.cli import app
from tfcourse.report.comparison import best_so_far, end_times
from tfcourse.search.results.search_record import read_record
from tfcourse.search.results.setting_differences import setting_differences
from tfcourse.search.strategies.stopping import seconds_on_record

SPACE = {"learning_rate": {"low": 0.01, "high": 0.1, "scale": "log"}}
OTHER_SPACE = {"width": {"values": [3, 4]}}
SCORES = [0.5, 0.9, 0.7, 0.8]


def compare(*arguments, columns=200):
    result = CliRunner().invoke(
        app, ["compare", *map(str, arguments)], env={"COLUMNS": str(columns)}
    )
    return result.exit_code, result.output


@pytest.fixture
def runs(tmp_path):
    """Two searches of other spaces: four trials and a failed one, and two trials."""
    records = [completed(n, s, {"learning_rate": 0.02}) for n, s in enumerate(SCORES)]
    first = write_run(
        tmp_path / "first", SPACE, [*records, failed(4, {"learning_rate": 0.1})], seed=1
    )
    records = [completed(n, s, {"width": 3}, worker=f"w{n + 1}") for n, s in enumerate([0.6, 0.4])]
    return first, write_run(tmp_path / "second", OTHER_SPACE, records, seed=2)


def set_data(path, digit):
    (path / "data.json").write_text(json.dumps({"sha256": digit * 64}))


def test_the_figures_of_each_search(runs):
    for path in runs:
        set_data(path, "a")
    code, text = compare(*runs, "--json")
    entry = json.loads(text)
    assert code == 0
    assert (entry["objective"], entry["direction"], entry["fewest_trials"]) == (
        *("val_accuracy", "max"),
        2,
    )
    first, second = entry["searches"]
    assert first["quartiles"] == pytest.approx(
        statistics.quantiles(SCORES, n=4, method="inclusive")
    )
    assert (first["best"], first["best_trial"], first["best_of_fewest"]) == (0.9, 1, 0.9)
    assert (first["counts"], first["seconds"]) == ({"completed": 4, "failed": 1}, 6.5)
    assert (second["best"], second["seconds"]) == (0.6, 1.5)  # two workers at the same time
    assert entry["differences"]["search.seed"] == [1, 2]
    assert entry["differences"]["space.width.values"] == ["not set", [3, 4]]
    assert not any("data" in hint for hint in entry["hints"])


def test_the_best_of_as_many_trials_as_the_shorter_search_has(tmp_path):
    runs = [
        write_run(
            tmp_path / f"run{count}",
            SPACE,
            [completed(n, 0.5 + n / 10, {"learning_rate": 0.02}) for n in range(count)],
        )
        for count in (4, 2)
    ]
    longer, shorter = json.loads(compare(*runs, "--json")[1])["searches"]
    assert longer["best"] == pytest.approx(0.8)
    assert longer["best_of_fewest"] == shorter["best"] == pytest.approx(0.6)


@pytest.mark.parametrize("columns", [200, 60])
def test_the_tables(runs, columns):
    code, text = compare(*runs, columns=columns)
    assert code == 0
    for words in ("val_accuracy (max) of 2 searches", "0.9000", "0.7500", "best of first 2"):
        assert words in text
    assert "search.seed" in text
    assert "Hint: first is not finished: 5 of 24 trials are on record" in text
    assert max(map(len, text.splitlines()[:15])) <= columns


def test_data_that_differs_or_is_lost(runs):
    assert "Hint: The data of first is not on record" in compare(*runs)[1]
    set_data(runs[0], "a")
    set_data(runs[1], "b")
    line = "Hint: The data of first and second differ: their scores are not comparable."
    assert line in compare(*runs)[1].splitlines()


def test_other_objectives_are_refused_in_one_line(runs, tmp_path):
    other = write_run(tmp_path / "third", SPACE, [], objective="val_loss", direction="min")
    code, text = compare(runs[0], other)
    assert (code, len(text.splitlines())) == (2, 1)
    assert f"{runs[0]} has val_accuracy (max), {other} has val_loss (min)" in text


def test_one_search_twice_or_alone_is_refused(runs, tmp_path):
    code, text = compare(runs[0])
    assert code == 2
    assert "A comparison needs two run directories or more. Received: 1." in text
    code, text = compare(runs[0], runs[0].parent / "second" / ".." / "first")
    assert code == 2
    assert "A comparison needs different run directories. Twice:" in text
    assert compare(runs[0], tmp_path / "nothing")[0] == 2


def test_searches_of_one_name_have_their_paths(runs, tmp_path):
    other = write_run(tmp_path / "b" / "first", SPACE, [])
    names = [s["name"] for s in json.loads(compare(runs[0], other, "--json")[1])["searches"]]
    assert len({*names}) == 2
    assert all(str(path) in name for path, name in zip((runs[0], other), names, strict=True))
    assert compare(runs[0], other)[0] == 0


def test_searches_without_a_difference(tmp_path):
    paths = [write_run(tmp_path / name, SPACE, []) for name in "ab"]
    assert "Their settings do not differ." in compare(*paths)[1]


def test_values_of_other_types_are_different():
    tables = [{"t": {"a": 1, "b": [1]}, "search": {"name": "x"}}, {"t": {"a": 1.0, "b": [1]}}]
    assert setting_differences(tables) == {"t.a": [1, 1.0]}
    assert setting_differences([{"a": True}, {"a": 1}]) == {"a": [True, 1]}
    assert setting_differences([{"search": {"name": "a"}}, {"search": {"tensorboard": "b"}}]) == {}


def test_the_best_so_far_is_the_running_maximum(runs):
    record = read_record(runs[0])
    curve = best_so_far(record)
    assert curve.by_trials == list(itertools.accumulate(SCORES, max))
    assert curve.trials == [1, 2, 3, 4]
    assert curve.seconds == [1.5, 3.0, 4.5, 6.0]


def test_the_end_times_of_workers_that_follow_a_single_process():
    workers = ["main", "w1", "w2", "w1", "main"]
    records = [
        completed(n, 0.5, {}, worker=worker, seconds=float(2**n))
        for n, worker in enumerate(workers)
    ]
    ends = end_times(records)
    assert ends == {0: 1.0, 4: 17.0, 1: 19.0, 2: 21.0, 3: 27.0}
    assert max(ends.values()) == seconds_on_record(dict(enumerate(records)))


def test_the_picture(runs, tmp_path):
    (tmp_path / "_a $x$").mkdir()
    odd = write_run(tmp_path / "_a $x$" / "first", SPACE, [failed(0, {"learning_rate": 0.1})])
    path = tmp_path / "a.png"
    code, text = compare(*runs, odd, "--plot", path)
    assert code == 0
    assert text.splitlines()[-1] == f"picture     {path}"
    picture = matplotlib.image.imread(path)
    assert picture.min() < picture.max()
    code, text = compare(*runs, "--plot", tmp_path / "a.gif")
    assert code == 2
    assert "must be a .png, .svg or .pdf file" in text


def test_a_strategys_defaults_are_settings(tmp_path):
    trials = [completed(0, 0.9, {"learning_rate": 0.02})]
    tables = [{"gp": {"parallel": 2, "acquisition": "improvement"}}, {"gp": {}}, {}]
    paths = [
        write_run(
            tmp_path / f"run{n}", SPACE, trials, strategy="gp" if table else "random", **table
        )
        for n, table in enumerate(tables)
    ]
    said = json.loads(compare(*paths[:2], "--json")[1])["differences"]
    # What a directory of before the setting continues with.
    assert said["search.gp.acquisition"] == ["improvement", "turns"]
    assert said["search.gp.parallel"] == [2, 1]
    assert "search.gp.initial" not in said
    others = json.loads(compare(*paths[1:], "--json")[1])["differences"]
    assert others["search.gp.parallel"] == [1, "not set"]


def test_a_config_without_a_strategy_has_the_default_one(runs):
    config = runs[0] / "config.toml"
    tables = tomllib.loads(config.read_text())
    tables["search"].pop("strategy", None)
    config.write_text(tomli_w.dumps(tables))
    code, text = compare(*runs, "--json")
    assert code == 0
    assert "search.strategy" not in json.loads(text)["differences"]


def test_other_epochs_of_the_score_and_other_objectives(tmp_path):
    records = [completed(0, 0.5, {"learning_rate": 0.02})]
    run = write_run(tmp_path / "first", SPACE, records)
    tables = [
        {"name": "val_accuracy", "direction": "max"},
        {"name": "val_loss", "direction": "min"},
    ]
    other = write_run(tmp_path / "second", SPACE, records, score_at="last", objectives=tables)
    text = compare(run, other)[1]
    line = (
        "search.score_at differs: the scores are measured at other epochs, and are not comparable."
    )
    assert f"Hint: {line}" in text.splitlines()
    assert " val_accuracy (max), val_loss (min)" in text
