"""A short form of each part of the soak, and that it finds what it is there to find."""

import csv
import os
import shutil
import sys
import tempfile
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import h5py
import pytest
from rich.table import Table
from typer.testing import CliRunner

from tests import processes
from tests.search.conftest import train_nothing
from tfcourse import InputError, Search
from tfcourse.bench.soak import commands
from tfcourse.bench.soak.fire import under_fire
from tfcourse.bench.soak.inputs import CHECKPOINTS, write_search
from tfcourse.bench.soak.leaks import MEGABYTE, Sample, growth, leaks
from tfcourse.bench.soak.pools import pool_under_fire
from tfcourse.bench.soak.processes import Usage
from tfcourse.bench.soak.records import differences, record_faults, temporary_leftovers, weights
from tfcourse.bench.soak.report import Part, figures
from tfcourse.bench.soak.soak import bench
from tfcourse.bench.soak.works import Babysat, Fit, OneProcess
from tfcourse.cli import app
from tfcourse.training.checkpoints.checkpoint import CheckpointFolder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")


class Forked(processes.Process):
    """A program of the soak, forked from the process that all tests fork from."""

    def __init__(self, arguments, log, environ):
        super().__init__(["-m", *arguments], env={**os.environ, **(environ or {})})
        self.log = log

    def poll(self):
        if (status := super().poll()) is not None and not self.stdout.closed:
            texts = self.communicate()
            with self.log.open("a") as log:
                log.writelines(texts)
        return status

    def wait(self):
        super().wait()
        return self.poll()


@pytest.fixture(autouse=True)
def forked(monkeypatch):
    monkeypatch.setattr(commands, "_Forked", Forked)


