"""The first trials of a search: values from the config, or from an earlier search."""

import tomllib

import pytest

import tfcourse
from tests.search.run_directories import completed, write_run
from tests.test_cli import run
from tfcourse import InputError, Search
from tfcourse.search.config.load import load_config, parse_config
from tfcourse.search.results.starting_points import load_with_start
from tfcourse.search.space.sampling import sample
from tfcourse.search.strategies.proposals import dependencies, propose

SPACE = {
    "learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"},
    "optimizer": {"values": ["adam", "momentum"]},
    "momentum": {"low": 0.9, "high": 0.999, "when": {"optimizer": "momentum"}},
    "units": {"low": 8, "high": 64, "step": 8},
}
START = [
    {"learning_rate": 0.03, "optimizer": "momentum", "momentum": 0.95, "units": 16},
    {"optimizer": "momentum"},
]


def config(start=START, space=SPACE, trials=12, **search):
    raw = {"search": {"name": "started", "trials": trials, "start": start, **search}}
    return parse_config({**raw, "space": space, "training": {"epochs": 9}}, "started.toml", None)


@pytest.mark.parametrize("strategy", ["random", "coarse_to_fine", "bayesian", "hyperband"])
def test_the_first_trials_have_the_values_and_what_is_left_out_is_drawn(strategy):
    study = config(strategy=strategy).study
    first, second, third = (propose(study, trial, {}) for trial in range(3))
    added = {"epochs"} if strategy == "hyperband" else set()
    assert {n: v for n, v in first.items() if n not in added} == START[0]
    drawn = sample(study.space, 0, 1)
    assert second["optimizer"] == "momentum"
    assert second["units"] == drawn["units"]
    assert second["learning_rate"] == drawn["learning_rate"]
    assert 0.9 <= second["momentum"] <= 0.999  # active, as its parent was chosen
    assert third == propose(config([], strategy=strategy).study, 2, {})
    assert list(first) == [*study.space, *added]
    assert all(len(dependencies(study, trial)) == 0 for trial in range(2))


def test_a_start_is_checked_beside_errors_in_the_table_of_hyperband():
    with pytest.raises(InputError, match=r"\[search.hyperband\] factor: must be"):
        config(strategy="hyperband", hyperband={"factor": 1})


def test_a_discrete_space_does_not_draw_a_start_again():
    space = {"units": {"values": [1, 2, 3, 4]}}
    study = config([{"units": 3}], space, trials=4).study
    values = [propose(study, trial, {})["units"] for trial in range(4)]
    assert values[0] == 3
    assert sorted(values) == [1, 2, 3, 4]


def test_a_start_is_another_search_and_none_is_the_search_of_earlier_versions():
    tables = config().as_tables()
    assert tables["search"]["start"] == START
    again = parse_config(tomllib.loads(config().as_toml()), "again", None)
    assert again.as_tables() == tables
    assert "start" not in config([]).as_tables()["search"]


@pytest.mark.parametrize(
    ("start", "search", "said"),
    [
        ([{"unit": 8}], {}, r'table 1: "unit" is not in \[space\]\. Did you mean "units"\?'),
        ([{}, {"units": 65}], {}, r"table 2: units must be from 8 to 64\. Received: 65\."),
        ([{"optimizer": "adm"}], {}, r"table 1: optimizer must be one of .*Received: 'adm'"),
        ([{"momentum": 0.95}], {}, r"table 1: momentum needs optimizer = 'momentum' in the same"),
        ([{}] * 13, {}, r"must be at most 12 tables, the trials that can begin with them\. Rece"),
        ([{}] * 10, {"strategy": "hyperband"}, r"must be at most 9 tables"),
        ([{"learning_rate": float("nan")}], {}, r"started\.toml: .*nan"),
        (["units"], {}, r"started\.toml: \[search\] start: "),
    ],
)
def test_errors(start, search, said):
    with pytest.raises(InputError, match=said):
        config(start, **search)


