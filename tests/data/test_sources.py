"""Examples from every source, and what is found wrong with them before any training."""

import importlib
import re
import sys

import numpy as np
import pytest
import sklearn.datasets

from tfcourse import InputError
from tfcourse.data.sources import KERAS_DATASETS, SKLEARN_DATASETS, check_source, load

X = np.arange(24, dtype=np.float64).reshape(6, 4) / 8  # exact in float32
Y = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture
def npz(tmp_path):
    """Writes arrays into a file and loads it as a source."""

    def load_arrays(**arrays):
        np.savez(tmp_path / "data.npz", **arrays)
        return load("npz", tmp_path / "data.npz")

    return load_arrays


@pytest.fixture
def csv(tmp_path):
    """Loads text as a CSV file."""

    def load_text(text, label=None, encoding="utf-8"):
        (tmp_path / "data.csv").write_text(text, encoding=encoding)
        return load("csv", tmp_path / "data.csv", label)

    return load_text


@pytest.fixture
def function(tmp_path, monkeypatch):
    """Loads what a function returns, as a source, from a module in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())

    def load_from(returned):
        source = f"import numpy as np\ndef points():\n    return {returned}\n"
        (tmp_path / "data_of_a_test.py").write_text(source, encoding="utf-8")
        importlib.invalidate_caches()
        return load("data_of_a_test:points")

    yield load_from
    sys.modules.pop("data_of_a_test", None)


def assert_is_x_and_y(loaded):
    part, classes = loaded.part, loaded.outputs
    assert not loaded.apart
    np.testing.assert_array_equal(part.x, X)
    np.testing.assert_array_equal(part.y, Y)
    assert (part.x.dtype, part.y.dtype, classes) == (np.float32, np.int64, 3)


def error(call, *args, **kwargs):
    with pytest.raises(InputError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


def test_digits_are_scikit_learns_in_0_to_1():
    digits = load("digits")
    part, classes = digits.part, digits.outputs
    x, y = sklearn.datasets.load_digits(return_X_y=True)
    np.testing.assert_array_equal(part.x * 16, x)
    np.testing.assert_array_equal(part.y, y)
    assert (part.x.shape, classes, part.x.min(), part.x.max()) == ((1797, 64), 10, 0, 1)


# The remedies for labels.
NUMBER_THEM = "Number them: np.unique(y, return_inverse=True)[1]."
REGRESSION = 'If they are numbers to predict, a regression, give loss = "mse".'
ONE_CLASS = "All examples are of one class: a model needs others to learn from."


class TestNpz:
    @pytest.mark.parametrize("dtype", ["float64", "float16", "int64", "uint8"])
    def test_arrays_of_any_number_type(self, npz, dtype):
        x = (X * 8).astype(dtype)
        part = npz(x=x, y=Y.astype(dtype)).part
        np.testing.assert_array_equal(part.x, x)
        assert (part.x.dtype, part.y.dtype) == (np.float32, np.int64)

    def test_an_array_apart(self, npz, tmp_path):
        npz(x=X, y=Y, patient=list("aabbcc"), place=np.eye(6))
        examples = load("npz", tmp_path / "data.npz", apart={"group": "patient"})
        np.testing.assert_array_equal(examples.part.x, X)
        assert "".join(examples.apart["patient"]) == "aabbcc"
        said = error(load, "npz", tmp_path / "data.npz", apart={"group": "patients"})
        assert re.match(r'group: the array of .* beside x and y must be one of "patient", "', said)
        said = error(load, "npz", tmp_path / "data.npz", apart={"group": "place"})
        assert said.endswith("must have one value for each example, shape (6,). Received: (6, 6).")
        said = error(load, "digits", apart={"group": "patient"})
        assert said.startswith('group: "patient" must be a column of a table, or an array of')

    def test_x_and_y(self, npz):
        assert_is_x_and_y(npz(x=X, y=Y))

    def test_images_keep_their_shape(self, npz):
        part = npz(x=X.reshape(6, 2, 2), y=Y).part
        assert part.x.shape == (6, 2, 2)

    def test_without_y(self, npz):
        said = error(npz, x=X, labels=Y)
        assert re.fullmatch(
            r".*data\.npz must hold the arrays x and y\. Received: x, labels\.", said
        )

    @pytest.mark.parametrize(
        "content",
        [b"", b"x,y\n1,2\n", b"PK\x03\x04 cut off"],
        ids=["empty", "text", "truncated"],
    )
    def test_no_npz_file(self, tmp_path, content):
        (tmp_path / "data.npz").write_bytes(content)
        said = error(load, "npz", tmp_path / "data.npz")
        assert "data.npz is not a whole .npz file" in said

    @pytest.mark.parametrize(("place", "bit"), [(8, 1), (8, 64), (10, 1), (6, 64)])
    def test_an_archive_of_a_kind_that_numpy_never_writes(self, npz, tmp_path, place, bit):
        """Encrypted, of another compression, of a later version: its directory is damaged."""
        npz(x=X, y=Y)
        path = tmp_path / "data.npz"
        content = bytearray(path.read_bytes())
        content[content.index(b"PK\x01\x02") + place] ^= bit
        path.write_bytes(content)
        said = error(load, "npz", path)
        assert "data.npz is not a readable .npz file of numbers: " in said

    @pytest.mark.parametrize("side", ["y", "y.digit", "x.image"])
    def test_a_single_number(self, npz, side):
        rest = {"x": X} if side[0] == "y" else {"y": Y}
        arrays = {**rest, side: np.array(3.0)}
        said = error(npz, **arrays)
        assert f"data.npz: {side} must have the shape (examples, ...). Received: ()." in said

    def test_damaged_bytes(self, npz, tmp_path):
        npz(x=X, y=Y)
        content = bytearray((tmp_path / "data.npz").read_bytes())
        content[content.index(X.tobytes()) + 50] ^= 1
        (tmp_path / "data.npz").write_bytes(content)
        assert "data.npz" in error(load, "npz", tmp_path / "data.npz")

    def test_damaged_compressed_bytes(self, tmp_path):
        path = tmp_path / "data.npz"
        np.savez_compressed(path, x=np.random.default_rng(0).normal(size=(99, 4)), y=Y)
        content = bytearray(path.read_bytes())
        content[200:400] = b"\xff" * 200
        path.write_bytes(content)
        assert "data.npz is not a readable .npz file of numbers" in error(load, "npz", path)

    def test_one_array_is_no_npz_file(self, tmp_path):
        with (tmp_path / "data.npz").open("wb") as file:
            np.save(file, X)
        said = error(load, "npz", tmp_path / "data.npz")
        assert "data.npz is not a whole .npz file" in said

    def test_no_code_is_run_from_a_file(self, npz):
        """Arrays of objects are pickles, which can run anything."""
        assert "is not a readable .npz file of numbers" in error(npz, x=X.astype(object), y=Y)


class TestCsv:
    TABLE = np.column_stack([X, Y])

    def text(self, names="a,b,c,d,y", table=TABLE):
        return "\n".join([names, *(",".join(map(str, row)) for row in table)]) + "\n"

    def test_the_last_column_is_the_label(self, csv):
        assert_is_x_and_y(csv(self.text()))

    @pytest.mark.parametrize("column", [0, 2, 4])
    def test_a_label_column_by_name(self, csv, column):
        table = np.insert(X, column, Y, axis=1)
        names = np.insert(["a", "b", "c", "d"], column, "y")
        assert_is_x_and_y(csv(self.text(", ".join(names), table), label="y"))

    def test_columns_apart(self, tmp_path):
        rows = [f'{a},"{p}, of {day}",{c},{y},{day}' for a, p, c, day, y in self.TABLE]
        text = "\n".join(["a,patient,c,y,day", *rows])
        (tmp_path / "data.csv").write_text(text, encoding="utf-8")
        examples = load("csv", tmp_path / "data.csv", apart={"order_by": "day", "group": "patient"})
        np.testing.assert_array_equal(examples.part.x, X[:, [0, 2]])
        np.testing.assert_array_equal(examples.part.y, Y)
        np.testing.assert_array_equal(examples.apart["day"].astype(float), X[:, 3])
        assert examples.apart["patient"].tolist() == [f"{p}, of {d}" for p, d in X[:, [1, 3]]]
        said = error(load, "csv", tmp_path / "data.csv", apart={"group": "patients"})
        assert re.fullmatch(r"group: the columns of .*data\.csv must .* mean \"patient\"\?", said)

    def test_an_unknown_label_column(self, csv):
        said = error(csv, self.text("a,b,c,d,kind"), label="kinds")
        assert re.fullmatch(
            r'label: the column of .*data\.csv must be one of "a", "b", "c", "d", "kind"\. '
            r"Received: 'kinds'\. Did you mean \"kind\"\?",
            said,
        )

    @pytest.mark.parametrize(
        ("bad", "why"),
        [
            ("1,2,three,4,0", r': the column "c" .* not in 2 of 8 rows, .* line 9: "three"\. .*'),
            ("1,2,,4,0", r': values are missing: "c" 2 of 8 rows, the first in line 9\. .*'),
            ("1,2,3,0", r" is not .*: line 9 has 4 values, the header 5 names\. .*"),
            ("# 1,2,3,4,0", r': the column "a" .* in line 9: "# 1"\. .*'),
            ("1,2,3,4,0 # good", r': the column "y" .* in line 9: "0 # good"\. .*'),
        ],
        ids=["word", "gap", "short row", "number sign", "number sign at the end"],
    )
    def test_rows_that_are_no_numbers(self, csv, bad, why):
        """The line is the file's, of which an empty one is no row."""
        assert re.fullmatch(rf".*data\.csv{why}", error(csv, f"{self.text()}\n{bad}\n{bad}\n"))

    def test_a_header_of_another_length(self, csv):
        said = error(csv, self.text("a,b,c,y"))
        assert "data.csv is not a readable csv file: line 2 has 5 values, the header 4" in said

    def test_numbers_are_no_header(self, csv):
        """The first example would be lost without a word."""
        said = error(csv, self.text("0.5,1,2,3,0"))
        assert re.fullmatch(
            r".*data\.csv must begin with a header, the names of its columns\. "
            r"Received numbers: 0\.5, 1, 2, 3, 0\.",
            said,
        )

    def test_a_name_given_twice(self, csv):
        said = error(csv, self.text("a,y,b,y,c"), label="y")
        assert re.fullmatch(
            r".*data\.csv: the names in the header must differ from each other\. "
            r'Received more than once: "y"\.',
            said,
        )

    def test_quotes_as_other_tools_write_them(self, csv):
        names = '"a, in cm","b","c ""wide""", "d","y"'
        rows = "\n".join(",".join(f'"{v}"' for v in row) for row in self.TABLE)
        assert_is_x_and_y(csv(f"{names}\n{rows}\n"))
        assert_is_x_and_y(csv(f"{names}\n{rows}\n".replace('"y"', "y"), label="y"))

    def test_a_name_may_hold_a_line_separator(self, csv):
        assert_is_x_and_y(csv(self.text("a,b\u2028,c,d,y")))

    @pytest.mark.parametrize("end", ["\r\n", "\r"], ids=["Windows", "old Mac"])
    def test_ends_of_line_of_other_systems(self, csv, end):
        assert_is_x_and_y(csv(self.text().replace("\n", end)))

    def test_a_label_without_features(self, csv):
        said = error(csv, "y\n0\n1\n")
        assert said.endswith('data.csv has no column of features beside the label "y".')

    @pytest.mark.parametrize(
        "text", ["", "a,b,y\n", "\n1,2,0\n"], ids=["empty", "header only", "no header"]
    )
    def test_no_rows(self, csv, text):
        assert "data.csv" in error(csv, text)

    def test_another_encoding(self, csv):
        assert "data.csv" in error(csv, self.text("a,b,c,d,größe"), encoding="latin-1")


