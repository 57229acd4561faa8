"""A search over Parquet files whose rows are streamed."""

import json
from itertools import chain

import keras
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.search.conftest import RATE, load
from tfcourse import Search
from tfcourse.data.streams import row_groups, row_survey
from tfcourse.data.streams.parquet_streams import shuffled_pieces
from tfcourse.errors import InputError
from tfcourse.search.data.checks import check_data
from tfcourse.search.data.loading import load_split

RNG = np.random.default_rng(0)
Y = RNG.permutation(np.arange(300) % 3)
A, B = RNG.normal(size=(2, 300)).astype(np.float32) + Y
FLAGS = A > 1
X = np.stack([A, B, FLAGS], axis=1).astype(np.float32)
TRAINING = {"epochs": 2, "batch_size": 16, "optimizer": "gradient_descent"}
COLUMNS = {"a": A.astype(np.float64), "b": B, "flag": FLAGS, "y": Y}


def write(folder, rows=slice(None), parts=3, group=30, **columns):
    """Write parts with all columns, some of them other ones."""
    folder.mkdir(parents=True, exist_ok=True)
    table = {k: v[rows] for k, v in {**COLUMNS, **columns}.items() if v is not None}
    places = np.array_split(np.arange(len(table["a"])), parts)
    for number, place in enumerate(places):
        part = pa.table({name: pa.array(np.asarray(v)[place]) for name, v in table.items()})
        parquet.write_table(part, folder / f"{number}.parquet", row_group_size=group)


def search(tmp_path, name="rows", tables=None, **data):
    data = {"source": "parquet", "path": "parts", "stream": True, **data}
    raw = {
        "search": {"name": name, "trials": 2},
        "data": data,
        "model": {"builder": "linear"},
        "training": TRAINING,
        "space": RATE,
    }
    for key, table in (tables or {}).items():
        raw[key] = {**raw[key], **table}
    return Search(load(tmp_path, raw), tmp_path / "runs")


def rows_of(part):
    """The rows of X that a set holds."""
    x = part.rows(slice(part.count)).x
    return [int(np.flatnonzero((row == X).all(axis=1)).item()) for row in x]


def test_each_row_is_in_one_set_that_the_seed_draws(tmp_path, monkeypatch):
    monkeypatch.setattr(row_groups, "CHUNK", 7)
    write(tmp_path / "parts")
    split = load_split(search(tmp_path).config)
    sets = {name: rows_of(part) for name, part in split.parts.items()}
    assert sorted(chain(*sets.values())) == list(range(300))
    for name, share in {"train": 0.6, "dev": 0.2, "test": 0.2}.items():
        assert sets[name] == sorted(sets[name]), "in the order of the files"
        assert abs(len(sets[name]) - 300 * share) < 4 * np.sqrt(300 * share * (1 - share))
        part = split.parts[name].rows(slice(300))
        np.testing.assert_array_equal(part.y, Y[sets[name]])
    again = load_split(search(tmp_path, path="parts/*.parquet").config)
    other = load_split(search(tmp_path, seed=1).config)
    assert {name: rows_of(part) for name, part in again.parts.items()} == sets
    assert [p.digest for p in again.parts.values()] == [p.digest for p in split.parts.values()]
    assert rows_of(other.train) != sets["train"]
    first = np.arange(300) == sets["dev"][0]
    for column in ({"b": np.where(first, 9, B)}, {"y": np.where(first, (Y + 1) % 3, Y)}):
        write(tmp_path / "parts", **column)
        changed = load_split(search(tmp_path).config)
        same = [changed.parts[name].digest == split.parts[name].digest for name in sets]
        assert same == [True, False, True]


