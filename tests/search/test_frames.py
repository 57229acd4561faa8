"""Searches on tables of pandas, polars and pyarrow that hold texts, dates or missing values."""

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import tfcourse
from tfcourse import InputError, Search
from tfcourse.data.splitting.stored_split import StoredSplit
from tfcourse.search.best.model_inputs import model_inputs
from tfcourse.search.data.folds import fold_split
from tfcourse.search.data.loading import load_split
from tfcourse.search.store.data_record import data_record
from tfcourse.search.trials.normalized import normalize

RATE = {"learning_rate": {"low": 0.01, "high": 0.1}}
DAY = {"day": {"type": "date"}}


def frame(rows=60, seed=0):
    """Numbers, categories, a flag, days, missing values, and classes with names."""
    random = np.random.default_rng(seed)
    table = pd.DataFrame({"size": random.normal(size=rows), "visits": random.integers(0, 9, rows)})
    table["place"] = pd.Categorical(random.choice(["Jura", "Loire", "Rhône"], rows))
    table["organic"] = random.random(rows) < 0.5
    table["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 99, rows), "D")
    table["note"] = random.choice(["dry", "sweet"], rows)
    table.loc[[1, 7, 15], "size"] = np.nan
    table.loc[[2, 7], "place"] = None
    table["kind"] = random.choice(["red", "white", "rosé"], rows)
    return table


class Exported:
    """A table as polars gives it to Arrow: its texts are views, those of categories too."""

    def __init__(self, table):
        arrow = pa.Table.from_pandas(table, preserve_index=False)
        for place, (name, values) in enumerate(zip(arrow.column_names, arrow.columns, strict=True)):
            if pa.types.is_dictionary(values.type):
                (chunk,) = values.chunks
                texts = chunk.dictionary.cast(pa.string_view())
                values = pa.DictionaryArray.from_arrays(chunk.indices, texts)
                arrow = arrow.set_column(place, name, values)
            elif pa.types.is_large_string(values.type) or pa.types.is_string(values.type):
                arrow = arrow.set_column(place, name, values.cast(pa.string_view()))
        self.table, self.columns = arrow, arrow.column_names

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


def search(out="runs", **arguments):
    settings = {"space": RATE, "build": "linear", "trials": 2, "epochs": 2, "missing": "mean"}
    settings["optimizer"] = "gradient_descent"
    return Search(**{**settings, "normalize": "standardize", "out": out, **arguments})


def split_of(**arguments):
    return load_split(search(**{"columns": DAY, **arguments}).config)


def error(**arguments):
    with pytest.raises(InputError) as caught:
        load_split(search(**arguments).config)
    return str(caught.value)


class TestSplit:
    def test_train_and_dev_as_scikit_learn_encodes_them(self):
        """What is fitted is of the train set alone, also if it lacks a level of the dev set."""
        train, dev = frame(60), frame(20, seed=1)
        dev["note"] = dev["note"].replace("sweet", "sparkling")
        pairs = [(part.drop(columns="kind"), part["kind"]) for part in (train, dev)]
        split = split_of(train=pairs[0], dev=pairs[1])
        encoded, _ = normalize(split, "standardize")
        numbers = ["size", "visits", "day"]
        values = [
            part[numbers].assign(day=(part["day"] - pd.Timestamp(0)).dt.days).to_numpy(float)
            for part in (train, dev)
        ]
        imputer, scaler = SimpleImputer(), StandardScaler()
        scaler.fit(imputer.fit_transform(values[0]))
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        texts = [part[["place", "note"]].astype(object).fillna("") for part in (train, dev)]
        levels = [["Jura", "Loire", "Rhône"], ["dry", "sweet"]]
        encoder.set_params(categories=levels).fit([[of[0] for of in levels]])
        for part, number, text, whole in zip(
            (train, dev), values, texts, (encoded.train, encoded.dev), strict=True
        ):
            scaled = scaler.transform(imputer.transform(number))
            flag = part[["organic"]].to_numpy(float)
            expected = [scaled[:, :2], flag, scaled[:, 2:], encoder.transform(text.to_numpy())]
            np.testing.assert_allclose(whole.x, np.column_stack(expected), atol=2e-5)
        assert split.class_names == ("red", "rosé", "white")
        assert [split.class_names[n] for n in split.dev.y] == dev["kind"].tolist()

    def test_the_data_is_that_of_a_file(self, tmp_path):
        """Of the same columns, of whichever library the table is, and with y apart or in it."""
        table = frame().drop(columns="day")
        path = tmp_path / "wine.csv"
        table.to_csv(path, index=False)
        digests = [
            data_record(split_of(columns=None, **arguments))["sha256"]
            for arguments in (
                {"source": "csv", "path": str(path), "label": "kind"},
                {"data": table},
                {"data": table[["kind", *table.columns[:-1]]], "label": "kind"},
                {"data": (table.drop(columns="kind"), table["kind"])},
                {"data": (table.drop(columns="kind"), table[["kind"]].to_numpy())},
                {"data": pa.Table.from_pandas(table)},
                {"data": (Exported(table.drop(columns="kind")), pa.array(table["kind"]))},
            )
        ]
        assert len({*digests}) == 1

    def test_numbers_alone_are_arrays_as_before(self):
        table = frame()[["size", "visits", "organic"]].fillna(0)
        y = np.arange(60) % 3
        config = search(data=(table, y), missing=None).config
        arrays = search(data=(table.to_numpy(float), y), missing=None).config
        assert config.data.source == "arrays"
        assert config.as_toml() == arrays.as_toml()
        both = [data_record(load_split(each)) for each in (config, arrays)]
        assert both[0] == both[1]
        assert search(data=(table, frame()["kind"]), missing=None).config.data.source == "dataframe"

    def test_rows_that_lack_a_value_leave_their_set(self):
        train, dev = frame(60), frame(20, seed=1)
        split = split_of(train=train, dev=dev, missing="drop")
        assert [part.count for part in split.parts.values()] == [56, 16]
        raw = split.raw(split.dev).x["size"]
        np.testing.assert_array_equal(raw, dev.dropna()["size"])

    def test_groups_weights_and_rows_given_beside(self):
        table, weight = frame(), np.linspace(1, 2, 60)
        x, y = table.drop(columns="kind"), table["kind"]
        group = np.arange(60) // 5
        split = split_of(data=(x, y, weight), group=group, missing="drop")
        assert split.train.weight.sum() < np.delete(weight, [1, 2, 7, 15]).sum()
        where = {size: n for n, size in enumerate(table["size"])}
        places = [
            {where[size] // 5 for size in split.raw(part).x["size"]}
            for part in split.parts.values()
        ]
        assert not set.intersection(*places[:2]) | set.intersection(*places[1:])
        rows = [np.arange(40, 60), np.arange(0, 20)]
        split = split_of(data=table.assign(note=weight), sample_weight="note", split=rows)
        np.testing.assert_allclose(split.dev.weight, weight[:20], rtol=1e-6)

    def test_labels_that_are_true_or_false_are_numbers(self):
        table = frame()
        split = split_of(data=(table, table.pop("organic")))
        assert split.class_names is None
        assert set(split.train.y) == {0, 1}

    def test_a_column_of_any_objects_can_be_dropped(self):
        table = frame().assign(strange=[*[{}] * 59, "a"])
        table.insert(0, "sparse", pd.arrays.SparseArray([0.0, 2.0] * 30))
        split = split_of(data=table, label="kind", drop=["strange"])
        assert split.columns.names == ("sparse", *frame().columns[:-1])
        assert set(split.raw(split.train).x["sparse"]) == {0, 2}

    def test_a_regression(self):
        table = frame().dropna()
        split = split_of(data=table, label="size", loss="mse", metrics=["mae"])
        assert split.train.y.shape[1:] == (1,)
        assert "kind" in split.columns.names

    def test_folds(self):
        read = search(data=frame(), columns=DAY, folds=3).config
        split = load_split(read)
        shapes = {normalize(fold_split(split, read, n), "none")[0].train.shape for n in range(3)}
        assert shapes == {(9,)}

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({}, 'the table: the column "day" holds dates, of the type timestamp['),
            ({}, 'or give it type = "date" in columns["day"], which makes days'),
            ({"missing": None, "columns": DAY}, 'missing: "size" 3, "place" 2 of 60 rows'),
            ({"drop": ["dya"]}, "Received: 'dya'. Did you mean \"day\"?"),
            ({"separator": ";"}, 'separator is for source "csv" only. Received: "dataframe"'),
            ({"data": (frame(), frame()["kind"]), "label": "kind"}, "leave out one of them"),
            ({"data": (frame(), frame()[["kind", "note"]])}, "y of data must be one column of 60"),
            ({"data": (frame(), {"a": np.ones(60)})}, "Received: a dict of ['a']"),
            (
                {"data": frame().assign(tags=[["a"]] * 60)},
                "Name a column of one class in each",
            ),
            ({"data": frame()["kind"]}, "or a table with y in a column. Received: Series."),
            ({"data": (frame(), np.ones(59))}, "Received: the shape (59,)"),
            ({"data": (frame()[:0], np.ones(0))}, "data: the table has no rows"),
            ({"data": frame().assign(size=[*[{}] * 59, "a"])}, 'data: the column "size" holds val'),
            ({"data": frame().set_axis(["a"] * 7, axis=1)}, 'Received: "a" more than once'),
            (
                {"data": None, "train": frame(), "dev": frame().drop(columns="size")},
                "train and dev must have the same columns. Not in both: size.",
            ),
            (
                {"data": None, "train": frame(), "dev": frame().assign(size="a")},
                'the column "size" must be of one type in all sets. Received: double, ',
            ),
            (
                {"data": None, "train": frame(), "dev": (frame(), np.ones(60))},
                "dev must be a table, as train is. Received: tuple.",
            ),
            (
                {
                    "data": None,
                    "train": frame(),
                    "dev": frame()[1:2],
                    "missing": "drop",
                    "columns": DAY,
                },
                "every row of dev lacks a value",
            ),
        ],
    )
    def test_what_is_refused(self, arguments, said):
        assert said in error(**{"data": frame(), **arguments})


