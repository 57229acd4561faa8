"""The keys of ``[data]`` that say how examples are split: group, order, split_by, stratify."""

import re

import keras
import numpy as np
import pandas
import pytest
from sklearn.model_selection import TimeSeriesSplit

from tests.search.conftest import RATE
from tests.search.test_config import errors_of
from tfcourse import InputError, Search
from tfcourse.search.data.checks import check_data
from tfcourse.search.data.folds import fold_split
from tfcourse.search.data.loading import load_split

RNG = np.random.default_rng(0)
COUNT = 90
Y = RNG.integers(3, size=COUNT)
X = np.stack([np.arange(COUNT), Y + RNG.normal(size=COUNT)], axis=1)  # the first is the row itself
PATIENT = np.array([f"p{number}" for number in RNG.integers(20, size=COUNT)])
DAY = np.datetime64("2024-01-01") + RNG.permutation(COUNT)
FOLD = np.array(["train", "val", "test"])[np.arange(COUNT) % 3]
COLUMNS = {"patient": PATIENT, "day": DAY.astype(str), "fold": FOLD}


@pytest.fixture
def source(tmp_path, monkeypatch):
    """The same examples as a csv, an npz, a DataFrame and arrays: settings of a search."""
    monkeypatch.chdir(tmp_path)

    def make(kind, **keys):
        if kind == "csv":
            lines = [f"{i},{x},{y},{p},{d},{f}" for (i, x), y, p, d, f in _rows()]
            (tmp_path / "data.csv").write_text("\n".join(["row,x,y,patient,day,fold", *lines]))
            # Columns that no key names are features, and hold texts here.
            drop = [name for name in COLUMNS if name not in keys.values()]
            table = pandas.read_csv(tmp_path / "data.csv").drop(columns=drop)
            table.to_csv(tmp_path / "data.csv", index=False)
            return {"source": "csv", "path": "data.csv", "label": "y", **keys}
        if kind == "npz":
            rows = {NAMES[name]: rows for name, rows in SET_ROWS.items()}
            np.savez(tmp_path / "data.npz", x=X, y=Y, **COLUMNS, **rows)
            return {"source": "npz", "path": "data.npz", **keys}
        if kind == "frame":
            named = {name: COLUMNS[name] for name in keys.values() if name in COLUMNS}
            table = pandas.DataFrame({"row": X[:, 0], "x": X[:, 1], **named})
            return {"data": (table, Y), **keys}
        if kind == "dict":
            named = {name: COLUMNS[name] for name in keys.values() if name in COLUMNS}
            return {"data": ({"main": X, **named}, Y), "build": two_layers, **keys}
        return {"data": (X, Y), **{key: COLUMNS.get(name, name) for key, name in keys.items()}}

    def _rows():
        return zip(X, Y, PATIENT, DAY, FOLD, strict=True)

    return make


def two_layers(input_shape, classes):
    main = keras.Input(input_shape["main"], name="main")
    return keras.Model({"main": main}, keras.layers.Dense(classes, activation="softmax")(main))


def sets_of(settings, folds=1):
    """The rows of each set, or of train and dev of each fold."""
    search = Search(space=RATE, trials=1, folds=folds, **settings)
    split = load_split(search.config)

    def rows(part):
        x = part.x["main"] if isinstance(part.x, dict) else part.x
        return x[:, 0].astype(int)

    if folds == 1:
        return {name: rows(part) for name, part in split.parts.items()}
    every = [fold_split(split, search.config, fold) for fold in range(folds)]
    return [(rows(fold.train), rows(fold.dev)) for fold in every]


KINDS = pytest.mark.parametrize("kind", ["csv", "npz", "frame", "dict", "arrays"])


@KINDS
def test_groups(source, kind):
    settings = source(kind, group="patient")
    sets = sets_of(settings)
    assert sorted(np.concatenate([*sets.values()])) == list(range(COUNT))
    groups = [set(PATIENT[rows]) for rows in sets.values()]
    assert sum(map(len, groups)) == len(set(PATIENT))
    for train, dev in sets_of(settings, folds=4):
        assert not set(PATIENT[train]) & set(PATIENT[dev])
        assert not {*train, *dev} & {*sets["test"]}


