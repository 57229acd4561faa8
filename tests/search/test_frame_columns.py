"""Columns of tables in memory that are refused, each with a remedy that such a table has."""

import pandas as pd
import pytest

from tests.search.test_frames import DAY, error, frame, split_of


def test_durations():
    waited = pd.to_timedelta([1, 2] * 30, "D")
    said = error(data=frame().assign(day=waited))
    assert "of the type duration[" in said and "or write numbers of it as columns" in said


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        (["1.5"] * 59 + ["?"], {}, 'not in 1 of 60 rows, the first in row 59: "?". Convert'),
        (["1,5"] * 60, {}, 'otherwise in 60 of 60 rows, the first in row 0: "1,5". Convert'),
        (["1.5", None] * 30, {"type": "number"}, "holds numbers that are texts. Convert the"),
    ],
)
def test_numbers_that_are_texts(values, options, said):
    """The remedies are not those of a csv, whose settings a table in memory has not."""
    received = error(data=frame().assign(size=values), columns={**DAY, "size": options})
    assert said in received and "as pandas.to_numeric does" in received
    assert "missing_values" not in received and "decimal" not in received


@pytest.mark.parametrize(
    ("value", "options", "said"),
    [
        (
            "2024-05-31",
            {"type": "date"},
            'other tables, as with pandas.to_datetime. Received: "',
        ),
        ("true", {"type": "boolean"}, 'other tables, such as with == "true". Received: "true"'),
        ("2024-05-31", {}, "convert them as pandas.to_datetime does and give type"),
    ],
)
def test_dates_and_booleans_that_are_texts(value, options, said):
    assert said in error(data=frame().assign(day=value), columns={"day": options})


def test_columns_whose_inputs_would_have_one_name():
    table = frame().drop(columns="day").rename(columns={"note": "features"})
    index = {"features": {"encoding": "index"}}
    assert '"features" is an index, and the other' in error(data=table, columns=index)
    alone = split_of(data=table, features=["features"], columns=index)
    assert alone.shape == {"features": (1,)}
    assert split_of(data=table, columns={}).shape == (8,)
    table = table.rename(columns={"size": "a/b", "visits": "a_b"})
    assert '"a/b" and "a_b" would both be the input "a_b"' in error(data=table)
    numbers = table[["a/b", "a_b", "kind"]].fillna(0)
    assert split_of(data=numbers, label="kind", columns={}, missing="error").shape == (2,)
