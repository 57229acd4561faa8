"""A search in several processes: the trials of one process, whoever dies on the way."""

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests import processes
from tests.search.runtime.pools import SLOW, Watched, kill_when, same
from tfcourse import InputError, Search, SearchFailedError
from tfcourse.errors import WorkFailedError
from tfcourse.search.config import time_limits
from tfcourse.search.runtime import conclusion, local
from tfcourse.search.runtime.conductor import LocalConductor
from tfcourse.search.space.parameters import Choice
from tfcourse.search.space.sampling import sample
from tfcourse.search.store.directory import RunDirectory

TRIALS = 6
SPACE = {
    "learning_rate": {"low": 0.01, "high": 0.5, "scale": "log"},
    "batch_size": {"values": [8, 12, 36]},
}


@pytest.fixture(autouse=True)
def watched(monkeypatch):
    monkeypatch.setattr(local, "Supervisor", Watched)
    Watched.newest = None


@pytest.fixture
def slow(quick):
    """A search of slow trials; ``does`` are values of the builder's argument, each of one trial."""

    def make(*does, **search):
        space = SPACE | ({"does": {"values": ["", *does]}} if does else {})
        return quick(
            SLOW,
            builder="slow",
            space=space,
            search={"trials": TRIALS, "seed": each_once(does), **search},
        )

    return make


def each_once(does):
    """A seed with which one trial of six, not the first (which is rehearsed), does each of them."""
    choice = {"does": Choice(("", *does))}
    drawn = (
        (seed, [sample(choice, seed, trial)["does"] for trial in range(TRIALS)])
        for seed in range(1000)
    )
    return next(
        seed for seed, each in drawn if not each[0] and all(each.count(one) == 1 for one in does)
    )


def runs(pid):
    """Return whether a process runs; one that ended may still be listed until it is reaped."""
    try:
        os.kill(pid, 0)
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


def elsewhere(search, out):
    return Search(search.config, out)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The result of one process, once a test has asked for it, and where it is to lie."""
    return tmp_path_factory.mktemp("alone"), []


@pytest.fixture
def by_one_process(slow, results):
    """The result of one process: the module's name, which differs by test, is nothing to it."""
    out, runs = results
    if not runs:
        runs.append(elsewhere(slow(), out).run(verbose=False))
    return runs[0]


@pytest.fixture
def alone(slow, by_one_process):
    """The search, and what one process gives."""
    return slow(), same(by_one_process)


def files(directory):
    return sorted(p.name for p in directory.iterdir())


class TestTheSameTrials:
    def test_by_more_workers_than_cores(self, slow, by_one_process):
        """Those of two workers are compared in `TestDeaths`."""
        search = slow()
        result = search.run(verbose=False, workers=4)
        assert same(result) == same(by_one_process)
        assert len({record.worker for record in result.trials.values()}) > 1
        assert files(result.directory) == files(by_one_process.directory)
        assert by_one_process.summary == result.summary
        assert search.run(workers=4).was_complete

    def test_coarse_to_fine(self, slow, tmp_path):
        search = slow(strategy="coarse_to_fine", coarse_to_fine={"trials_per_round": 3})
        expected = elsewhere(search, tmp_path / "alone").run(verbose=False)
        result = search.run(verbose=False, workers=2)
        assert same(result) == same(expected)
        assert result.rounds == expected.rounds

    def test_convolutions(self, quick, tmp_path):
        """Their sums round differently with the number of threads: a command beside workers."""
        search = quick(
            SLOW,
            builder="convolutions",
            space={"learning_rate": {"values": [0.1, 0.2]}},
            search={"trials": 2},
            points="pictures",
        )
        done = processes.run(["-m", "tfcourse", "search", "search.toml", "--out", "alone"])
        assert done.returncode == 0, done.stderr
        alone = elsewhere(search, tmp_path / "alone").run()
        assert alone.was_complete
        assert same(search.run(verbose=False, workers=2)) == same(alone)

    def test_begun_by_one_process_and_continued_by_two(self, alone, tmp_path, monkeypatch):
        search, expected = alone
        search.run(verbose=False)
        directory = RunDirectory(search.directory)
        for trial in (1, 2, 4):
            directory.forget_trial(trial)
        # From now on with event files, while the search runs and not only at its end.
        table = search.config.search.model_copy(update={"tensorboard": str(tmp_path / "events")})
        search = Search(replace(search.config, search=table), search.out)
        monkeypatch.setattr(conclusion, "write_events", lambda *arguments: None)
        assert same(search.run(verbose=False, workers=2)) == expected
        runs = sorted((tmp_path / "events").glob("trial_*"))
        assert [run.name for run in runs] == [f"trial_{n:04d}" for n in range(TRIALS)]
        for number, run in enumerate(runs):
            (path,) = run.iterdir()
            assert path.stat().st_mtime_ns == directory.record_of(number).stat().st_mtime_ns