@pytest.fixture
def short_folder():
    """A folder with a short name: that of a socket has 107 bytes at most."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


class TestShortForms:
    def test_trials(self, tmp_path, monkeypatch):
        monkeypatch.setattr(commands, "_alone", Forked)
        monkeypatch.setattr(sys.modules[leaks.__module__], "SECONDS_BETWEEN", 0.02)
        part = leaks(tmp_path, 24, 1, 0)
        assert part.faults == ()
        assert part.figures["trials"] == 24
        assert part.figures["threads"] > 1 and part.figures["megabytes after 6 trials"] > 100

    def test_fit(self, tmp_path):
        self.check(under_fire(Fit(tmp_path, 40, 0), tmp_path, 1, 0), 1)

    def test_population(self, tmp_path):
        work = OneProcess("population", tmp_path, 12, 0, caviar="population")
        self.check(under_fire(work, tmp_path, 1, 2), 1)

    def test_babysit(self, tmp_path):
        work = Babysat(tmp_path, 20, 0)
        self.check(under_fire(work, tmp_path, 1, 1), 1)

    def test_workers_and_their_parent(self, short_folder):
        self.check(pool_under_fire(short_folder, "workers", 12, 2, 0), 2)

    def check(self, part, kills):
        assert part.faults == ()
        assert part.figures["kills"] == kills


class Altered(Fit):
    """A training in whose newest checkpoint a weight is another one after a kill."""

    def start(self, folder, log):
        checkpoints = CheckpointFolder(folder / CHECKPOINTS, 9)
        if (newest := checkpoints.newest()) is not None:
            record = newest[1]
            first = record.variables[0]
            values = [first + first.dtype.type(1e-3), *record.variables[1:]]
            checkpoints.save(replace(record, variables=values))
        return super().start(folder, log)


def test_a_checkpoint_with_another_weight_is_found(tmp_path):
    part = under_fire(Altered(tmp_path, 60, 0), tmp_path, 1, 0)
    assert part.faults[0] == "after 1 kills: the state of variable 0 differs"
    assert "after 1 kills: the history differs" in part.faults


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """The run directory of a small search."""
    folder = tmp_path_factory.mktemp("soak")
    config = write_search(folder / "soak.toml", 3, 0)
    with pytest.MonkeyPatch.context() as patch:
        train_nothing(patch)
        return Search.from_toml(config, out=folder / "runs").run(verbose=False).directory


@pytest.fixture
def copy(search, tmp_path):
    return shutil.copytree(search, tmp_path / "soak")


class TestRecords:
    def test_a_finished_search_is_whole(self, search, copy):
        assert record_faults(search, 3) == []
        assert differences(copy, search) == []

    def test_lost_and_doubled_trials(self, copy):
        (copy / "trials" / "0001.json").unlink()
        assert record_faults(copy, 3) == ["trials/: 1 trials are lost, the first is 1"]
        shutil.copy(copy / "trials" / "0000.json", copy / "trials" / "0003.json")
        assert "trials/: trial 3 was not to be run" in record_faults(copy, 3)
        for name in ("results.csv", "history.csv"):
            lines = (copy / name).read_text().splitlines(keepends=True)
            (copy / name).write_text("".join([*lines, lines[1]]))
        told = record_faults(copy, 3)
        assert "results.csv: 1 trials are doubled, the first is 0" in told
        assert "history.csv: epochs are doubled, as ('0', '1')" in told

    def test_what_is_left_over(self, copy):
        (copy / "trials" / ".0001-0123abcd.json").touch()
        (copy / "claims.json").touch()
        assert record_faults(copy, 3) == [
            "claims.json is left over",
            "trials/.0001-0123abcd.json is left over",
        ]

    def test_temporary_files(self, tmp_path):
        (tmp_path / "tmphr3jwi0b" / "assets").mkdir(parents=True)  # Keras's
        assert temporary_leftovers(tmp_path) == []
        (tmp_path / "pymp-0").mkdir()
        assert temporary_leftovers(tmp_path) == ["1 temporary files are left, as pymp-0"]

    def test_another_result_of_a_trial(self, copy, search):
        path = copy / "results.csv"
        rows = [*csv.reader(path.read_text().splitlines())]
        rows[2][rows[0].index("score")] += "1"
        path.write_text("".join(",".join(row) + "\n" for row in rows))
        assert differences(copy, search) == ["results.csv differs"]
        record = copy / "trials" / "0001.json"
        record.write_text(record.read_text().replace('"completed"', '"pruned"', 1))
        assert differences(copy, search)[0].startswith("trial 1 is TrialRecord(trial=1, status='p")

    def test_another_weight_of_the_best_model(self, copy, search):
        path = copy / "best.keras"
        with zipfile.ZipFile(path) as file:
            parts = {name: file.read(name) for name in file.namelist()}
        with h5py.File(stream := BytesIO(parts["model.weights.h5"]), "r+") as h5:
            name = next(name for name, array in weights(path).items() if array.size > 1)
            h5[name][0] += 1e-3
        parts["model.weights.h5"] = stream.getvalue()
        with zipfile.ZipFile(path, "w") as file:
            for part, content in parts.items():
                file.writestr(part, content)
        assert differences(copy, search) == [f"best.keras: {name} differs"]


def samples(**last):
    """Those of a search of 1000 trials that holds the same all the time, but for its end."""
    steady = Usage(100 * MEGABYTE, 10, 5)
    kept = [Sample(trials, steady, 1) for trials in range(0, 1000, 10)]
    held = {"usage": steady, "temporary": 1, **last}
    return kept[:80] + [Sample(s.trials, **held) for s in kept[80:]]


@pytest.mark.parametrize(
    ("last", "told"),
    [
        ({}, []),
        ({"usage": Usage(149 * MEGABYTE, 10, 5)}, []),
        ({"usage": Usage(150 * MEGABYTE, 10, 5)}, ["memory grew by 50.0 MB"]),
        ({"usage": Usage(100 * MEGABYTE, 11, 5)}, ["open files grew from 10 to 11"]),
        ({"usage": Usage(100 * MEGABYTE, 10, 6)}, ["threads grew from 5 to 6"]),
        ({"temporary": 2}, ["temporary files grew from 1 to 2"]),
    ],
)
def test_what_grows_is_found(last, told):
    assert growth(samples(**last), 1000)[1] == told


def test_a_search_that_was_not_watched_is_no_proof():
    assert growth(samples()[:5], 1000) == (
        {},
        ["only 0 samples during the trials: they were too few"],
    )


class TestCommand:
    def run(self, *arguments):
        return CliRunner().invoke(app, ["bench", "soak", *map(str, arguments)])

    def test_a_broken_promise_ends_it_with_1(self, monkeypatch):
        asked = {}

        def parts(**options):
            asked.update(options)
            yield figures(Part("fit", {"kills": 2}))
            yield figures(Part("chief", {"kills": 3, "seconds": 1.26}, ("trial 7 is lost",)))

        monkeypatch.setattr("tfcourse.bench.soak.soak.bench", parts)
        result = self.run("--kills", 9, "--trials", 8, "--seed", 3, "--part", "fit")
        assert asked == {"kills": 9, "trials": 8, "seed": 3, "part": ["fit"]}
        assert result.exit_code == 1
        assert result.stderr.endswith("Error: Promises broke:\nchief: trial 7 is lost\n")
        assert "every promise was kept" in result.stdout
        assert "BROKEN: trial 7 is lost" in result.stdout
        result = self.run("--json")
        assert result.exit_code == 1
        assert '"faults": [\n        "trial 7 is lost"\n      ]' in result.stdout

    def test_it_takes_options_of_its_own(self):
        result = self.run("--repeats", 2)
        assert result.exit_code == 2
        assert result.stderr == (
            "Error: The bench soak takes --trials or --kills or --seed or --part. "
            "Received: --repeats.\n"
        )
        assert "bench soak [--trials N] [--kills N] [--seed N] [--part NAME]" in (
            self.run("--help").stdout
        )

    def test_a_part_that_there_is_not(self):
        with pytest.raises(InputError, match=r'part must be one of .*"babysit".*mean "fit"'):
            bench(part=["fitt"])


def test_figures_are_a_table():
    assert isinstance(figures(Part("fit", {})).table, Table)
