"""A search whose examples are train and dev set alone: nothing is measured, and nothing claimed."""

import json
import re
from dataclasses import replace

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

import tfcourse
from tests.search.conftest import RATE
from tfcourse import Search
from tfcourse.cli import app
from tfcourse.report.page.parts import header
from tfcourse.search.data.loading import load_split
from tfcourse.search.results.search_record import read_record

Y = np.arange(60) % 3
X = np.random.default_rng(0).normal(size=(60, 4)) + 3 * Y[:, None]
TWO = {"data": {"split": [0.8, 0.2]}}


def says_test(text):
    """The lines that speak of a test, but for names of folders of pytest's, and of retests."""
    text = re.sub(r"\S*(pytest|_test_)\S*|retest|written_for_a_test_\d+", "", text)
    return [line for line in text.splitlines() if "test" in line.lower()]


@pytest.fixture
def command():
    def run(*arguments):
        ended = CliRunner().invoke(app, [*map(str, arguments)])
        assert ended.exit_code == 0, ended.output
        return ended.output

    return run


def linear(input_shape, classes):
    layers = [keras.Input(input_shape), keras.layers.Dense(classes, activation="softmax")]
    return keras.Sequential(layers)


@pytest.mark.usefixtures("untrained")
class TestNothingIsClaimed:
    def test_by_the_result_and_its_record(self, quick):
        search = quick(**TWO)
        result = search.run(verbose=False)
        split = load_split(search.config)
        assert list(split.parts) == ["train", "dev"]
        assert (split.train.count, split.dev.count) == (48, 12)
        assert (result.summary.test, result.summary.measurements) == ({}, ())
        assert says_test("\n".join(result.lines())) == []
        assert search.run(verbose=False).was_complete
        assert tfcourse.Search.read_result(result.directory).summary == result.summary
        data = json.loads((result.directory / "data.json").read_text())
        assert sorted(data) == ["dev_x", "dev_y", "sha256", "train_x", "train_y"]

    def test_by_the_commands(self, quick, command, tmp_path):
        run = quick(**TWO).run(verbose=False).directory
        twin = quick(**TWO, search={"name": "twin"}).run(verbose=False).directory
        for name, *options in (
            *(["show"], ["show", "--json"], ["watch", "--once"], ["best"], ["best", "--json"]),
            *(["compare", twin], ["compare", twin, "--json"]),
            ["export", "--csv", tmp_path / "table.csv"],
        ):
            said = command(name, run, *options)
            if "--json" not in options:
                assert says_test(said) == [], name
        assert says_test(header(read_record(run))) == []  # of the report
        (run / "summary.json").unlink()
        assert says_test(header(read_record(run))) == []

    def test_when_another_trial_becomes_the_best(self, quick):
        """The model is looked at again, and there is no warning of a second measurement."""
        search = quick(**TWO, search={"trials": 1})
        search.run(verbose=False)
        config = search.config
        for trials in (2, 6):
            more = replace(config, search=config.search.model_copy(update={"trials": trials}))
            result = tfcourse.Search(more, search.out).run(verbose=False)
            assert says_test("\n".join(result.lines())) == []
        assert result.summary.trial > 0
        assert result.summary.measurements == ()

    def test_beside_a_search_with_one(self, quick, command, tmp_path):
        without = quick(**TWO, search={"name": "without"}).run(verbose=False).directory
        with_one = quick(search={"name": "one"}).run(verbose=False).directory
        one, other = json.loads(command("compare", without, with_one, "--json"))["searches"]
        assert (one["test"], one["test_score"]) == ({}, None)
        assert other["test_score"] is not None
        assert len(says_test(command("compare", without, with_one))) == 1  # the column's heading


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize(
    "arrays",
    [{"train": (X[:40], Y[:40]), "dev": (X[40:], Y[40:])}, {"data": (X, Y), "split": [0.75, 0.25]}],
    ids=["given sets", "one to split"],
)
def test_arrays(arrays, tmp_path):
    search = Search(space=RATE, build=linear, trials=2, epochs=1, out=tmp_path, **arrays)
    split = load_split(search.config)
    assert split.test is None
    assert split.train.count == (40 if "train" in arrays else 45)
    result = search.run(verbose=False)
    assert says_test(str(result)) == []
    assert len(tfcourse.retest(search, top=2, verbose=False).trials) == 2
    other = {**arrays, "test": (X, Y)} if "train" in arrays else {**arrays, "split": [0.5, 0.5]}
    changed = Search(space=RATE, build=linear, trials=2, epochs=1, out=tmp_path, **other)
    with pytest.raises(tfcourse.InputError, match="another"):
        changed.run(verbose=False)


def test_a_summary_that_lacks_its_measurements_is_damaged(tmp_path):
    from tfcourse.search.store.summary import read_summary

    summary = {"trial": 0, "objective": "val_accuracy", "score": 1.0, "test": {"accuracy": 0.9}}
    path = tmp_path / "summary.json"
    for damage in ({"measurements": []}, {"test": {}}):
        whole = {"measurements": [{**summary, "trials": 1}], **summary}
        path.write_text(json.dumps(whole | damage))
        assert read_summary(path) is None
