"""Streamed Parquet with texts, dates, booleans and missing values, beside the table in memory."""

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyarrow import parquet

from tests.search.test_row_groups import search
from tests.search.test_tables import BUILDER
from tfcourse import Search
from tfcourse.data.scaling import fit_scaling
from tfcourse.data.streams import row_groups, row_levels
from tfcourse.data.tables.train_statistics import TrainStatistics
from tfcourse.errors import InputError
from tfcourse.search.data.checks import check_data
from tfcourse.search.data.loading import load_split
from tfcourse.search.trials.normalized import normalize

SETS = {"train": slice(200), "dev": slice(200, 250), "test": slice(250, 300)}
COLUMNS = {"day": {"type": "date"}, "code": {"type": "category"}}


def table(missing=True):
    """Columns of all types; "Zug" occurs in the dev set alone."""
    rng = np.random.default_rng(1)
    y = rng.permutation(np.arange(300) % 3)
    frame = pd.DataFrame({"length": rng.normal(size=300) + y})
    frame["town"] = np.array(["Bern", "Chur", "Genève"])[(y + (rng.random(300) < 0.2)) % 3]
    frame.loc[220, "town"] = "Zug"
    frame["open"] = rng.random(300) < 0.5
    frame["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 99, 300), "D")
    frame["code"] = rng.integers(7, 10, 300)
    frame["width"] = rng.normal(5, 100, 300).astype("float32")
    frame["kind"] = np.array(["v", "u", "w"])[y]
    if missing:
        frame.loc[rng.random(300) < 0.1, "length"] = np.nan
        frame.loc[rng.random(300) < 0.1, "town"] = None
        frame["open"] = frame["open"].astype("boolean").mask(rng.random(300) < 0.1)
        frame.loc[rng.random(300) < 0.1, "day"] = pd.NaT
        frame.loc[[3, 210], "kind"] = None
    return frame


def write(tmp_path, frame, encode=()):
    """Write parts in folders of the sets, and the whole with a column of the sets."""
    for name, rows in SETS.items():
        part = pa.Table.from_pandas(frame[rows], preserve_index=False)
        for column in encode:
            place = part.schema.names.index(column)
            part = part.set_column(place, column, part[column].dictionary_encode())
        (tmp_path / "parts" / name).mkdir(parents=True, exist_ok=True)
        parquet.write_table(part, tmp_path / "parts" / name / "0.parquet", row_group_size=90)
    sets = np.repeat(["train", "dev", "test"], [200, 50, 50])
    frame.assign(set=sets).to_parquet(tmp_path / "whole.parquet")


def streamed(tmp_path, **data):
    return search(tmp_path, **{"label": "kind", "missing": "mean", "columns": COLUMNS, **data})


def in_memory(tmp_path, **data):
    data = {"path": "whole.parquet", "stream": False, "split_by": "set", **data}
    return streamed(tmp_path, **data)


def expected(frame):
    """The columns as pandas encodes them, by the rows of the train set that have a label."""
    frame = frame[frame["kind"].notna()]
    is_train = frame.index < 200
    numbers = frame[["length", "open", "day", "width"]].copy()
    numbers["day"] = (frame["day"] - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
    numbers = numbers.astype("float64")
    numbers = numbers.fillna(numbers[is_train].mean())
    train = numbers[is_train]
    scaled = ((numbers - train.mean()) / train.std(ddof=0)).assign(open=numbers["open"])
    levels = pd.get_dummies(frame[["town", "code"]].astype({"code": str}), dtype=float)
    return pd.concat([scaled, levels.drop(columns="town_Zug")], axis=1).to_numpy()


def side(part, name):
    return getattr(part.rows(slice(part.count)), name)


@pytest.mark.parametrize("method", ["standardize", "min_max"])
def test_the_matrix_and_the_levels_are_those_of_the_table_in_memory(tmp_path, monkeypatch, method):
    monkeypatch.setattr(row_groups, "CHUNK", 7)
    write(tmp_path, table(), encode=["town"])
    settings = {"normalize": method, "max_one_hot": 4}
    one, other = (load_split(s(tmp_path, **settings).config) for s in (streamed, in_memory))
    assert one.columns.features == other.columns.features
    assert (one.columns.sizes, one.class_names) == (other.columns.sizes, other.class_names)
    assert one.shape == other.shape == (10,)
    assert 'lack the label "kind"' in one.notes[0] and 'lack the label "kind"' in other.notes[0]
    (mine, encoding), (theirs, reference) = normalize(one, method), normalize(other, method)
    np.testing.assert_equal(encoding.levels, reference.levels)
    assert encoding.fills == pytest.approx(reference.fills, rel=1e-6)
    for name, part in mine.parts.items():
        x = side(part, "x")
        assert part.shape == (10,) and x.dtype == np.float32
        np.testing.assert_allclose(x, theirs.parts[name].x, rtol=2e-5, atol=2e-5)
        np.testing.assert_array_equal(side(part, "y"), other.parts[name].y)
        raw = side(one.raw(one.parts[name]), "x")
        for column, values in other.raw(other.parts[name]).x.items():
            of_text = values.dtype == object
            values = [v.encode() for v in values] if of_text else values.astype(np.float32)
            np.testing.assert_array_equal(raw[column], values)
    if method == "standardize":
        x = np.concatenate([side(part, "x") for part in mine.parts.values()])
        np.testing.assert_allclose(x, expected(table()), atol=2e-5)


def test_the_best_model_takes_raw_columns(tmp_path, module):
    frame = table()
    write(tmp_path, frame)
    tables = {"model": {"builder": f"{module(BUILDER)}:build"}}
    columns = {**COLUMNS, "town": {"encoding": "index"}}
    found = streamed(tmp_path, tables=tables, columns=columns, normalize="standardize")
    result = found.run(verbose=False)
    assert [record.status for record in result.trials.values()] == ["completed"] * 2
    test = frame[SETS["test"]]
    raw = {
        "length": test["length"].to_numpy("float32"),
        "town": test["town"].fillna("").to_numpy(object),
        "open": test["open"].astype("float32").to_numpy(na_value=np.nan),
        "day": (test["day"] - pd.Timestamp("1970-01-01")).dt.days.to_numpy("float32"),
        "code": test["code"].astype(str).to_numpy(object),
        "width": test["width"].to_numpy(),
    }
    inputs = {name: tf.constant(list(values)) for name, values in raw.items()}
    model = keras.models.load_model(found.directory / "best.keras")
    predicted = model.predict(inputs, verbose=0).argmax(axis=1)
    y = pd.Categorical(test["kind"], ["u", "v", "w"]).codes
    assert result.summary.test["accuracy"] == pytest.approx((predicted == y).mean(), abs=1e-6)
    assert found.run(verbose=False).was_complete
    frame.loc[230, "town"] = "Bern" if frame.loc[230, "town"] != "Bern" else "Chur"
    write(tmp_path, frame)
    longer = streamed(
        tmp_path, tables={**tables, "search": {"trials": 3}}, columns=columns,
        normalize="standardize",
    )  # fmt: skip
    with pytest.raises(InputError, match="the data is another than when the search began"):
        Search(longer.config, found.out).run(verbose=False)


def test_check_names_the_columns(tmp_path):
    frame = table(missing=False)
    write(tmp_path, frame)
    data, warnings = check_data(streamed(tmp_path, missing="error", max_one_hot=4).config)
    (warning,) = warnings
    assert "numbers are large" in warning and '"day" to' in warning
    of_columns = [line.split(None, 1) for line in data.lines() if line.startswith("  ")]
    assert [name for name, _ in of_columns] == [*frame.columns[:-1]]
    texts = dict(of_columns)
    assert texts["town"] == 'category, one_hot of 4 levels: "Bern", "Chur", "Genève", "Zug"'
    assert texts["code"] == 'category, one_hot of 3 levels: "7", "8", "9"'
    assert texts["open"] == "boolean, 0 to 1" and texts["day"].startswith("date, 19723 to 19")


ROWS = np.arange(300)


@pytest.mark.parametrize(
    ("columns", "data", "message"),
    [
        ({"town": [[1]] * 300}, {}, r'column "town" is of the type list.*, which is neither'),
        ({"day": "2024"}, {}, r'column "day" is to be of the type "date".*"large_string"'),
        ({}, {"columns": {"code": {}}}, r'column "day" holds dates.* type = "date"'),
        (
            {"town": [f"n{n}" for n in ROWS]},
            {},
            r"column \"town\" holds 300 different texts in 300",
        ),
        (
            {"town": np.where(ROWS == 7, "x", "1.5")},
            {},
            r'not in 1 of 300 rows.*row 7 of 0\.p.*"x"',
        ),
        ({}, {"columns": {**COLUMNS, "town": {"type": "number"}}}, r'"town" is of the type large_'),
        (
            {},
            {"columns": {**COLUMNS, "width": {"type": "boolean"}}},
            r'"boolean", which .*row 0 of',
        ),
        (
            {},
            {"columns": {**COLUMNS, "width": {"encoding": "index"}}},
            r"encoding is for categories",
        ),
        ({"length": np.where(ROWS < 200, np.nan, 1)}, {}, r"no value in the train set of 200 rows"),
        ({"town": np.where(ROWS < 200, None, "a")}, {}, r"no value in the train set of 200 rows"),
    ],
)
def test_columns_that_can_not_be_streamed(tmp_path, columns, data, message):
    frame = table(missing=False)
    for name, values in columns.items():
        frame[name] = values if isinstance(values, str) else list(values)
    write(tmp_path, frame)
    with pytest.raises(InputError, match=message):
        normalize(load_split(streamed(tmp_path, **data).config), "none")


def test_too_many_texts_and_parts_of_several_types(tmp_path, monkeypatch):
    frame = table()
    write(tmp_path, frame)
    monkeypatch.setattr(row_levels, "MOST_LEVELS", 3)
    with pytest.raises(InputError, match='column "town" holds more than 3 different texts'):
        load_split(streamed(tmp_path).config)
    part = frame[SETS["dev"]].assign(town=1.5)
    part.to_parquet(tmp_path / "parts" / "dev" / "0.parquet", index=False)
    with pytest.raises(
        InputError, match=r'"town" is of the type number in .*dev/0\.parquet and category'
    ):
        load_split(streamed(tmp_path).config)


@given(st.data())
def test_statistics_of_chunks_are_those_of_the_whole(data):
    numbers = st.sampled_from([np.nan, *np.float32([-3e4, -1.5, 0, 1e-3, 0.1, 7, 8]).tolist()])
    rows = data.draw(st.integers(1, 20))
    matrix = data.draw(arrays(np.float64, (rows, 3), elements=numbers))
    edge = data.draw(st.integers(0, rows))
    statistics = TrainStatistics(3)
    statistics.add(matrix[:edge])
    statistics.add(matrix[edge:])
    assert statistics.counts.tolist() == (~np.isnan(matrix)).sum(axis=0).tolist()
    for place in np.flatnonzero(statistics.counts).tolist():
        values = matrix[:, place]
        mean = np.nanmean(values)
        assert statistics.mean[place] == pytest.approx(mean, rel=1e-9, abs=1e-9)
        filled = np.where(np.isnan(values), mean, values)
        if np.float32(np.nanmin(values)) == np.float32(np.nanmax(values)):
            filled[:] = np.nanmin(values)
        for method in ("standardize", "min_max", "rescale"):
            of_all = fit_scaling(filled[:, None], method)
            pair = (of_all.shift[0], of_all.scale[0])
            assert statistics.scaling(place, method) == pytest.approx(pair, rel=1e-6, abs=1e-9)