@KINDS
def test_the_order_of_a_column(source, kind):
    settings = source(kind, order="time", order_by="day")
    sets = sets_of(settings)
    rows = np.argsort(DAY)
    for name, expected in zip(sets, np.split(rows, [54, 72]), strict=True):
        assert sorted(sets[name]) == sorted(expected)
    both = rows[:72]
    expected = [(both[a], both[b]) for a, b in TimeSeriesSplit(3).split(both)]
    for ours, theirs in zip(sets_of(settings, folds=3), expected, strict=True):
        assert list(map(sorted, ours)) == list(map(sorted, theirs))


def test_the_order_of_the_rows():
    sets = sets_of({"data": (X, Y), "order": "time", "split": [0.7, 0.3]})
    assert {name: [*rows] for name, rows in sets.items()} == {
        "train": [*range(63)],
        "dev": [*range(63, 90)],
    }


@KINDS
def test_a_column_that_names_the_sets(source, kind):
    sets = sets_of(source(kind, split_by="fold"))
    for number, name in enumerate(("train", "dev", "test")):
        assert [*sets[name]] == [*range(number, COUNT, 3)]


def test_rows_of_each_set():
    train, dev, test = np.split(np.random.default_rng(1).permutation(COUNT)[:80], [50, 70])
    for rows in (
        (train, dev, test),
        (train.tolist(), dev),
        (np.arange(90) < 60, np.arange(90) > 70),
    ):
        sets = sets_of({"data": (X, Y), "split": rows})
        for name, each in zip(sets, rows, strict=True):
            expected = np.flatnonzero(each) if np.asarray(each).dtype == bool else each
            assert [*sets[name]] == [*expected]


NAMES = {"train": "train_rows", "dev": "dev_rows", "test": "test_rows"}
SET_ROWS = dict(zip(NAMES, np.split(RNG.permutation(COUNT)[:80], [50, 70]), strict=True))


def npz_of(path, **arrays):
    np.savez(path, x=X, y=Y, w=X[:, 0], patient=np.arange(COUNT) % 45, **arrays)
    return {"source": "npz", "path": str(path)}


def test_arrays_of_an_npz_are_the_rows_of_each_set(tmp_path):
    arrays = {NAMES[name]: rows for name, rows in SET_ROWS.items()}
    arrays["mask"] = np.isin(np.arange(COUNT), SET_ROWS["dev"])
    settings = npz_of(tmp_path / "data.npz", **arrays)
    sets = sets_of({**settings, "split_rows": NAMES})
    assert {name: [*rows] for name, rows in sets.items()} == {
        name: [*rows] for name, rows in SET_ROWS.items()
    }
    # With a mask, weights, and without a test set; the folds are of train and dev.
    settings |= {"split_rows": {"train": "train_rows", "dev": "mask"}, "sample_weight": "w"}
    sets = sets_of(settings)
    assert [*sets] == ["train", "dev"]
    assert [*sets["dev"]] == sorted(SET_ROWS["dev"])
    split = load_split(Search(space=RATE, trials=1, **settings).config)
    np.testing.assert_array_equal(split.train.weight, split.train.x[:, 0])
    for train, dev in sets_of(settings, folds=3):
        assert {*train, *dev} == {*SET_ROWS["train"], *SET_ROWS["dev"]}


OF_ROWS = {
    "no such array": (
        {"split_rows": {"train": "train_row", "dev": "dev_rows"}},
        r"\[data\] split_rows: the array of .*npz must be one of .* mean \"train_rows\"\?",
    ),
    "in two sets": (
        {"split_rows": {"train": "train_rows", "dev": "train_rows"}},
        r"\[data\] split_rows: each row must be in one set, once\. Received .* once: row 0, .*",
    ),
    "out of range": (
        {"split_rows": {"train": "train_rows", "dev": "far"}},
        r'\[data\] split_rows: the array "far" of the dev set must be 0 to 89\. Received: 90\.',
    ),
    "no numbers": (
        {"split_rows": {"train": "train_rows", "dev": "objects"}},
        r'\[data\] split_rows: the array "objects" of the dev set must hold whole numbers, .*',
    ),
    "a group in two sets": (
        {"split_rows": {"train": "train_rows", "dev": "dev_rows"}, "group": "patient"},
        r'\[data\] group: the column "patient": a group must be in one set\. .*',
    ),
}


@pytest.mark.parametrize(("keys", "said"), OF_ROWS.values(), ids=OF_ROWS)
def test_rows_that_do_not_fit(keys, said, tmp_path):
    arrays = {"train_rows": np.arange(50), "dev_rows": np.arange(50, 90), "far": np.array([90])}
    arrays["objects"] = np.array([{}, {}])
    settings = npz_of(tmp_path / "data.npz", **arrays)
    search = Search(space=RATE, trials=1, **settings, **keys)
    with pytest.raises(InputError, match=said):
        load_split(search.config)