@pytest.mark.parametrize(("group", "buffer"), [(30, 1), (1000, 40)])
def test_an_epoch_has_all_rows_in_an_order_of_seed_and_epoch(tmp_path, group, buffer):
    write(tmp_path / "parts", parts=1, group=group)
    train = load_split(search(tmp_path, shuffle_buffer=buffer).config).train
    batches, natural, orders = train.of_size(16), rows_of(train), {}
    sizes = [len(y) for _, y in batches.dataset]
    assert sizes == [16] * (train.count // 16) + [train.count % 16] * (train.count % 16 > 0)
    for key in [(0, 0), (0, 1), (1, 0), (0, 0)]:
        batches.begin(*key)
        pairs = [(x, y) for x, y in batches.dataset.as_numpy_iterator()]
        x, y = map(np.concatenate, zip(*pairs, strict=True))
        drawn = [int(np.flatnonzero((row == X).all(axis=1)).item()) for row in x]
        assert sorted(drawn) == natural and drawn != natural
        np.testing.assert_array_equal(y, Y[drawn])
        assert orders.setdefault(key, drawn) == drawn
    assert len({tuple(drawn) for drawn in orders.values()}) == 3


def test_a_pool_holds_no_more_than_its_examples():
    pieces = [(np.arange(n, n + 10), -np.arange(n, n + 10)) for n in range(0, 50, 10)]
    drawn = list(shuffled_pieces(iter(pieces), 25, np.random.default_rng(0)))
    assert [len(x) for x, _ in drawn] == [5, 10, 10, 25]
    x, y = map(np.concatenate, zip(*drawn, strict=True))
    assert sorted(x) == list(range(50)) and (x == -y).all()
    assert max(drawn[0][0]) < 30, "of the first three pieces"
    same = shuffled_pieces(iter(pieces), 1, np.random.default_rng(0))
    assert np.concatenate([x for x, _ in same]).tolist() == list(range(50))


def test_the_numbers_are_those_of_the_same_rows_in_memory(tmp_path, module):
    places = {"train": slice(200), "dev": slice(200, 250), "test": slice(250, 300)}
    for name, rows in places.items():
        write(tmp_path / "parts" / name, rows, parts=1, group=1000)
    np.savez(tmp_path / "rows.npz", x=X, y=Y)
    name = module(f"""
        import numpy as np, tensorflow as tf

        def datasets():
            rows = np.load({str(tmp_path / "rows.npz")!r})
            edges = (slice(200), slice(200, 250), slice(250, 300))
            pairs = [(rows["x"][e], rows["y"][e]) for e in edges]
            return tuple(tf.data.Dataset.from_tensor_slices(pair) for pair in pairs)
    """)
    settings = {"normalize": "standardize"}
    found = search(tmp_path, **settings, shuffle_buffer=1)
    one = found.run(verbose=False)
    memory = {"source": f"{name}:datasets", **settings}
    raw = {"search": {"name": "memory", "trials": 2}, "data": memory, "space": RATE}
    raw |= {"model": {"builder": "linear"}, "training": TRAINING}
    other = Search(load(tmp_path, raw), tmp_path / "runs").run(verbose=False)
    assert [r.history for r in one.trials.values()] == [r.history for r in other.trials.values()]
    assert one.summary.test == other.summary.test
    model = keras.models.load_model(found.directory / "best.keras")
    test = model.evaluate(X[250:], Y[250:], verbose=0, return_dict=True)
    assert one.summary.test == pytest.approx(test, rel=1e-4)
    record = json.loads((found.directory / "data.json").read_text())
    assert record["features"] == ["a", "b", "flag"]
    assert found.run(verbose=False).was_complete
    write(tmp_path / "parts" / "dev", places["dev"], parts=1, b=B + 1)
    longer = search(tmp_path, tables={"search": {"trials": 3}}, **settings, shuffle_buffer=1)
    with pytest.raises(InputError, match="the data is another than when the search began"):
        longer.run(verbose=False)


def test_check_says_what_is_streamed(tmp_path):
    a = np.where(np.arange(300) % 100 == 7, np.nan, COLUMNS["a"])
    write(tmp_path / "parts", a=a, y=np.array(["u", "v", "w"])[Y], flag=None)
    config = search(tmp_path, missing="drop").config
    data, warnings = check_data(config)
    assert warnings == ()
    complete = ~np.isnan(a)
    (split,) = [line for line in data.lines() if line.startswith("split")]
    counts = np.bincount(Y[complete])
    by_set = [
        f"{name} " + ", ".join(f"{label} {n}" for label, n in zip("uvw", of_set, strict=True))
        for name, part in load_split(config).parts.items()
        for of_set in [np.bincount(part.rows(slice(300)).y)]
    ]
    assert data.lines() == [
        f"{tmp_path / 'parts'}: 300 rows in 12 row groups of 3 files",
        "values are missing: 3 of 300 rows are left out",
        "streamed: parquet, x float32",
        f"  a  number, {np.nanmin(a):g} to {np.nanmax(a):g}",
        f"  b  number, {B[complete].min():g} to {B[complete].max():g}",
        f"label y: u {counts[0]}, v {counts[1]}, w {counts[2]} (3 classes)",
        f"classes by set: {'; '.join(by_set)}",
        split,
    ]
    parts = [part.rows(slice(300)) for part in load_split(config).parts.values()]
    rows = np.concatenate([part.x[:, 0] for part in parts])
    np.testing.assert_array_equal(np.sort(rows), np.sort(A[complete].astype(np.float32)))
    assert sum(data.split.values()) == 297 and split.endswith("an example has the shape (2,)")


def test_numbers_to_predict(tmp_path):
    write(tmp_path / "parts", y=A + B)
    training = {"training": {"loss": "mse", "metrics": ["mae"]}}
    with pytest.raises(InputError, match=r'the label "y" holds numbers such as .*loss = "mse"'):
        load_split(search(tmp_path).config)
    tables = {**training, "search": {"objective": "val_loss"}}
    split = load_split(search(tmp_path, tables=tables).config)
    part = split.dev.rows(slice(300))
    np.testing.assert_array_equal(part.y[:, 0], (A + B).astype(np.float32)[rows_of(split.dev)])
    assert split.classes == 1
    write(tmp_path / "parts", y=np.where(np.arange(300) == rows_of(split.dev)[0], 0, A + B))
    changed = load_split(search(tmp_path, tables=tables).config)
    assert changed.dev.digest != split.dev.digest and changed.train.digest == split.train.digest
    write(tmp_path / "parts", y=np.where(Y > 1, np.nan, Y))
    with pytest.raises(InputError, match='missing: "y" 100 of 300 rows'):
        load_split(search(tmp_path, tables=tables).config)
    write(tmp_path / "parts", y=FLAGS)
    dev = load_split(search(tmp_path, tables=tables).config).dev
    np.testing.assert_array_equal(dev.rows(slice(300)).y[:, 0], FLAGS[rows_of(dev)])
    for y, message in [
        (1.7e9 + np.arange(300), r'column "y" needs more.*, such as 1700000000, or give stream'),
        (2**60 + np.arange(300), r'0\.parquet: the label "y" holds whole numbers above 2\*\*53'),
        (np.append(np.ones(299), 1e39), r'label "y" holds a number that is not finite.*: 1e\+39'),
        (Y.astype(str), r'0\.parquet: the label "y" is of the type string, but the loss'),
    ]:
        write(tmp_path / "parts", y=y)
        with pytest.raises(InputError, match=message):
            load_split(search(tmp_path, tables=tables).config)


def test_parts_may_differ_in_the_order_and_the_types_of_columns(tmp_path):
    labels = np.array(["u", "v", "w"])[Y]
    write(tmp_path / "parts", y=labels)
    write(tmp_path / "parts", slice(0), parts=1, y=labels)  # 0.parquet is empty
    cents = np.round(100 * A.astype(float)) / 100
    other = {
        "y": pa.array(labels).dictionary_encode(),
        "more": ["text"] * 300,
        "flag": FLAGS.astype("int8"),
        "b": B,
        "a": pa.array(cents).cast(pa.decimal128(9, 2)),
    }
    for number in (1, 2):
        part = pa.table(other).slice(100 * number, 100)
        parquet.write_table(part, tmp_path / "parts" / f"{number}.parquet", row_group_size=30)
    parts = load_split(search(tmp_path).config).parts.values()
    rows = [part.rows(slice(300)) for part in parts]
    x, y = (np.concatenate([getattr(part, side) for part in rows]) for side in "xy")
    expected = np.stack([cents, B, FLAGS], axis=1)[100:].astype(np.float32)
    place = [int(np.flatnonzero((row == expected).all(axis=1)).item()) for row in x]
    assert sorted(place) == list(range(200))
    np.testing.assert_array_equal(y, Y[100:][place])


def test_labels_of_several_types(tmp_path):
    write(tmp_path / "parts", y=2**60 + Y)
    split = load_split(search(tmp_path).config)
    assert split.class_names == (2**60, 2**60 + 1, 2**60 + 2)
    np.testing.assert_array_equal(split.dev.rows(slice(300)).y, Y[rows_of(split.dev)])
    write(tmp_path / "parts")
    for kind, y in {
        "float": Y[:99] + 0.0,
        "missing": [None] * 99,
        "text": Y[:99].astype(str),
    }.items():
        write(tmp_path / "other", slice(99), parts=1, y=np.asarray(y))
        (tmp_path / "other" / "0.parquet").rename(tmp_path / "parts" / "9.parquet")
        if kind == "text":
            with pytest.raises(InputError, match=r"int64 in 0\.parquet and string in 9\.parquet"):
                load_split(search(tmp_path).config)
            continue
        split = load_split(search(tmp_path, missing="drop").config)
        assert split.class_names is None and split.classes == 3
        counts = [part.count for part in split.parts.values()]
        assert sum(counts) == (399 if kind == "float" else 300)


@pytest.mark.parametrize("name", ["train", "dev", "test"])
def test_a_set_without_rows(tmp_path, name):
    for folder in ("train", "dev", "test"):
        write(tmp_path / "parts" / folder)
    for number in range(3):
        file = tmp_path / "parts" / name / f"{number}.parquet"
        parquet.ParquetWriter(file, parquet.read_schema(file)).close()  # without a row group
    with pytest.raises(InputError, match=f"the {name} set is empty, of 600 rows"):
        load_split(search(tmp_path).config)
    for file in (tmp_path / "parts" / name).iterdir():
        file.unlink()
    with pytest.raises(InputError, match=f"no parquet file: .*{name}"):
        load_split(search(tmp_path).config)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"b": np.where(Y > 0, B, np.nan)}, r'missing: "b" 100 of 300 rows, .*row \d+ of 0\.parq'),
        ({"b": np.where(Y > 0, 1e300, 1)}, r'column "b" holds a number that is not finite'),
        ({"b": 1.7e9 + np.arange(300) / 10}, r'column "b" needs more digits.*Subtract a constant'),
        ({"b": 2**60 + np.arange(300)}, rf'column "b" needs more.*, such as {2**60}, leave it out'),
        ({"b": 2**60 + np.arange(300) // 100}, r'column "b" needs more digits'),
        ({"b": np.where(np.arange(300) > 298, np.inf, 1)}, r"float32: inf in row 99 of 2\.parquet"),
        ({"b": np.full(300, np.nan)}, r'column "b" has no value in any row'),
        ({"y": np.zeros(300)}, r'label "y" is "0" in all rows; at least 2 classes'),
        (
            {"y": np.append(Y[:-1], 7)},
            r"classes in the (dev|test) set that the train set lacks: 7\.",
        ),
        ({"y": np.where(Y > 1, np.inf, Y)}, r'label "y" holds a number that is not finite.*: inf'),
        ({"y": np.uint64(2**63) + Y.astype(np.uint64)}, r'label "y" holds whole numbers above 2'),
        ({"y": np.arange(300)}, r'label "y" has more than 7 different values.*loss = "mse"'),
        ({"y": Y / 2}, r'label "y" holds numbers such as 0\.5\. A regression\?'),
    ],
)
def test_rows_that_can_not_be_streamed(tmp_path, monkeypatch, columns, message):
    monkeypatch.setattr(row_groups, "CHUNK", 7)
    monkeypatch.setattr(row_survey, "MOST_CLASSES", 7)
    write(tmp_path / "parts", **columns)
    with pytest.raises(InputError, match=message):
        for seed in range(9):  # in some split the last row is not in the train set
            load_split(search(tmp_path, seed=seed).config)


