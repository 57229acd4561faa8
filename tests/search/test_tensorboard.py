"""A search that writes event files for TensorBoard while it runs."""

import logging
from dataclasses import replace

import pytest
from typer.testing import CliRunner

import tfcourse
from tests.report import tensorboard
from tfcourse import InputError
from tfcourse.cli import app
from tfcourse.search.results import tensorboard as writer
from tfcourse.search.runtime import execution
from tfcourse.search.store.directory import RunDirectory


def with_events(search, path, out=None, **changes):
    """The search with ``[search] tensorboard``."""
    table = search.config.search.model_copy(update={"tensorboard": str(path), **changes})
    return tfcourse.Search(replace(search.config, search=table), out or search.out)


def files(folder):
    """The contents of all files but the one that tells whose they are, by path."""
    paths = [p for p in folder.rglob("*") if p.is_file() and p.name != "tfcourse.json"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def exported(directory, folder):
    result = CliRunner().invoke(app, ["export", str(directory), "--tensorboard", str(folder)])
    assert result.exit_code == 0, result.output
    return files(folder)


@pytest.fixture
def seen(monkeypatch, tmp_path):
    """The trials that have an event file in ``events``, after each trial."""
    numbers = []

    class Progress(execution.SearchProgress):
        def advance(self, record, best):
            paths = (tmp_path / "events").glob("trial_*/*tfevents*")
            numbers.append(sorted(int(path.parent.name[-4:]) for path in paths))
            super().advance(record, best)

    monkeypatch.setattr(execution, "SearchProgress", Progress)
    return numbers


class TestLive:
    def test_each_trial_is_written_when_it_ends(self, quick, untrained, tmp_path, seen):
        search = with_events(quick(), tmp_path / "events")
        search.run(verbose=False)
        assert seen == [[0], [0, 1], [0, 1, 2]]
        names = [f"trial_000{n}/events.out.tfevents.tfcourse" for n in range(3)]
        assert sorted(files(tmp_path / "events")) == ["events.out.tfevents.tfcourse", *names]
        # An export of the record is the same.
        assert files(tmp_path / "events") == exported(search.directory, tmp_path / "later")

    def test_the_path_is_relative_to_the_config(self, quick, tmp_path):
        search = quick(search={"tensorboard": "../events"})
        assert search.config.search.tensorboard == str(tmp_path.parent / "events")
        config = tmp_path / "search.toml"
        folder = tfcourse.Search.from_toml(config, tensorboard="here").config.search.tensorboard
        assert folder == str(tmp_path / "here")  # the current folder

    def test_the_record_is_the_same(self, quick, untrained, tmp_path):
        search = quick()
        plain = search.run(verbose=False)
        other = with_events(search, tmp_path / "events", tmp_path / "other").run(verbose=False)
        for number, record in plain.trials.items():
            assert replace(other.trials[number], seconds=record.seconds) == record

    def test_nothing_without_the_setting(self, quick):
        search = quick()

        def on_end(record, best):
            pass

        directory = RunDirectory(search.directory)
        assert writer.writing_events(search.config, directory, {}, on_end) is on_end

    def test_after_a_kill_nothing_is_missing_or_double(self, quick, untrained, tmp_path, seen):
        search, events = quick(), tmp_path / "events"
        with_events(search, events).run(verbose=False)
        expected = files(events)
        directory = RunDirectory(search.directory)
        # Killed: after the record of trial 0, before its event file was renamed; and in trial 2.
        first = events / "trial_0000" / "events.out.tfevents.tfcourse"
        first.rename(first.with_name("part"))
        directory.forget_trial(2)
        with_events(search, events).run(verbose=False)
        assert seen[-1] == [0, 1, 2]
        assert sorted(files(events)) == sorted(expected)
        assert files(events) == exported(search.directory, tmp_path / "later")

    def test_for_an_old_directory(self, quick, untrained, tmp_path):
        search = quick()
        search.run(verbose=False)
        with_events(search, tmp_path / "events").run(verbose=False)
        assert files(tmp_path / "events") == exported(search.directory, tmp_path / "later")
        more = with_events(search, tmp_path / "events", trials=4)
        assert len(more.run(verbose=False).trials) == 4
        assert (tmp_path / "events" / "trial_0003").is_dir()

    def test_a_new_start_removes_the_old_trials(self, quick, untrained, tmp_path):
        search = quick()
        with_events(search, tmp_path / "events").run(verbose=False)
        again = with_events(search, tmp_path / "events", trials=2, seed=1)
        again.run(verbose=False, fresh=True)
        assert files(tmp_path / "events") == exported(search.directory, tmp_path / "later")
        assert len(files(tmp_path / "events")) == 3

    def test_other_folders_are_refused_before_anything_is_written(self, quick, tmp_path):
        search = with_events(quick(), tmp_path)
        with pytest.raises(InputError, match=r"^\[search\] tensorboard: .* has files that no exp"):
            search.run(verbose=False)
        assert not search.directory.exists()

    def test_a_disk_that_can_not_be_written_does_not_end_the_search(
        self, quick, untrained, tmp_path, monkeypatch, caplog
    ):
        def full(*arguments):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(writer, "_write", full)
        search = with_events(quick(), tmp_path / "events")
        with caplog.at_level(logging.WARNING, "tfcourse"):
            assert len(search.run(verbose=False).trials) == 3
        assert "[search] tensorboard: OSError: [Errno 28] No space left on device" in caplog.text
        monkeypatch.undo()


def test_the_option(quick, tmp_path):
    quick(points="points")
    config, out = str(tmp_path / "search.toml"), str(tmp_path / "runs")
    options = ["--out", out, "--trials", "1", "--tensorboard", "events"]
    result = CliRunner().invoke(app, ["search", config, *options])
    assert result.exit_code == 0, result.output
    _, groups = tensorboard.hparams_page(tmp_path / "events")
    assert list(groups) == ["trial_0000"]