class TestFunction:
    def test_x_and_y(self, function):
        returned = "np.arange(24).reshape(6, 4) / 8, np.array([0, 1, 2, 0, 1, 2])"
        assert_is_x_and_y(function(returned))

    def test_sample_weight(self, function):
        x, y = "np.arange(24).reshape(6, 4) / 8", "np.array([0, 1, 2, 0, 1, 2])"
        examples = function(f"{x}, {y}, [1, 0, 2, 1, 1, 1]")
        assert examples.part.weight.tolist() == [1, 0, 2, 1, 1, 1]

    def test_lists(self, function):
        assert_is_x_and_y(function(f"{X.tolist()}, {Y.tolist()}"))

    @pytest.mark.parametrize(("returned", "kind"), [("None", "NoneType"), ("{}", "dict")])
    def test_something_else(self, function, returned, kind):
        said = error(function, returned)
        wanted = "(x, y) or (x, y, sample_weight), or datasets, (train, dev) or (train, dev, test)"
        assert said == f"data_of_a_test:points must return {wanted}. Received: {kind}."

    def test_a_function_that_fails(self, function):
        """It is the user's code, but the message must say that it was the data's function."""
        assert "data_of_a_test:points" in error(function, "1 / 0")

    @pytest.mark.parametrize(
        ("call", "said"),
        [
            ("__import__('sys').exit(0)", "sys.exit(0) was called"),
            ("__import__('os')._exit(0)", "os._exit(0) was called, which ends the process"),
        ],
    )
    def test_a_function_that_exits(self, function, call, said):
        expected = f"data_of_a_test:points failed: RuntimeError: {said}"
        assert error(function, call) == expected

    @pytest.mark.parametrize(
        ("call", "said"),
        [
            ("sys.exit(0)", "sys.exit(0) was called"),
            ("os._exit(0)", "os._exit(0) was called, which ends the process"),
        ],
    )
    def test_a_module_that_exits(self, tmp_path, monkeypatch, call, said):
        """The command would end in silence, with the status of a success."""
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "exits_at_import", raising=False)
        (tmp_path / "exits_at_import.py").write_text(f"import os, sys\n{call}\n", encoding="utf-8")
        importlib.invalidate_caches()
        message = error(load, "exits_at_import:points")
        assert f"can't be imported (RuntimeError: {said})" in message