def test_with_stratify_false_the_classes_do_not_count():
    """The rows are those that a regression has."""
    plain = sets_of({"data": (X, Y), "stratify": False})
    numbers = sets_of({"data": (X, Y), "loss": "mse", "metrics": [], "objective": "val_loss"})
    strata = sets_of({"data": (X, Y)})
    for name in plain:
        np.testing.assert_array_equal(plain[name], numbers[name])
    counts = {name: np.bincount(Y[rows], minlength=3) for name, rows in strata.items()}
    assert all(
        np.abs(c - len(strata[n]) * np.bincount(Y) / COUNT).max() < 1 for n, c in counts.items()
    )
    assert any(list(plain[name]) != list(strata[name]) for name in plain)
    folds = sets_of({"data": (X, Y), "stratify": False}, folds=3)
    assert sorted(np.concatenate([dev for _, dev in folds])) == sorted(
        [*plain["train"], *plain["dev"]]
    )


def test_given_sets_with_groups_have_folds_of_groups():
    table = pandas.DataFrame({"row": X[:, 0], "x": X[:, 1], "patient": PATIENT}).sort_values(
        "patient"
    )
    first, rest = table[table["patient"] < "p14"], table[table["patient"] >= "p14"]
    pairs = {"train": (first, Y[first.index]), "dev": (rest, Y[rest.index])}
    for train, dev in sets_of({**pairs, "group": "patient"}, folds=3):
        assert not set(PATIENT[train]) & set(PATIENT[dev])
    overlap = {"train": (first, Y[first.index]), "dev": (table, Y[table.index])}
    said = (
        r'group: the column "patient": a group must be in one set\. Received: p0 in train and dev'
    )
    with pytest.raises(InputError, match=said):
        sets_of({**overlap, "group": "patient"})


@pytest.mark.usefixtures("untrained")
def test_a_search_resumes_with_the_split_on_record(source, untrained, tmp_path):
    settings = {"space": RATE, "epochs": 1, "out": tmp_path / "runs", "build": "linear"}
    for name, keys in (
        ("groups", {"group": "patient"}),
        ("fold", {"split_by": "fold"}),
        ("rows", {"split_rows": {"train": "train_rows", "dev": "dev_rows"}}),
    ):
        one = Search(**settings, **source("npz", **keys), name=name, trials=1, folds=2).run(False)
        more = Search.from_toml(one.directory / "config.toml", out=tmp_path / "runs", trials=2)
        assert len(more.run(verbose=False).trials) == 2
        assert more.config.as_tables()["data"].get("split") == (
            None if keys.keys() & {"split_by", "split_rows"} else [0.6, 0.2, 0.2]
        )


@pytest.mark.usefixtures("untrained")
def test_a_dev_set_of_one_row(tmp_path):
    pairs = {"train": (X[:-1], Y[:-1]), "dev": (X[-1:], Y[-1:])}
    search = Search(space=RATE, trials=1, epochs=1, out=tmp_path, **pairs)
    assert search.run(verbose=False).best.score is not None


ERRORS = {
    "group and order": (
        "group = 'g'\norder = 'time'",
        r"\[data\] order and group exclude each other: .* Remove one of them\.",
    ),
    "order and split_by": ("split_by = 'f'\norder = 'time'", r"\[data\] order and split_by .*"),
    "order and stratify": (
        "stratify = true\norder = 'time'",
        r"\[data\] order and stratify = true exclude each other: .* Remove stratify\.",
    ),
    "split and split_by": (
        "split_by = 'f'\nsplit = [0.8, 0.2]",
        r"\[data\] split_by and split exclude each other: .* Remove split\.",
    ),
    "split and split_rows": (
        "split_rows = { train = 'a', dev = 'b' }\nsplit = [0.8, 0.2]",
        r"\[data\] split_rows and split exclude each other: .* Remove split\.",
    ),
    "split_rows and split_by": (
        "split_rows = { train = 'a', dev = 'b' }\nsplit_by = 'f'",
        r"\[data\] split_rows and split_by exclude each other: .*",
    ),
    "split_rows without dev": (
        "split_rows = { train = 'a', val = 'b' }",
        r"\[data\] split_rows must name the arrays of train, dev and, .* 'val': 'b'\}\.",
    ),
    "split_rows of a table": (
        "split_rows = { train = 'a', dev = 'b' }",
        r'\[data\] split_rows names arrays of source "npz"\. Received: source "csv"; .*',
    ),
    "order_by alone": (
        "order_by = 'day'",
        r'\[data\] order_by = \'day\' needs order = "time"\. .*',
    ),
    "one column twice": (
        "group = 'y'\nlabel = 'y'",
        r"\[data\] group and label must name different .* twice: 'y'\.",
    ),
    "another order": ("order = 'row'", r'\[data\] order.*"time".*'),
}


