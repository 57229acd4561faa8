"""A search of objects in worker processes: the same trials, the data in one file, removed."""

import functools
import pickle
import sys
from pathlib import Path

import keras
import numpy as np
import pandas
import pytest

from tests.search.conftest import RATE
from tfcourse import InputError, Search
from tfcourse.data.splits import Part, Split
from tfcourse.data.splitting.stored_split import StoredSplit
from tfcourse.errors import WorkFailedError
from tfcourse.search.data.loading import load_split
from tfcourse.search.runtime.shared_objects import check_shareable, sharing
from tfcourse.search.store.data_record import data_record
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.shared_data import shared_data
from tfcourse.training.data.arrays import Arrays

Y = np.arange(60) % 3
X = np.random.default_rng(0).normal(size=(60, 4)) + 3 * Y[:, None]
QUICK = {"space": RATE, "epochs": 2, "batch_size": 12, "optimizer": "gradient_descent", "trials": 4}


def linear(input_shape, classes, units=8):
    layers = [keras.layers.Dense(units), keras.layers.Dense(classes, activation="softmax")]
    return keras.Sequential([keras.Input(input_shape), *layers])


class TestStoredSplit:
    PARTS = {
        "arrays": Part(X.astype(np.float32), Y),
        "dicts": Part({"a": X, "b": X[:, 0]}, {"p": Y, "q": X}, {"p": X[:, 1]}),
        "columns": Part(np.asfortranarray(X), Y, X[:, 0]),
        "one row": Part(X[:1], Y[:1]),
    }

    @pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
    def test_it_holds_what_was_written(self, part, tmp_path):
        split = Split(part, part.rows(slice(0, 1)), None, 3, ("a note",), groups=np.arange(5))
        found = StoredSplit.write(split, tmp_path / "split").read()
        assert data_record(found) == data_record(split)
        assert (found.notes, found.classes, found.test) == (split.notes, 3, None)

    def test_a_pickle_of_another_program_is_not_loaded(self, tmp_path):
        stored = StoredSplit.write(Split(*[self.PARTS["arrays"]] * 3, 3), tmp_path / "split")

        class Touch:
            def __reduce__(self):
                return Path.touch, (tmp_path / "ran",)

        evil = pickle.dumps(([], Touch()))
        stored.path.write_bytes(evil + bytes(8))
        with pytest.raises(WorkFailedError) as error:
            stored.read()
        assert str(error.value) == (
            f"{stored.path} is not the file that the search wrote: another program changed it. "
            "Run the same command again."
        )
        assert not (tmp_path / "ran").exists()
        assert pickle.loads(evil)  # a positive control
        assert (tmp_path / "ran").exists()

    def test_its_arrays_are_views_of_the_file(self, tmp_path):
        stored = StoredSplit.write(Split(*[self.PARTS["arrays"]] * 3, 3), tmp_path / "split")
        x = pickle.loads(pickle.dumps(stored)).read().train.x
        assert not x.flags.writeable and not x.flags.owndata
        assert x.ctypes.data % 64 == 0
        tensor, again = Arrays.of(x).parts[0], Arrays.of(x[8:]).parts[0]
        assert np.asarray(memoryview(tensor)).ctypes.data == x.ctypes.data  # no copy for a training
        np.testing.assert_array_equal(again, X.astype(np.float32)[8:])
        copied = Arrays.of(x.copy()).parts[0]
        assert np.asarray(memoryview(copied)).ctypes.data != x.ctypes.data


def test_workers_run_the_trials_of_one_process(tmp_path):
    """Of a table with groups, and with a builder that is no function."""
    table = pandas.DataFrame(X, columns=[*"abcd"]).assign(patient=np.arange(60) % 30)
    arguments = {
        **QUICK,
        "data": (table, Y),
        "group": "patient",
        "normalize": "standardize",
        "folds": 2,
        "build": functools.partial(linear, units=4),
    }
    alone = Search(**arguments, out=tmp_path / "alone").run(verbose=False)
    Search(**{**arguments, "trials": 2}, out=tmp_path / "two").run(verbose=False)
    search = Search(**arguments, out=tmp_path / "two", trial_timeout=300.0)  # continues it
    shared = search.run(verbose=False, workers=2)
    for number, record in alone.trials.items():
        assert shared.trials[number].values == record.values
        assert shared.trials[number].history == record.history
    assert shared.summary.test == alone.summary.test
    assert {record.worker for record in shared.trials.values()} - {"main"}
    assert not list((tmp_path / "two").glob(".*.data"))
    arguments |= {"data": (table + 1, Y), "trials": 5}
    with pytest.raises(InputError, match="the data is another"):
        Search(**arguments, out=tmp_path / "two").run(verbose=False, workers=2)


def test_the_file_is_there_as_long_as_it_is_needed(tmp_path):
    search = Search(**QUICK, build=linear, data=(X, Y), out=tmp_path)
    directory = RunDirectory(search.directory)
    with pytest.raises(ZeroDivisionError), sharing(search.config, directory) as shared:
        assert data_record(shared.split.read()) == data_record(load_split(search.config))
        assert shared_data(directory.path).parent == tmp_path
        1 / 0  # noqa: B018  (any error)
    assert not shared_data(directory.path).exists()
    shared_data(directory.path).touch()  # as a kill leaves it
    directory.remove_leftovers()
    assert not shared_data(directory.path).exists()


def test_a_search_of_names_shares_nothing(tmp_path):
    search = Search(**QUICK, source="digits", out=tmp_path)
    with sharing(search.config, RunDirectory(search.directory)) as shared:
        assert shared is None


def of_main(input_shape, classes):
    return linear(input_shape, classes)


class TestRefused:
    def test_a_lambda(self, tmp_path):
        search = Search(**QUICK, build=lambda input_shape, classes: linear(input_shape, classes))
        said = (
            r"Search: build, .*<lambda>, can't be had by other processes, .* Put it into a module"
        )
        with pytest.raises(InputError, match=said):
            search.run(verbose=False, workers=2)

    def test_a_function_of_a_script(self, monkeypatch):
        main = sys.modules["__main__"]
        monkeypatch.setattr(of_main, "__module__", "__main__")
        monkeypatch.setattr(main, "of_main", of_main, raising=False)
        for build in (of_main, functools.partial(of_main)):
            with pytest.raises(InputError, match=r"it is of the program that was started, which"):
                check_shareable(Search(**QUICK, build=build).config)

    def test_a_loss_that_is_a_local_function(self):
        def own(y_true, y_pred):
            return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)

        with pytest.raises(
            InputError, match=r'Search: ".*own", .*, can\'t be had .* trial_timeout'
        ):
            check_shareable(Search(**QUICK, build=linear, loss=own, targets="labels").config)

    def test_what_can_be_imported_is_not(self):
        for build in (linear, functools.partial(linear, units=3), "mlp"):
            check_shareable(Search(**QUICK, build=build, data=(X, Y)).config)