def test_workers_share_one_file(tmp_path):
    split = split_of(data=frame())
    stored = StoredSplit.write(split, tmp_path / "data").read()
    assert data_record(stored) == data_record(split)
    assert stored.columns == split.columns


def test_a_search_resumes_and_predicts(tmp_path):
    table = frame(120)
    result = search(tmp_path, data=table, columns=DAY).run(verbose=False)
    more = search(tmp_path, data=table, columns=DAY, trials=3).run(verbose=False)
    assert [more.trials[n].score for n in range(2)] == [r.score for r in result.trials.values()]
    with pytest.raises(InputError, match="the data is another than when the search began"):
        search(tmp_path, data=table[::-1], columns=DAY, trials=4).run(verbose=False)
    loaded = tfcourse.load_run(tmp_path / "search")
    expected = loaded.predict(table)
    for same in (
        pa.Table.from_pandas(table),
        table.convert_dtypes(),
        Exported(table.convert_dtypes()),
        {name: values.to_numpy() for name, values in table.convert_dtypes().items()},
    ):
        np.testing.assert_array_equal(loaded.predict(same), expected)
    test = load_split(search(tmp_path, data=table, columns=DAY).config).raw_test
    measured = loaded.evaluate(test.x, np.array(loaded.classes)[test.y])
    assert measured["accuracy"] == pytest.approx(more.summary.test["accuracy"])


@pytest.mark.parametrize(
    "values",
    [[7.0, 1.5, None], [True, False, None], [12, 7, None], ["a", "", None]],
    ids=["floats", "booleans", "numbers", "texts"],
)
def test_categories_have_the_texts_of_the_search(values):
    """A column of another type that is declared a category."""
    table = pd.DataFrame({"code": values, "kind": ["a", "b", "a"]})
    options = {"missing": "mean", "columns": {"code": {"type": "category"}}, "split": [[0, 1], [2]]}
    levels = split_of(data=table, **options).columns.features[0].levels
    inputs = {"code": keras.Input((1,), dtype="string", name="code")}
    model = keras.Model(inputs, keras.layers.StringLookup(vocabulary=["?"])(inputs["code"]))
    batches = model_inputs(model, table, None)
    texts = [text.decode() for batch in batches for text in batch["code"].numpy()]
    assert {*texts} == {*levels, ""}
