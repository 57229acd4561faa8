"""Searches on data that float32 would spoil: scaled in float64, and told of before the search."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn.preprocessing import StandardScaler

import tfcourse
from tests.search.conftest import RATE
from tfcourse.search.data.loading import load_split
from tfcourse.search.store.data_record import data_record

SECONDS = 1.7e9 + np.random.default_rng(0).integers(0, 60, 400).astype("float64")
X, Y = SECONDS[:, None], (np.median(SECONDS) < SECONDS).astype(int)
DATA = {
    "arrays": (X, Y),
    "whole numbers": (X.astype("int64"), Y),
    "a table": (pd.DataFrame({"time": SECONDS}), pd.Series(Y)),
}
KEPT = "float32 keeps 1 of its 60 values apart."


def search(out, **arguments):
    settings = {
        "epochs": 15,
        "batch_size": 32,
        "trials": 1,
        "space": {"learning_rate": {"values": [0.01]}},
        "build": "linear",
        "optimizer": "momentum",
    }
    return tfcourse.Search(out=out, **{**settings, **arguments})


@pytest.mark.parametrize("how", ["standardize", "min_max"])
def test_the_trials_see_every_value(how, tmp_path, caplog):
    space = {"learning_rate": {"values": [1.0]}}
    planned = search(tmp_path, data=DATA["a table"], normalize=how, folds=2, space=space)
    result = planned.run(verbose=False)
    assert (
        f'Search: [data] the column "time" needs more digits than float32 has: {KEPT}'
        in caplog.text
    )
    assert "give best.keras whole numbers as int64" in caplog.text
    assert result.summary.test["accuracy"] > 0.95  # 0.5 where the values merge

    plain = keras.models.load_model(result.directory / "best.keras")
    test = load_split(planned.config).test
    whole = tf.data.Dataset.from_tensor_slices((test.x, test.y)).batch(80)
    for data in ((whole,), (test.x.astype("int64"), test.y)):
        measured = plain.evaluate(*data, verbose=0, return_dict=True)
        assert measured == pytest.approx(result.summary.test, rel=1e-5)
    inner = plain.layers[-1](plain.layers[1](plain.layers[0](test.x)))
    np.testing.assert_array_equal(plain(test.x), inner)


@pytest.mark.parametrize("name", DATA)
def test_data_scaled_by_the_search_is_data_scaled_before_it(name, tmp_path):
    x, y = DATA[name]
    ours = search(tmp_path, data=(x, y), normalize="standardize", name="ours").run(verbose=False)
    train = load_split(search(tmp_path, data=(x, y), normalize="standardize").config).train
    scaler = StandardScaler().fit(train.x)
    theirs = search(tmp_path, data=(scaler.transform(X), Y), name="theirs").run(verbose=False)
    assert ours.best.score == pytest.approx(theirs.best.score, abs=1e-6)
    assert ours.summary.test == pytest.approx(theirs.summary.test, rel=1e-4)


def test_without_normalize_the_remedy_is_told(tmp_path):
    file = tmp_path / "data.csv"
    rows = "\n".join(f"{i % 7},{2**24 + i % 50},{i % 2}" for i in range(200))
    file.write_text(f"a,id,label\n{rows}\n")
    planned = search(tmp_path, source="csv", path=str(file))
    split = load_split(planned.config)
    assert split.train.x.dtype == np.float32
    assert split.notes == (
        'the column "id" needs more digits than float32 has: float32 keeps 25 of its 50 values '
        'apart. Give normalize = "standardize", which scales in float64 first.',
    )


def test_targets_that_float32_merges(tmp_path):
    planned = search(tmp_path, data=(X - 1.7e9, X[:, 0]), loss="mse", normalize="standardize")
    split = load_split(planned.config)
    assert split.train.y.dtype == np.float32
    assert split.notes == (
        f"y needs more digits than float32 has, in which models train: {KEPT} Subtract a constant "
        "from y first, such as its mean.",
    )


@pytest.mark.parametrize("how", ["none", "standardize"])
def test_the_hash_of_ordinary_data_stays(how):
    """Else a search that was interrupted could not go on."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)) * [1, 10, 100, 0.01] + [0, 5, 1000, 0.1]
    expected = {
        "digits": "647f296a9974cb1187fc39174faeb2f8ac9d91d52e44e296c17205992088159e",
        "arrays": "3dc4f114f9924950f70bf8d1ee6c4214e774dd05fd63c845b8f2303a19039afc",
    }
    sources = {"digits": {"source": "digits"}, "arrays": {"data": (x, np.arange(60) % 3)}}
    for name, source in sources.items():
        planned = tfcourse.Search(space=RATE, trials=1, normalize=how, **source)
        assert data_record(load_split(planned.config))["sha256"] == expected[name]


def test_tables_must_have_the_same_columns(tmp_path):
    """Tables that were encoded one by one."""
    train = pd.get_dummies(pd.DataFrame({"sex": ["f", "m", "f", "m"]}))
    dev = pd.get_dummies(pd.DataFrame({"sex": ["f", "f"]}))
    y = np.array([0, 1, 0, 1])
    said = (
        r"Search: train and dev must have the same columns in the same order\. Not in both: sex_m\."
        r" Give x of dev those of x of train: with x_train and x_dev the two tables, "
        r"x_dev\.reindex\(columns=x_train\.columns, fill_value=0\)\."
    )
    with pytest.raises(tfcourse.InputError, match=said):
        search(tmp_path, train=(train, y), dev=(dev, y[:2]), test=(train, y))
    with pytest.raises(tfcourse.InputError, match=r"train and test .* The order differs\."):
        search(tmp_path, train=(train, y), dev=(train, y), test=(train[["sex_m", "sex_f"]], y))
