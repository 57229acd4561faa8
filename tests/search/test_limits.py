"""Absurd names, sizes and texts in a config: refused in words, on a line of bearable length."""

import re

import pytest

from tfcourse import InputError, Search
from tfcourse.search.config.load import parse_config
from tfcourse.search.runtime.resources import worker_count

LONG = [0.1] * 3000
RATE = {"learning_rate": {"low": 1e-4, "high": 0.1, "scale": "log"}}


def parse(folder, space=None, **tables):
    search = {"name": "small", "trials": 3, **tables.pop("search", {})}
    return parse_config({"search": search, "space": space or RATE, **tables}, "f", folder)


CASES = {
    "units": ({"model": {"units": 10**12}}, r"\[model\] units must be <= 2147483647\. Received: 1"),
    "layers": ({"model": {"layers": 10**12}}, r"\[model\] layers must be <= 10000\. Received: 1"),
    "searched units": (
        {"space": {"units": {"low": 1, "high": 10**12}}},
        r"\[space\.units\] high must be <= 2147483647\. Received: 1000000000000\.",
    ),
    "trials": ({"search": {"trials": 10**9}}, r"\[search\] trials: must be .*1000000\. Received"),
    "batch_size": (
        {"training": {"batch_size": 10**12}},
        r"\[training\] batch_size: must be less than or equal to 2147483647\. Received: 1",
    ),
    "epochs": ({"training": {"epochs": 2**63}}, r"\[training\] epochs must be .* 64 bits\."),
    "folds": ({"training": {"folds": 10**12}}, r"\[training\] folds: must be .*1000000\. Received"),
    "repeats": ({"training": {"repeats": 10**12}}, r"\[training\] repeats: must be .*1000000\."),
    "workers": ({"search": {"workers": 10**12}}, r"\[search\] workers: must be .*1000\. Received"),
    "threads": ({"search": {"threads": 10**12}}, r"\[search\] threads: must be .*1000\. Received"),
    "range": (
        {"space": {"learning_rate": {"low": 1, "high": 10**5000}}},
        r"\[space\] learning_rate high must be a number of at most 64 bits\. Received: <int>\.",
    ),
    "values": (
        {"space": {"learning_rate": {"values": LONG}}},
        r"\[space\.learning_rate\] values must differ .* Received: \[0\.1.*\(length 3000\)\.",
    ),
    "split": ({"data": {"split": LONG}}, r"\[data\] split must be .*\(length 3000\)\."),
    "a list for a name": ({"search": {"name": LONG}}, r"\[search\] name: .*\(length 3000\)\."),
    "a list for a table": ({"data": LONG}, r"\[data\] must be a table\. .*\(length 3000\)\."),
    "a long key": ({"model": {"x" * 5000: 1}}, r"\[model\] xxx.*x… \(5\d\d\d characters\)"),
    "a long name": (
        {"search": {"name": "n" * 250}},
        r"\[search\] name: must have at most 237 characters\. Received: 'nn.*\(length 250\)\.",
    ),
    "a surrogate": (
        {"model": {"activation": "\udcff"}},
        r"\[model\] activation must be text that UTF-8 can encode\. Received: '\\udcff'\.",
    ),
    "a surrogate for a name": (
        {"space": {"\udcff": {"values": [1]}}},
        r"\[space\] key must be text that UTF-8 can encode\. Received: '\\udcff'\.",
    ),
    "NUL": (
        {"data": {"source": "npz", "path": "a\0b"}},
        r"\[data\] path 'a\\x00b' can't be used: ValueError: embedded null byte\.",
    ),
    "a long path": (
        {"data": {"source": "npz", "path": "a" * 5000}},
        r"\[data\] path 'aaa.*\(length 5000\) can't be used: OSError: .*File name too long.*",
    ),
    "a loop of links": (
        {"data": {"source": "npz", "path": "loop"}},
        r"\[data\] path 'loop' can't be used: RuntimeError: Symlink loop from .*",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_absurd_is_refused_in_words(case, tmp_path):
    tables, said = CASES[case]
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError) as error:
        parse(tmp_path, **tables)
    first = str(error.value).splitlines()[0]
    assert re.fullmatch(rf"f: {said}.*", first), first
    assert len(first) < 2100
    str(error.value).encode("utf-8")


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a\n", "a/b", "a/../b", "ü", "a\0", "-a"])
def test_a_name_is_one_plain_part_of_a_path(name, tmp_path):
    said = r"\[search\] name: must be letters, digits, '\.', '_' or '-', and start with a"
    with pytest.raises(InputError, match=said):
        parse(tmp_path, search={"name": name})


def test_what_is_large_and_works(tmp_path):
    """Seeds are hashed, and an endless training may be ended by early stopping."""
    config = parse(tmp_path, search={"seed": 2**70, "name": "n" * 237}, training={"epochs": 10**12})
    assert (config.search.seed, config.training.epochs) == (2**70, 10**12)


def test_of_many_errors_the_first_are_told(tmp_path):
    with pytest.raises(InputError) as error:
        parse(tmp_path, training={"metrics": [f"m{number}" for number in range(3000)]})
    lines = str(error.value).splitlines()
    assert "Received: 'm0'" in lines[0]
    assert (len(lines), lines[-1]) == (21, "f: and 2980 more errors.")


def test_workers_as_an_argument():
    with pytest.raises(InputError, match=r"workers must be <= 1000\. Received: 1001\."):
        worker_count(1001, 1)


def test_python_s_arguments_are_checked_like_a_file_s():
    with pytest.raises(InputError, match=r"Search: name must be text that UTF-8 can encode"):
        Search(space=RATE, trials=1, name="\udcff")