def test_a_grid_has_none():
    with pytest.raises(InputError, match=r'can\'t be had with strategy "grid", whose points are'):
        config([{"units": 8}], {"units": SPACE["units"]}, trials=2, strategy="grid")


SMALL = """
[search]
name = "{name}"
trials = {trials}
[model]
layers = 1
units = 4
[training]
epochs = 1
batch_size = 256
[space.learning_rate]
low = 1e-3
high = {high}
scale = "log"
"""


def test_from_an_earlier_search(untrained, tmp_path, caplog):
    """Of its best trials those whose values are in the new space, each once."""
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text(SMALL.format(name="first", trials=5, high=1.0))
    second.write_text(SMALL.format(name="second", trials=4, high=0.1))
    earlier = Search.from_toml(first, out=tmp_path).run(verbose=False)
    inside = [r.values for r in earlier.ranking if r.values["learning_rate"] <= 0.1][:3]
    assert 0 < len(inside) < 5
    command = ("search", second, "--out", tmp_path, "--from", earlier.directory)
    done = run(*command)
    assert done.exit_code == 0, done.output
    result = tfcourse.Search.read_result(tmp_path / "second")
    assert [result.trials[trial].values for trial in range(len(inside))] == inside
    assert run(*command).exit_code == 0  # again: the finished result
    stored = load_config(tmp_path / "second" / "config.toml")
    assert list(stored.search.start) == inside
    without = run("search", second, "--out", tmp_path)
    assert without.exit_code == 2
    assert "search.start is" in without.output
    assert caplog.text == ""
    for seed, warned in ((0, True), (1, False)):
        caplog.clear()
        Search.from_toml(first, out=tmp_path / "other", seed=seed, start_from=earlier.directory)
        assert (
            "draws the same values again. Choose another --seed than 0" in caplog.text
        ) == warned


def test_from_an_earlier_search_without_the_trials_after_its_end(tmp_path):
    """They are there only if it had several workers."""
    axis = {"learning_rate": {"low": 1e-3, "high": 1.0, "scale": "log"}}
    scores = [0.5, 0.9, 0.6, 0.95]
    records = [
        completed(n, score, {"learning_rate": 0.1 + n / 10}) for n, score in enumerate(scores)
    ]
    earlier = write_run(tmp_path / "earlier", axis, records, target=0.8)
    second = tmp_path / "second.toml"
    second.write_text(SMALL.format(name="second", trials=4, high=1.0))
    start = load_with_start(second, earlier, seed=1).search.start
    assert list(start) == [{"learning_rate": 0.2}, {"learning_rate": 0.1}]


@pytest.mark.parametrize("strategy", ["random", "grid"])
def test_from_an_earlier_search_that_adds_too_much(strategy, tmp_path, untrained):
    """The error is about ``--from``, and not about ``[[search.start]]``."""
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text(SMALL.format(name="first", trials=5, high=1.0))
    earlier = Search.from_toml(first, out=tmp_path).run(verbose=False).directory
    text = SMALL.format(name="second", trials=2, high=1.0) + "points = 2\n" * (strategy == "grid")
    second.write_text(text.replace("[model]", f'strategy = "{strategy}"\n[model]'))
    done = run("search", second, "--out", tmp_path, "--seed", 1, "--from", earlier)
    assert done.exit_code == 2
    most = {"random": 2, "grid": 0}[strategy]
    assert (
        f"--from adds the values of 3 trials of {earlier}, and this search can begin with {most}. "
        "Search with more [search] trials, with another strategy, or without --from."
    ) in done.output


def test_from_what_is_no_earlier_search(tmp_path):
    config = tmp_path / "second.toml"
    config.write_text(SMALL.format(name="second", trials=4, high=0.1))
    done = run("search", config, "--out", tmp_path, "--from", tmp_path / "nowhere")
    assert done.exit_code == 2
    assert "nowhere is not a run directory" in done.output
    Search.from_toml(config, out=tmp_path).run(verbose=False)  # a finished search hides no error
    assert run("search", config, "--out", tmp_path, "--from", tmp_path / "nowhere").exit_code == 2
