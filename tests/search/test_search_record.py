"""A search read from its run directory alone: finished, unfinished and damaged ones."""

import json
import tomllib

import pandas as pd
import pytest
import tomli_w
from typer.testing import CliRunner

from tests.search.run_directories import completed, failed, write_run
from tfcourse.cli import app
from tfcourse.errors import InputError
from tfcourse.search.results.rows import results
from tfcourse.search.results.search_record import read_record

SPACE = {
    "learning_rate": {"low": 0.01, "high": 0.1, "scale": "log"},
    "width": {"values": [3, 4]},
}
PICKY = """
def picky(input_shape, classes, width=3):
    if width > 3:
        raise ValueError("too wide")
    return linear(input_shape, classes)
"""


def show(*arguments):
    result = CliRunner().invoke(app, ["show", *map(str, arguments)], env={"COLUMNS": "200"})
    return result.exit_code, result.output


def test_a_finished_search_whose_data_and_builder_are_gone(quick, untrained):
    search = quick(PICKY, builder="picky", space=SPACE, search={"trials": 6})
    search.run(verbose=False)
    for path in search.out.parent.glob("written_for_a_test_*.py"):
        path.unlink()
    code, text = show(search.directory)
    assert code == 0
    assert "The search is complete: all 6 trials are on record." in text
    assert "test set    accuracy" in text
    assert "The best trial" in show(search.directory, "--top", 1)[1]

    code, text = show(search.directory, "--json")
    entry = json.loads(text)
    assert (code, entry["finished"], entry["continue"]) == (0, True, None)
    on_record = [json.loads(p.read_text()) for p in (search.directory / "trials").iterdir()]
    assert len(on_record) == 6
    by_number = {record["trial"]: record for record in entry["trials"]}
    for record in on_record:
        del record["search"]
        assert by_number[record["trial"]] == record
    scores = [record["score"] for record in entry["trials"] if record["score"] is not None]
    assert scores == sorted(scores, reverse=True)
    assert entry["counts"]["failed"] == 6 - len(scores) > 0
    assert entry["summary"] == json.loads((search.directory / "summary.json").read_text())
    entry = json.loads(show(search.directory, "--json", "--top", 2)[1])
    assert [record["score"] for record in entry["trials"]] == scores[:2]


@pytest.fixture
def unfinished(tmp_path):
    """Five trials of 24."""
    rates = [0.01, 0.02, 0.05, 0.1]
    records = [
        completed(n, 0.9 + rate, {"learning_rate": rate, "width": 3})
        for n, rate in enumerate(rates)
    ]
    records.append(failed(4, {"learning_rate": 0.03, "width": 4}))
    return write_run(tmp_path / "a run", SPACE, records)


def test_an_unfinished_search(unfinished):
    code, text = show(unfinished)
    assert code == 0
    assert "5 of 24 trials are on record: 4 completed, 1 failed." in text
    assert "Trial 4 failed: ValueError: too wide" in text
    assert "val_accuracy 1.0000 (trial 3, best so far)" in text
    command = f"tfcourse search '{unfinished}/config.toml' --out {unfinished.parent}"
    assert text.splitlines()[-1] == f"The search is not finished. {command} continues it."
    entry = json.loads(show(unfinished, "--json")[1])
    assert (entry["finished"], entry["continue"]) == (False, command)
    assert [record["trial"] for record in entry["trials"]] == [3, 2, 1, 0, 4]


def test_a_search_whose_trials_all_failed(tmp_path):
    records = [failed(n, {"learning_rate": 0.03, "width": 4}) for n in range(24)]
    directory = write_run(tmp_path / "run", SPACE, records)
    command = f"tfcourse search {directory}/config.toml --out {tmp_path} --fresh"
    assert show(directory)[1].splitlines()[-1] == f"No trial has a score. {command} begins again."