class TestErrors:
    def test_a_builder_that_starts_processes_of_its_own(self, quick):
        search = quick(SLOW, builder="slow", model={"does": "fork"}, search={"trials": 2})
        result = search.run(verbose=False, workers=2)
        assert [record.status for record in result.trials.values()] == ["completed"] * 2

    def test_a_worker_that_is_late_for_everything(self, quick, monkeypatch):
        monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
        search = quick(SLOW, points="late_points", search={"trials": 2})
        assert len(search.run(verbose=False, workers=2).trials) == 2
        late = int(Path("late").read_text())
        assert len({r.worker for r in search.run().trials.values()}) == 1
        with pytest.raises(ProcessLookupError):  # it is not waited for
            os.kill(late, 0)

    def test_every_trial_failed(self, quick):
        search = quick(space={"learning_rate": {"values": [1e38, 2e38]}}, search={"trials": 2})
        with pytest.raises(SearchFailedError, match=r"All 2 trials failed; .*not finite in epoch"):
            search.run(verbose=False, workers=2)

    def test_a_builder_that_cannot_work(self, quick):
        search = quick(SLOW, builder="slow", model={"does": "fail"})
        with pytest.raises(InputError, match=r'builder ".*:slow" failed for .*asked to fail'):
            search.run(verbose=False, workers=2)
        assert not search.directory.exists()

    def test_a_full_disk_ends_the_search_and_loses_nothing(self, slow, tmp_path):
        search = slow("full")
        (tmp_path / "full").touch()
        said = r"the checkpoint .* can't be written \(.*File too large\)\. .*is the disk full\?"
        with pytest.raises(WorkFailedError, match=said):
            search.run(verbose=False, workers=2)
        (tmp_path / "full").unlink()
        kept = search.finished()
        assert len(kept) < TRIALS
        expected = same(elsewhere(search, tmp_path / "alone").run(verbose=False))
        result = same(search.run(verbose=False, workers=2))
        assert result == expected


def began(number):
    return lambda pool: any(r.trial >= number for begun in pool.running.values() for r in begun)


