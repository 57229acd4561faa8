"""Columns that float32, or float64, would round until values merge; and their scaling."""

import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from tfcourse import InputError
from tfcourse.data.precision import coarse_columns, describe_merging
from tfcourse.data.scaling import fit_scaling
from tfcourse.data.sources import load

SECONDS = 1.7e9 + np.random.default_rng(0).integers(0, 60, 400).astype("float64")
COLUMNS = {
    "Unix seconds of a minute": (SECONDS, True),
    "Unix seconds of a year": (SECONDS + np.arange(400) * 86400.0, False),
    "whole numbers above 2**24": (2**24 + np.arange(400) % 100, True),
    "whole numbers below 2**24": (2**24 - np.arange(400) % 100, False),
    "smaller than float32": (1e-50 * np.arange(400), True),
    "float32 already": (SECONDS.astype("float32"), False),
    "ordinary numbers": (np.random.default_rng(1).normal(size=400), False),
    "temperatures": (290 + np.random.default_rng(1).normal(size=400), False),
    "one number": (np.full(400, 0.1), False),
    "one number, computed in two ways": (np.tile([0.1 + 0.2, 0.3], 200), False),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_that_float32_spoils(name):
    column, coarse = COLUMNS[name]
    x = np.stack([np.zeros_like(column), column], axis=1)
    assert coarse_columns(x) == [1] * coarse
    images = np.stack([x, x], axis=1)[:, :, None]
    assert coarse_columns(images) == [1] * coarse


def test_how_many_values_merge():
    assert describe_merging(SECONDS) == "float32 keeps 1 of its 60 values apart"


@pytest.mark.parametrize(
    ("how", "scaler"), [("standardize", StandardScaler()), ("min_max", MinMaxScaler())]
)
def test_scaling_in_float64_is_scikit_learns(how, scaler):
    noise = np.tile([0.1 + 0.2, 0.3], 200)  # scikit-learn calls it constant as well
    x = np.stack([SECONDS, SECONDS * 1e-3, np.full(400, 3.0), noise], axis=1)
    scaled = fit_scaling(x, how).apply(x)
    assert scaled.dtype == np.float32
    columns = slice(None) if how == "standardize" else slice(0, 3)
    np.testing.assert_allclose(scaled[:, columns], scaler.fit_transform(x)[:, columns], atol=1e-6)
    assert np.abs(scaled[:, 3]).max() < 1e-15
    assert len(np.unique(scaled[:, 0])) == 60


class TestWholeNumbersAbove2To53:
    SAID = (
        r"data\.csv: the column \"id\" holds whole numbers above 2\*\*53, of which float64 keeps 1 "
        r"of 3 apart\. Subtract a constant from it, such as its smallest value, or drop it\."
    )

    def test_in_a_csv_file(self, tmp_path):
        file = tmp_path / "data.csv"
        file.write_text("a,id,label\n1,1700000000000000000,0\n2,1700000000000000001,1\n"
                        "3,1700000000000000002,1\n")  # fmt: skip
        with pytest.raises(InputError, match=self.SAID):
            load("csv", file)

    @pytest.mark.parametrize("cells", [("1e300", "2e300"), ("1" + "0" * 18, "3" + "0" * 18)])
    def test_such_as_stay_apart_are_taken(self, tmp_path, cells):
        file = tmp_path / "data.csv"
        first, second = cells
        file.write_text(f"id,label\n{first},0\n{second},1\n")
        if first == "1e300":
            with pytest.raises(InputError, match="not finite"):  # in float32
                load("csv", file)
        else:
            assert load("csv", file).part.x[1, 0] == np.float32(3e18)

    @pytest.mark.parametrize("dtype", ["int64", "uint64"])
    def test_in_arrays(self, tmp_path, dtype):
        x = np.stack([np.arange(4), 2**62 + np.arange(4)], axis=1).astype(dtype)
        np.savez(tmp_path / "data.npz", x=x, y=[0, 1, 0, 1])
        said = (
            r"column 1 of x holds whole numbers above 2\*\*53, of which float64 keeps 1 of 4 apart"
        )
        with pytest.raises(InputError, match=said):
            load("npz", tmp_path / "data.npz")