@pytest.mark.parametrize(("keys", "said"), ERRORS.values(), ids=ERRORS)
def test_keys_that_exclude_each_other(keys, said, tmp_path):
    (tmp_path / "data.csv").write_text("a,g,f,day,y\n1,1,1,1,0\n")
    lines = errors_of(f"[data]\nsource = 'csv'\npath = '{tmp_path}/data.csv'\n{keys}", tmp_path)
    assert re.fullmatch(said, lines[0]), lines


def test_a_source_without_columns(tmp_path):
    (line,) = errors_of("[data]\ngroup = 'g'", tmp_path)
    assert line == (
        '[data] group names a column, and source "digits" has none. Use source "csv", "parquet", '
        '"arrow" or "npz".'
    )


OF_DATA = {
    "no such column": (
        {"group": "patients"},
        r"\[data\] .*patients.* Did you mean \"patient\"\?.*",
    ),
    "no set": (
        {"split_by": "patient"},
        r'split_by: the column "patient" must hold "train", "dev" .*',
    ),
    "no time": (
        {"order": "time", "order_by": "patient"},
        r'order_by: the column "patient" must hold numbers, or dates .* Received: \'p\d+\'\.',
    ),
}


@pytest.mark.parametrize(("keys", "said"), OF_DATA.values(), ids=OF_DATA)
def test_columns_that_do_not_fit(source, keys, said):
    search = Search(space=RATE, trials=1, **source("npz", **keys))
    with pytest.raises(InputError, match=said):
        check_data(search.config)


ARGUMENTS = {
    "no column": (
        {"data": (X, Y), "group": "patient"},
        r"Search: group = 'patient' names a column, and x of data has no names\. Give the array .*",
    ),
    "another column": (
        {"data": ({"main": X, "patient": PATIENT}, Y), "group": "patien"},
        r'Search: group: the column of x of data must be one of "main", "patient"\. .*',
    ),
    "length": (
        {"data": (X, Y), "group": PATIENT[1:]},
        r"Search: group must be one value for each of the 90 examples\. Received: shape \(89,\)\.",
    ),
    "array for sets": (
        {"train": (X, Y), "dev": (X, Y), "group": PATIENT},
        r"Search: group as an array is for data=\(x, y\), whose examples it splits\.",
    ),
    "row twice": (
        {"data": (X, Y), "split": ([0, 1, 2], [2, 3])},
        r"Search: split: each row must be in one set, once\. Received more than once: row 2, .*",
    ),
    "row out of range": (
        {"data": (X, Y), "split": ([0, 1, 2], [90])},
        r"Search: split: the rows of dev must be 0 to 89\. Received: 90\.",
    ),
    "no rows": ({"data": (X, Y), "split": ([0, 1], [])}, r"Search: split: the rows of dev must .*"),
    "one set of rows": (
        {"data": (X, Y), "split": ([0, 1],)},
        r"Search: split must be shares, or .*",
    ),
}


@pytest.mark.parametrize(("arguments", "said"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments_that_do_not_fit(arguments, said):
    with pytest.raises(InputError) as error:
        Search(space=RATE, trials=1, **arguments)
    assert re.fullmatch(said, str(error.value)), str(error.value)


def test_groups_that_are_missing_or_one():
    missing = np.where(np.arange(COUNT) == 7, "", PATIENT)
    for values, said in (
        (missing, r"no value in 1 of 90 rows, the first is row 7"),
        (Y * 0, "1 groups"),
    ):
        with pytest.raises(InputError, match=said):
            sets_of({"data": (X, Y), "group": values})


def test_stratify_without_classes():
    with pytest.raises(InputError, match=r"\[data\] stratify = true needs one output of classes"):
        sets_of(
            {
                "data": (X, Y),
                "stratify": True,
                "loss": "mse",
                "objective": "val_loss",
                "metrics": [],
            }
        )