class TestDeaths:
    def test_a_killed_worker_comes_back_to_its_trial(self, alone):
        search, expected = alone

        def ready(pool):
            return any(running.trial >= 1 for running in pool.running.get("w1", []))

        killer = kill_when(ready, "w1")
        assert same(search.run(verbose=False, workers=2)) == expected
        assert killer.killed
        assert Watched.newest.started.count("w1") == 2

    def test_of_a_search_with_pruning_the_same_trials_are_pruned(self, slow, tmp_path):
        pruning = {"rule": "asha", "parallel": 2}
        search = slow(objective="val_loss", pruning=pruning, seed=11)  # some are pruned
        expected = elsewhere(search, tmp_path / "alone").run(verbose=False)
        assert 0 < expected.summary.pruned < TRIALS - 2
        killer = kill_when(began(3), "w1")
        result = search.run(verbose=False, workers=2)
        assert same(result) == same(expected)
        assert result.summary == expected.summary
        assert killer.killed

    def test_trials_that_fail_hang_or_kill_their_workers_are_given_up(self, slow, tmp_path):
        """The others go on. The process that one has started has the dead worker's connection."""
        search = slow("fail", "hang", "orphan", trial_timeout=8.0)
        result = search.run(verbose=False, workers=2)
        given_up = {r.values["does"]: r for r in result.trials.values() if r.status == "failed"}
        assert given_up.keys() == {"fail", "hang", "orphan"}
        assert given_up["fail"].message == "ValueError: asked to fail"
        assert "in slow" in given_up["fail"].traceback
        assert given_up["hang"].message == "Ended after trial_timeout = 8 s."
        assert 8 <= given_up["hang"].seconds < 60
        assert given_up["orphan"].message == (
            "The worker died 3 times in this trial, the last time by SIGKILL: "
            "perhaps the system was out of memory."
        )
        orphans = [int(path.name.partition("-")[2]) for path in tmp_path.glob("orphan-*")]
        assert len(orphans) == 3
        assert not any(map(runs, orphans))

    @pytest.mark.parametrize(
        ("part", "said"),
        [
            ("data", r'\[data\] source ".*:hanging" gave no data in 2 s, and was ended before any'),
            ("model", r'\[model\] builder ".*:hang" gave no model in 2 s, and was ended before'),
        ],
    )
    def test_what_hangs_before_the_first_trial_is_refused(self, quick, monkeypatch, part, said):
        monkeypatch.setattr(time_limits, "LEAST_FOR_PREPARATION", 2.0)
        source = """
            import time

            def hanging():
                time.sleep(600)

            def hang(input_shape, classes):
                time.sleep(600)
        """
        names = {"data": {"points": "hanging"}, "model": {"builder": "hang"}}[part]
        search = quick(source, search={"trial_timeout": 1.0}, **names)
        with pytest.raises(InputError, match=said):
            search.run(verbose=False)
        assert not search.directory.exists()

    def test_what_workers_print_is_shown_and_kept(self, quick, capfd):
        source = """
            import posix, sys, warnings

            def prints(input_shape, classes, units):
                print(f"built with {units}")
                warnings.warn("an odd one")
                if units == 3:
                    posix._exit(0)
                return linear(input_shape, classes)
        """
        space = {"units": {"values": [2, 3]}, "learning_rate": {"low": 0.01, "high": 0.1}}
        units = [2, 3, 2]
        choice = {"units": Choice((2, 3))}
        seed = next(
            s for s in range(99) if [sample(choice, s, t)["units"] for t in range(3)] == units
        )
        search = quick(source, "prints", space, search={"seed": seed})
        result = search.run(verbose=False, workers=2)
        logs = {log.stem: log.read_text() for log in (result.directory / "logs").iterdir()}
        shown = capfd.readouterr().err.splitlines()
        for name, text in logs.items():
            for line in text.splitlines():
                assert f"{name}: {line}" in shown
        together = "".join(logs.values())
        # The one that ended its process was begun three times, though its status was 0.
        assert together.count("built with 3") == 3
        assert together.count("built with 2") == 2
        assert "UserWarning: an odd one" in together
        place = f"Its log: {result.directory / 'logs'}"
        died = result.trials[1]
        assert died.message.startswith("The worker died 3 times in this trial, the last time with ")
        assert place in died.message
        said = [
            line for line in shown if " ended in trial 1 with exit status 0, and begins" in line
        ]
        assert len(said) == 3
        assert all(place in line for line in said)
        # It is a run directory as any.
        assert search.run(verbose=False, workers=2).was_complete

    def test_a_worker_that_dies_while_it_prepares_begins_again(self, alone):
        search, expected = alone
        killer = kill_when(lambda pool: "w1" in pool.preparing, "w1")
        assert same(search.run(verbose=False, workers=2)) == expected
        assert killer.killed
        assert Watched.newest.started.count("w1") == 2

    def test_a_worker_that_dies_while_it_measures_the_best_model_begins_again(
        self, alone, monkeypatch
    ):
        search, expected = alone
        measuring = LocalConductor._next_order

        def deadly(conductor, worker):
            order = measuring(conductor, worker)
            if order is not None and order["what"] == "measure" and not killed:
                killed.append(worker)
                os.kill(Watched.newest.children[worker].pid, signal.SIGKILL)
            return order

        killed = []
        monkeypatch.setattr(LocalConductor, "_next_order", deadly)
        result = search.run(verbose=False, workers=2)
        assert same(result) == expected
        assert len(result.summary.measurements) == 1
        assert Watched.newest.started.count(killed[0]) == 2

    def test_the_others_finish_the_search_without_a_worker_that_keeps_dying(
        self, alone, monkeypatch
    ):
        search, expected = alone

        class Cursed(Watched):
            def _start(self, name):
                super()._start(name)
                if name == "w2":
                    self.children["w2"].kill()

        monkeypatch.setattr(local, "Supervisor", Cursed)
        assert same(search.run(verbose=False, workers=2)) == expected
        assert Cursed.newest.started.count("w2") == 3

    def test_workers_that_keep_dying_end_the_search(self, slow, monkeypatch):
        search = slow()

        class Cursed(Watched):
            def _start(self, name):
                super()._start(name)
                if name == "w1":
                    self.children["w1"].kill()

        monkeypatch.setattr(local, "Supervisor", Cursed)
        with pytest.raises(WorkFailedError, match=r"kept dying: w1, the last time by SIGKILL"):
            search.run(verbose=False, workers=2)
        assert Watched.newest is None
        assert Cursed.newest.started.count("w1") == 3
        assert Cursed.newest.children == {}