class TestScikitLearn:
    @pytest.mark.parametrize("name", SKLEARN_DATASETS)
    def test_a_set_is_what_its_loader_returns(self, name):
        from sklearn import datasets

        x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        is_regression = name in ("diabetes", "linnerud")
        loaded = load(f"sklearn:{name}", numbers=is_regression)
        part, outputs = loaded.part, loaded.outputs
        np.testing.assert_allclose(part.x, x, rtol=1e-6)
        np.testing.assert_allclose(part.y, y.reshape(part.y.shape), rtol=1e-6)
        assert outputs == (part.y.shape[1] if is_regression else y.max() + 1)


class TestKeras:
    @pytest.mark.parametrize("name", KERAS_DATASETS)
    def test_training_and_test_examples_together_in_0_to_1(self, name, monkeypatch):
        import keras

        def load_data():
            pixels = np.arange(2 * 6 * 6, dtype=np.uint8).reshape(2, 3, 2, 6) * 3
            y = np.arange(3).reshape(3, 1)
            return (pixels[0], y), (pixels[1], y)

        monkeypatch.setattr(getattr(keras.datasets, name), "load_data", load_data)
        loaded = load(f"keras:{name}")
        part, classes = loaded.part, loaded.outputs
        assert (part.x.shape, part.y.tolist(), classes) == ((6, 2, 6), [0, 1, 2, 0, 1, 2], 3)
        np.testing.assert_allclose(part.x.reshape(-1), np.arange(72) * 3 / 255, rtol=1e-6)

    def test_offline(self, monkeypatch):
        import keras

        def load_data():
            raise Exception("URL fetch failure on https://storage: None -- no address")

        monkeypatch.setattr(keras.datasets.mnist, "load_data", load_data)
        said = error(load, "keras:mnist")
        assert said.startswith('source "keras:mnist" could not be downloaded (URL fetch failure')
        assert "Connect to the internet once" in said
        assert ".npz" in said