def test_parts_that_can_not_be_read(tmp_path):
    write(tmp_path / "parts")
    write(tmp_path / "other", parts=1, a=A, b=None)
    (tmp_path / "other" / "0.parquet").rename(tmp_path / "parts" / "9.parquet")
    with pytest.raises(InputError, match=r'9\.parquet must have the column "b" once'):
        load_split(search(tmp_path).config)
    (tmp_path / "parts" / "9.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"9\.parquet can't be read as parquet"):
        load_split(search(tmp_path).config)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"source": "arrow"}, r'stream is for source "parquet" only. Received: "arrow"'),
        ({"group": "a"}, r"group of streamed rows is not supported.*Received: group = .a."),
        ({"missing": "median"}, r'missing of streamed rows must be "error", "drop" or "mean"'),
        (
            {
                "columns": {"a": {"type": "category"}},
                "tables": {"model": {"builder": "convnet"}},
            },
            r'"a" has \d+ levels, more than max_one_hot',
        ),
        ({"label": "z"}, r'label: the column of .* must be one of "a", "b"'),
    ],
)
def test_errors_of_the_config(tmp_path, data, message):
    write(tmp_path / "parts")
    (tmp_path / "parts" / "0.arrow").touch()
    with pytest.raises(InputError, match=message):
        load_split(search(tmp_path, **data).config)


def test_what_needs_arrays_is_refused(tmp_path):
    write(tmp_path / "parts")
    with pytest.raises(InputError, match="folds of streamed data are not supported"):
        check_data(search(tmp_path, tables={"training": {"folds": 2}}).config)