def test_a_damaged_search(unfinished):
    (unfinished / "trials" / "0001.json").write_text("{")
    (unfinished / "config.toml").write_text("[search")
    with pytest.raises(InputError, match="with them the name of the score"):
        read_record(unfinished)
    summary = {"trial": 3, "objective": "val_accuracy", "score": 1.0, "test": {"accuracy": 0.9}}
    (unfinished / "summary.json").write_text(json.dumps(summary))
    record = read_record(unfinished)
    assert record.problems == [
        "config.toml is lost or damaged.",
        "1 of 5 files in trials/ are damaged.",
        "best.keras is lost or damaged.",
    ]
    assert (record.objective, record.direction, len(record.trials)) == ("val_accuracy", "max", 4)
    assert {*record.space} == {*SPACE}
    code, text = show(unfinished)
    assert code == 0
    assert "4 trials are on record: 3 completed, 1 failed." in text
    assert "The search's own command continues it." in text


@pytest.mark.parametrize("name", ["search", "data", "model", "training", "space"])
def test_a_number_in_the_place_of_a_table(unfinished, name):
    config = unfinished / "config.toml"
    tables = tomllib.loads(config.read_text())
    config.write_text(tomli_w.dumps({name: 3} | {k: v for k, v in tables.items() if k != name}))
    code, text = show(unfinished)
    if name == "search":
        assert (code, "config.toml and summary.json are lost or damaged" in text) == (2, True)
    else:
        assert (code, "trials are on record: 4 completed, 1 failed" in text) == (0, True)


def test_no_run_directory(tmp_path):
    code, text = show(tmp_path)
    assert code == 2
    assert "is not a run directory (it lacks config.toml" in text


def test_a_search_without_trials(tmp_path):
    code, text = show(write_run(tmp_path / "run", SPACE, []))
    assert code == 0
    assert "0 of 24 trials are on record." in text


def test_a_search_of_objects_is_continued_by_its_call(unfinished):
    path = unfinished / "config.toml"
    path.write_text(path.read_text().replace("nowhere:data", "arrays"))
    assert read_record(unfinished).command() == "The same call of tfcourse.Search"


def test_values_that_are_not_in_the_space(unfinished):
    path = unfinished / "config.toml"
    path.write_text(path.read_text().replace("high = 0.1", "high = 0.06"))
    record = read_record(unfinished)
    assert [*record.trials] == [0, 1, 2, 4]
    assert record.problems == ["1 trials have values that are not in the space of config.toml."]
    assert "1 trials have values that are not in the space of config.toml." in show(unfinished)[1]


class TestRows:
    def test_of_an_unfinished_search(self, unfinished):
        rows = results(unfinished)
        table = pd.DataFrame(rows)
        assert list(table.trial) == [0, 1, 2, 3, 4]
        assert list(table.learning_rate) == [0.01, 0.02, 0.05, 0.1, 0.03]
        assert (table.width.dtype, table.seconds.dtype) == ("int64", "float64")
        assert rows[4]["score"] is None
        assert rows[4]["message"] == "ValueError: too wide"

    def test_each_column_has_one_type(self, tmp_path):
        space = {
            "score": {"values": [1, "two", True]},
            "units": {"values": [1, 2.5]},
            "kind": {"values": ["a", "b"]},
            "depth": {"low": 1, "high": 3, "when": {"kind": "a"}},
        }
        values = [
            {"score": 1, "units": 1, "kind": "a", "depth": 2},
            {"score": "two", "units": 2.5, "kind": "b"},
        ]
        records = [completed(n, 0.5, v) for n, v in enumerate(values)]
        rows = results(write_run(tmp_path / "run", space, records))
        assert list(rows[0]) == list(rows[1])
        assert [row["values.score"] for row in rows] == ["1", "two"]
        assert [row["score"] for row in rows] == [0.5, 0.5]
        assert [row["units"] for row in rows] == [1.0, 2.5]
        assert [row["depth"] for row in rows] == [2, None]

    def test_without_trials(self, tmp_path):
        assert results(write_run(tmp_path / "run", SPACE, [])) == []