class TestSourceNames:
    @pytest.mark.parametrize(
        ("source", "said"),
        [
            ("digit", r'source must be one of .* Did you mean "digits"\?'),
            ("keras:imagenet", r"source: the data set after keras: must be one of \"mnist\", .*"),
            (
                "sklearn:boston",
                r"source: the data set after sklearn: must be one of \"breast_cancer\", .*",
            ),
            ("npz", r'source "npz" needs the key path, the file to read\.'),
            ("csv", r'source "csv" needs the key path, the file to read\.'),
            ("no_such_module:load", r"source: the module \"no_such_module\" can't be imported .*"),
            ("json:no_such_function", r'source: the module "json" has no function .*'),
        ],
    )
    def test_unknown(self, source, said):
        assert re.fullmatch(said, error(check_source, source, None))
        assert re.fullmatch(said, error(load, source))

    def test_no_file(self, tmp_path):
        said = error(check_source, "npz", tmp_path / "no.npz")
        assert said == f"path: no such file: {tmp_path / 'no.npz'}."
        assert error(check_source, "parquet", tmp_path) == f"path: no parquet file in {tmp_path}."

    def test_a_folder_or_pattern_of_files(self, tmp_path):
        (tmp_path / "1.csv").write_text("a,y\n1,0\n")
        said = error(check_source, "csv", tmp_path)
        assert said == (
            f'path: source "csv" is read from one file. Received a folder: {tmp_path}. Join its '
            'files, or write them as Parquet, of which source = "parquet" reads all parts.'
        )
        said = error(check_source, "csv", tmp_path / "*.csv")
        assert f"Received a pattern: {tmp_path / '*.csv'}. Join its files, or" in said
        assert error(check_source, "npz", tmp_path).endswith(f": {tmp_path}. Join its files.")

    def test_without_scikit_learn(self, monkeypatch):
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        assert "pip install scikit-learn" in error(check_source, "digits", None)


