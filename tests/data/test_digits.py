"""scikit-learn's digits without its import."""

import importlib.machinery

import numpy as np
from sklearn.datasets import load_digits

from tfcourse.data import digits
from tfcourse.data.digits import digits_file, read_digits


def assert_scikit_learns(pair):
    for array, expected in zip(pair, load_digits(return_X_y=True), strict=True):
        np.testing.assert_array_equal(array, expected, strict=True)


def test_the_file_has_what_scikit_learn_returns():
    assert digits_file() is not None
    assert_scikit_learns(read_digits())


def test_without_the_file_scikit_learn_reads_them(tmp_path, monkeypatch):
    elsewhere = importlib.machinery.ModuleSpec("sklearn", None, is_package=True)
    elsewhere.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(digits, "find_spec", lambda name: elsewhere)
    assert digits_file() is None
    assert_scikit_learns(read_digits())


def test_no_package_has_no_file(monkeypatch):
    monkeypatch.setattr(digits, "find_spec", lambda name: None)
    assert digits_file() is None