class TestPopulations:
    """Each worker trains a group of trials at a time."""

    TRIALS = 8
    SPACE = {"learning_rate": SPACE["learning_rate"]}

    def search(self, quick, epochs=4, **search):
        return quick(
            model={"builder": "mlp", "units": 5},
            space=self.SPACE,
            training={"epochs": epochs, **search.pop("training", {})},
            search={"trials": self.TRIALS, "caviar": "population", **search},
        )

    def test_the_trials_of_one_process(self, quick, tmp_path):
        search = self.search(quick)
        expected = elsewhere(search, tmp_path / "alone").run(verbose=False)
        result = search.run(verbose=False, workers=2)
        self.assert_same(result, expected)
        assert {record.worker for record in result.trials.values()} == {"w1", "w2"}
        assert [*result.efforts] == ["w1", "w2"]
        assert [effort.vectorized for effort in result.efforts.values()] == [4, 4]
        assert [effort.traces for effort in result.efforts.values()] == [2, 2]
        assert files(result.directory) == files(tmp_path / "alone" / "quick")

    def assert_same(self, result, expected):
        for trial, record in expected.trials.items():
            mine = result.trials[trial]
            assert (mine.values, mine.status) == (record.values, record.status)
            assert mine.history["val_loss"] == pytest.approx(record.history["val_loss"], abs=1e-4)

    def test_a_killed_worker_comes_back_to_its_trials(self, quick):
        search = self.search(quick, epochs=60, training={"jit_compile": False})
        killer = kill_when(lambda pool: len(pool.running.get("w1", [])) > 1, "w1")
        result = search.run(verbose=False, workers=2)
        assert killer.killed
        assert Watched.newest.started.count("w1") == 2
        assert sorted(result.trials) == [*range(self.TRIALS)]
        assert {record.status for record in result.trials.values()} == {"completed"}

    def test_of_a_group_that_kills_its_worker_one_trial_is_to_blame(self, quick, monkeypatch):
        """The others of the group, run one by one, come to their end."""
        search = self.search(quick)
        chosen = sample(search.config.space, 0, 3)["learning_rate"]

        class Deadly(Watched):
            """Kills a worker as soon as it has begun the trial."""

            def _receive(self):
                super()._receive()
                for name, begun in list(self.running.items()):
                    if any(r.values["learning_rate"] == chosen for r in begun):
                        self.children[name].kill()

        monkeypatch.setattr(local, "Supervisor", Deadly)
        result = search.run(verbose=False, workers=2)
        failed = {trial for trial, r in result.trials.items() if r.status == "failed"}
        assert failed == {3}
        assert result.trials[3].message.startswith("The worker died 3 times in this trial")


class TestDamagedFiles:
    """Every file of the run directory, cut at some place, one at a time."""

    @pytest.mark.usefixtures("untrained")
    def test_each_of_them(self, quick, tmp_path):
        """That a trial is trained to the same values again is in `tests.search.test_search`."""
        search = quick(space=SPACE, search={"trials": TRIALS})
        whole = search.run(verbose=False)
        names = sorted(str(p.relative_to(search.directory)) for p in search.directory.rglob("*.*"))
        assert {"best.keras", "results.csv", "summary.json", "trials/0003.json"} <= set(names)
        for number, name in enumerate(names):
            copy = tmp_path / f"copy{number}"
            shutil.copytree(search.out, copy)
            path = copy / "quick" / name
            data = path.read_bytes()
            path.write_bytes(data[: len(data) * (number % 4) // 4])
            again = elsewhere(search, copy).run(verbose=False)
            assert same(again) == same(whole)
            assert again.summary == whole.summary
            if name != "best.keras":  # a zip file has its time in it
                assert path.read_bytes() == data or name.startswith(("trials/", "summary.json"))
            assert again.was_complete is False
            assert again.best_model() is not None