class TestChecks:
    @pytest.mark.parametrize(
        ("x", "y"),
        [
            (X[:, 0], Y),
            (X, np.eye(3)[Y]),
            (X, Y[:5]),
            (X[:0], Y[:0]),
            (np.float64(3), Y),
        ],
        ids=["one axis", "labels of two axes", "fewer labels", "no examples", "a number"],
    )
    def test_shapes(self, npz, x, y):
        said = error(npz, x=x, y=y)
        assert "data.npz: x must have the shape (examples, ...) and y (examples,)" in said
        assert f"Received: x of shape {np.shape(x)}, y of shape {np.shape(y)}." in said

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_values_that_are_not_finite_are_told_with_their_place(self, npz, bad):
        x = X.copy()
        x[[2, 4], [3, 1]] = bad, np.nan
        said = error(npz, x=x, y=Y)
        assert f"x holds 2 values that are not finite, the first at (2, 3): {bad}." in said

    def test_values_that_float32_cannot_hold(self, npz):
        x = X.copy()
        x[2, 3] = 1e39
        assert re.search(r"not finite, the first at \(2, 3\)", error(npz, x=x, y=Y))

    @pytest.mark.parametrize("dtype", ["str", "complex64", "datetime64[s]"])
    def test_kinds(self, npz, dtype):
        said = error(npz, x=X.astype("int64").astype(dtype), y=Y)
        assert "x and y must be numbers" in said
        assert "np.unique" not in said

    def test_labels_of_another_kind(self, npz):
        said = error(npz, x=X, y=np.array(list("uvwuvw")))
        assert "Number the classes: np.unique(y, return_inverse=True)[1]." in said
        assert "Of rows with a 1 for the class, give y.argmax(axis=1)." in error(
            npz, x=X, y=np.eye(3)[Y]
        )

    def test_bool_is_0_and_1_and_labels_may_be_a_column(self, npz):
        loaded = npz(x=X > 1, y=(Y > 0)[:, None])
        part, classes = loaded.part, loaded.outputs
        np.testing.assert_array_equal(part.x, (X > 1).astype(np.float32))
        np.testing.assert_array_equal(part.y, [0, 1, 1, 0, 1, 1])
        assert (part.x.dtype, part.y.dtype, classes) == (np.float32, np.int64, 2)

    @pytest.mark.parametrize(
        ("y", "shown"),
        [
            ([0, 1, 3, 0, 1, 3], f"0, 1, 3. {NUMBER_THEM}"),
            ([-1, 0, 1, -1, 0, 1], f"-1, 0, 1. {NUMBER_THEM}"),
            ([0, 0.5, 1, 0, 0.5, 1], f"0, 0.5, 1. {REGRESSION}"),
            ([1, 2, 3, 1, 2, 3], f"1, 2, 3. {NUMBER_THEM}"),
            ([0, 0, 0, 0, 0, 0], f"0. {ONE_CLASS}"),
            (
                [0, 1, np.nan, 0, 1, 0],
                "0, 1, nan. 1 of 6 are not finite, the first in row 2: leave out their rows.",
            ),
            (
                [0, 1, np.inf, 0, 1, 0],
                "0, 1, inf. 1 of 6 are not finite, the first in row 2: leave out their rows.",
            ),
        ],
        ids=["gap", "negative", "fraction", "from 1", "one class", "nan", "inf"],
    )
    def test_labels(self, npz, y, shown):
        said = error(npz, x=X, y=np.array(y))
        assert "the labels y must be 0, 1, … C-1, each of at least 2 classes present." in said
        assert said.endswith(f"Received: {shown}")

    def test_many_wrong_labels_are_not_all_listed(self, npz):
        said = error(npz, x=np.zeros((20, 1)), y=np.arange(20) * 2)
        assert said.endswith(f"Received: 0, 2, 4, 6, 8, 10, 12, 14, …. {NUMBER_THEM}")
