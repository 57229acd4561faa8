"""Tables in files: what is read, and what is found wrong with them before any training."""

import bz2
import datetime
import decimal
import gzip
import lzma
import re

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from tfcourse import InputError
from tfcourse.data.sources import load
from tfcourse.data.tables.column_files import column_names, read_columns
from tfcourse.data.tables.column_texts import shared_unit
from tfcourse.data.tables.table_options import ColumnOptions, TableOptions


@pytest.fixture
def csv(tmp_path):
    """Loads text, or bytes, as a csv file."""

    def load_text(text, label=None, numbers=False, apart=None, **options):
        content = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "data.csv").write_bytes(content)
        options = TableOptions(**options)
        return load("csv", tmp_path / "data.csv", label, numbers, apart, options=options)

    return load_text


def error(call, *args, **kwargs):
    with pytest.raises(InputError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


def raw(examples):
    """The columns as lists, as the file has them."""
    columns = examples.columns.raw(examples.part.x)
    return {name: values.tolist() for name, values in columns.items()}


class TestCsv:
    def test_everything_at_once(self, csv):
        """A byte order mark, Windows's line ends, a line break in quotes, commas, "; " and all."""
        text = (
            '\ufeffage; height, m ;city;member;"kind"\r\n'
            '30;1,5;"Paris\r\n(centre)";true;"b"\r\n\r\n'
            ' 41;1,75;"Île; ""la""";false;a\r\n'
        )
        examples = csv(text, missing="mean", columns={"city": ColumnOptions("category")})
        assert raw(examples) == {
            "age": [30, 41],
            "height, m": [1.5, 1.75],
            "city": ["Paris\r\n(centre)", 'Île; "la"'],
            "member": [1, 0],
        }
        assert (examples.part.y.tolist(), examples.classes) == ([1, 0], ("a", "b"))
        kinds = [column.kind for column in examples.columns.features]
        assert kinds == ["number", "number", "category", "boolean"]

    @pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
    def test_the_separator_is_detected(self, csv, separator):
        text = "a,b,y\n1,2,0\n3,4,1\n".replace(",", separator)
        assert csv(text).part.x.tolist() == [[1, 2], [3, 4]]

    def test_a_separator_that_is_given(self, csv):
        examples = csv("a:b:y\n1,5:2:0\n3,25:4:1\n", separator=":", decimal=",")
        assert examples.part.x.tolist() == [[1.5, 2], [3.25, 4]]

    def test_numbers_alone_are_a_matrix(self, csv):
        examples = csv("a,b,y\n1,2.5,0\n3,4,1\n")
        assert examples.columns.is_matrix
        assert examples.part.x.dtype == np.float32
        assert examples.classes is None

    def test_another_encoding(self, csv):
        text = "a,größe,y\nä,2,0\nö,3,1\nä,2,0\n".encode("latin-1")
        assert "data.csv is not a file in UTF-8" in error(csv, text)
        assert 'encoding = "cp1252"' in error(csv, text)
        assert raw(csv(text, encoding="latin-1"))["a"] == ["ä", "ö", "ä"]
        assert "encoding must be one that Python has" in error(csv, text, encoding="latin-17")

    @pytest.mark.parametrize("large", [False, True])
    def test_gzip_and_utf_16(self, csv, monkeypatch, large):
        """Found by the first bytes, whatever the file's name is."""
        text = "größe,ort,y\n" + "".join(f"{n}.5,Z{n % 2}ü𝄞,{n % 2}\n" for n in range(9000))
        expected = raw(csv(text))
        if large:
            monkeypatch.setattr("tfcourse.data.tables.csv_file.LARGE", 0)
            monkeypatch.setattr("tfcourse.data.tables.csv_file.BLOCK", 2000)
        plain, wide = text.encode(), text.encode("utf-16")
        big = text.encode("utf-16-be")
        for content in (
            gzip.compress(plain),
            gzip.compress(plain[:999]) + gzip.compress(plain[999:]),
            wide,
            gzip.compress(wide),
            b"\xfe\xff" + big,
        ):
            assert raw(csv(content)) == expected
        assert raw(csv(big, encoding="utf-16-be")) == expected
        assert csv(wide).columns.origin[1].endswith("encoding utf-16")
        assert 'it has zero bytes. Name its encoding, such as encoding = "utf-16-be"' in error(
            csv, big
        )
        assert 'encoding = "utf-16-le".' in error(csv, wide[2:])
        for part in (1, 12, 5000):
            said = error(csv, gzip.compress(plain)[:-part] if part < 20 else wide[: part - 1])
            assert ("Is the file whole?" if part < 20 else "truncated data") in said
        assert "can't be read to its end: " in error(csv, gzip.compress(plain)[:5])

    @pytest.mark.parametrize(
        ("start", "said"),
        [
            (b"PK\x03\x04", "is no text but a zip file, as those of Excel are. Unpack it, or save"),
            (bz2.compress(b"a,y\n1,0\n"), "is no text but compressed by bzip2. Unpack it, or"),
            (lzma.compress(b"a,y\n1,0\n"), "is no text but compressed by xz. Unpack it, or"),
            (b"\x28\xb5\x2f\xfd", "is no text but compressed by Zstandard."),
            (b"PAR1", 'is no text but a Parquet file. Give source = "parquet".'),
            (b"ARROW1", 'is no text but an Arrow file. Give source = "arrow".'),
        ],
    )
    def test_what_is_no_text(self, csv, start, said):
        assert said in error(csv, start)

    def test_a_late_byte_that_is_no_utf_8(self, csv):
        text = b"a,y\n" + b"x,0\nz,1\n" * 20000 + b"\xe4,1\n"
        assert 'is not a file in UTF-8: the column "a"' in error(csv, text)

    def test_columns_chosen_and_dropped(self, csv):
        text = "name,a,b,y\nx,1,2,0\nz,3,4,1\n"
        assert csv(text, features=("b", "a")).columns.names == ("b", "a")
        assert csv(text, drop=("name", "a")).columns.names == ("b",)
        said = error(csv, text, drop=("nam",))
        assert re.search(r'drop: the columns of .*data\.csv must be one of .* mean "name"', said)

    def test_a_column_without_a_name(self, csv):
        """As pandas writes its index."""
        text = ",a,y\n0,5,0\n1,6,1\n"
        assert "column 1 has no name in the header, such as the index" in error(csv, text)
        assert csv(text, drop=("column 1",)).part.x.tolist() == [[5], [6]]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "has no rows below its header"),
            ("a,b,y\n", "has no rows below its header"),
            ("a,b,a,y\n1,2,3,0\n", 'Received more than once: "a"'),
            ('a,y\n1,0\n"2,1\n', "line 3 has 1 values, the header 2 names"),
            ("a,y\n1,0\n,1\n", 'values are missing: "a" 1 of 2 rows, the first in line 3. '),
            ("a,b,y\n1,,0\n2,NA,1\n", 'the column "b" has no value in any row. Leave it out'),
            ("a,y\n1,0\n2,\n", '"y" 1 of 2 rows, the first in line 3. missing = "drop" leaves'),
            ("a,y\n1,0\n2,1\n3,0\nx,1\n", 'not in 1 of 4 rows, the first in line 5: "x". Correct'),
            ("a,y\n1,0\n2,1\n3,0\n1e999,1\n", "not finite in float32, the first in line 5: inf"),
            ("a,y\n2020-01-01,0\n2020-01-02,1\n", "holds dates, of the type date32[day]. Leave it"),
            ("a,y\n1.2.2020,0\n2.2.2020,1\n", 'holds dates, such as "1.2.2020". Leave it out'),
            ("a,y\n10:30,0\n10:45,1\n", "of the type time32[s], which is neither numbers nor"),
            ("a,y\n1,x\n2,x\n", 'the label "y" is "x" in all rows; at least 2 classes'),
            ("a,y\n1,v\n2,w\n3,x\n4,z\n", "holds 4 different texts in 4 rows, as names do"),
            ("a,y\n1,0.5\n2,1\n", 'such as 0.5. A regression? [training] loss = "mse"'),
        ],
    )
    def test_what_is_refused(self, csv, text, said):
        assert said in error(csv, text)

    def test_a_quote_that_does_not_end(self, csv):
        rows = "".join(f"{n},{n % 2}\n" for n in range(40_000))
        said = error(csv, f'a,y\n{rows}1,0\n"{rows}')
        assert "line 40003 can't be read: field larger than field limit (131072)." in said

    def test_names_and_ids(self, csv):
        text = "who,y\n" + "".join(f"person {n},{n % 2}\n" for n in range(40))
        said = error(csv, text)
        assert 'the column "who" holds 40 different texts in 40 rows, as names and ids do' in said
        assert 'drop = ["who"], or give it type = "category" in [data.columns.who].' in said
        examples = csv(text, columns={"who": ColumnOptions("category")})
        assert examples.columns.features[0].encoding == "index"

    def test_the_encoding_follows_from_the_levels(self, csv):
        text = "a,b,y\n" + "".join(f"x{n % 3},x{n % 4},{n % 2}\n" for n in range(40))
        columns = csv(text, max_one_hot=3).columns
        assert [column.encoding for column in columns.features] == ["one_hot", "index"]
        assert columns.shape == {"features": (3,), "b": (1,)}
        own = {"a": ColumnOptions(encoding="index"), "b": ColumnOptions(encoding="one_hot")}
        assert csv(text, max_one_hot=3, columns=own).columns.shape == {"features": (4,), "a": (1,)}

    def test_types_that_are_given(self, csv):
        text = "zip,day,flag,y\n01234,2020-01-01,1,0\n99,2020-01-03,0,1\n"
        kinds = {"zip": "category", "day": "date", "flag": "boolean"}
        own = {name: ColumnOptions(kind) for name, kind in kinds.items()}
        days = (datetime.date(2020, 1, 1) - datetime.date(1970, 1, 1)).days
        expected = {"zip": ["01234", "99"], "day": [days, days + 2], "flag": [1, 0]}
        assert raw(csv(text, columns=own)) == expected
        for kind in ("number", "boolean", "date"):
            said = error(csv, "a,y\nx,0\nz,1\n", columns={"a": ColumnOptions(kind)})
            assert said.count('the column "a"') == 1
        for kind, text in {"date": "2024-01-31", "boolean": "true"}.items():
            own = {"a": ColumnOptions(kind)}
            said = error(csv, f"a,y\n{text},0\noops,1\n", columns=own)
            assert 'Received: "oops". Leave it out' in said
        said = error(csv, "a,y\n3,0\n1,1\n", columns={"a": ColumnOptions("boolean")})
        assert "true or false, 1 or 0. Received in line 2: 3." in said

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (
                "a;y\n1,5;0\n2,5;1\n3,5;0\nx;1\n",
                'but not in 1 of 4 rows, the first in line 5: "x".',
            ),
            (
                'a,y\n"1,000.50",0\n"2,000.50",1\n950,0\n951,1\n',
                "holds numbers, but written otherwise in 2 of 4 rows, the first in line 2: "
                '"1,000.50". Write numbers without separators of thousands, which pandas.read_csv '
                'reads with thousands = ",", or give type = "category" in [data.columns.a].',
            ),
            ("a;y\n1.000,5;0\n2.000,5;1\n1,5;0\n", 'pandas.read_csv reads with thousands = "."'),
            (
                'a,y\n"1,000",0\n"2,000",1\n',
                'Give decimal = ",", write 1000 if it is a separator of thousands, or',
            ),
            ('a,y\n"1,5",0\n"2,5",1\n', 'in line 2: "1,5". Give decimal = ",", or give type'),
            ("a;y\n1,5;0\n2,5;1\n3,5;0\n1.25;1\n", 'in line 5: "1.25". Give decimal = ".", or'),
            (
                "a,y\n" + "".join(f"{n}.5%,{n % 2}\n" for n in range(40)),
                'holds numbers with "%" beside them, such as "0.5%". Write the numbers alone, or '
                'leave it out with drop = ["a"].',
            ),
        ],
    )
    def test_numbers_that_are_written_otherwise(self, csv, text, said):
        assert said in error(csv, text)

    def test_numbers_of_a_label_that_are_written_otherwise(self, csv):
        text = 'a;y\n1;1,5\n2;2,5\n3;"three"\n'
        assert 'not in 1 of 3 rows, the first in line 4: "three"' in error(csv, text, numbers=True)
        assert 'not in 1 of 3 rows, the first in line 4: "three"' in error(csv, text)

    @pytest.mark.parametrize(
        ("levels", "unit"),
        [
            (("12%", "3.5 %"), "%"),
            (("$1,000.50", "$ 20"), "$"),
            (("20 °C", "-3 °C"), "°C"),
            (("5 km", "6 mi"), None),
            (("1", "2"), None),
            (("030 123 456", "1-2"), None),
            (("A4", "A5"), None),
            (("first", "2nd"), None),
        ],
    )
    def test_units(self, levels, unit):
        assert shared_unit(levels) == unit

    def test_texts_for_missing_values(self, csv):
        examples = csv("a,b,y\n1,?,0\n?,x,1\n3,x,1\n", missing="mean", missing_values=("?",))
        columns = raw(examples)
        assert np.isnan(columns["a"][1])
        assert columns["b"] == ["", "x", "x"]

    def test_rows_that_lack_a_value_are_left_out(self, csv):
        text = "a,b,id,y\n1,,7,u\n2,x,8,v\n3,z,9,\n4,x,5,u\n"
        examples = csv(text, missing="drop", apart={"group": "id"})
        assert raw(examples) == {"a": [2, 4], "b": ["x", "x"]}
        assert examples.apart["id"].tolist() == [8, 5]
        note = 'values are missing: "b" 1, "y" 1; 2 of 4 rows are left out'
        assert (examples.columns.origin[-1], examples.notes) == (note, ())
        examples = csv(text, missing="median", apart={"group": "id"})
        assert examples.apart["id"].tolist() == [7, 8, 5]
        assert examples.notes[0].endswith('1 of 4 rows are left out, which lack the label "y"')

    def test_lines_count_the_rows_that_are_left_out(self, csv):
        """Messages name the line in the file, whichever rows before it are incomplete."""
        text = "a,b,y\n,1,u\n2,3,u\n,4,v\n5,{},v\n6,7,u\n"
        assert "in line 5" in error(csv, text.format("oops"), missing="drop")
        assert "in line 5" in error(csv, text.format("inf"), missing="drop")
        labels = "a,y\n1,\n2,3\n3,\n4,none\n5,7\n6,8\n"
        assert "in line 5" in error(csv, labels, missing="mean")

    @pytest.mark.parametrize(
        ("labels", "names", "codes"),
        [
            ("5 7 5 9", (5, 7, 9), [0, 1, 0, 2]),
            ("1 2 1 2", (1, 2), [0, 1, 0, 1]),
            ("-1 1 1 -1", (-1, 1), [0, 1, 1, 0]),
            ("true false true true", ("false", "true"), [1, 0, 1, 1]),
            ("no yes no no", ("no", "yes"), [0, 1, 0, 0]),
            ("0 1.0 1 0", None, [0, 1, 1, 0]),
        ],
    )
    def test_labels(self, csv, labels, names, codes):
        text = "a,y\n" + "".join(f"{n},{label}\n" for n, label in enumerate(labels.split()))
        examples = csv(text)
        assert (examples.classes, examples.part.y.tolist()) == (names, codes)
        assert examples.outputs == len(set(codes))

    def test_numbers_to_predict(self, csv):
        examples = csv("a,price\nx,1.5\nz,2.5\nx,3\n", numbers=True)
        assert examples.part.y.tolist() == [[1.5], [2.5], [3]]
        said = error(csv, "a,price\nx,1.5\nz,2.5\nx,cheap\n", numbers=True)
        assert (
            'the column "price" holds numbers, but not in 1 of 3 rows, the first in line 4' in said
        )

    def test_a_large_file_is_read_block_by_block(self, csv, monkeypatch):
        """Whatever the types are that later blocks need."""
        rows = [f"{n},{n % 3},{n},{n % 2}" for n in range(60)]
        rows += [f'{n + 0.5},"w, {n % 3}\n",,{n % 2}' for n in range(60, 90)]
        for number in (60, 90):
            text = "\n".join(["a,b,c,y", *rows[:number], ""])
            own = {"b": ColumnOptions("category")}
            expected = raw(csv(text, missing="mean", columns=own))
            with monkeypatch.context() as patch:
                patch.setattr("tfcourse.data.tables.csv_file.LARGE", 0)
                patch.setattr("tfcourse.data.tables.csv_file.BLOCK", 200)
                streamed = raw(csv(text, missing="mean", columns=own))
            for name, values in expected.items():
                np.testing.assert_array_equal(streamed[name], values)


class TestParquetAndArrow:
    TABLE = pa.table(
        {
            "size": pa.array([1, 2, None, 4], pa.int16()),
            "price": pa.array([decimal.Decimal("1.50"), decimal.Decimal("2.25")] * 2),
            "colour": pa.array(["red", "blue", "red", None]).dictionary_encode(),
            "new": pa.array([True, False, True, True]),
            "kind": pa.array(["v", "u", "v", "u"]),
        }
    )

    @pytest.mark.parametrize("source", ["parquet", "arrow"])
    def test_types(self, tmp_path, source):
        path = tmp_path / f"data.{source}"
        if source == "parquet":
            pa.parquet.write_table(self.TABLE, path)
        else:
            pa.feather.write_feather(self.TABLE, path)
        assert 'missing: "size" 1, "colour" 1 of 4 rows, the first in row 2.' in error(
            load, source, path
        )
        examples = load(source, path, options=TableOptions(missing="mean"))
        columns = raw(examples)
        np.testing.assert_array_equal(columns.pop("size"), [1, 2, np.nan, 4])
        assert columns == {
            "price": [1.5, 2.25, 1.5, 2.25],
            "colour": ["red", "blue", "red", ""],
            "new": [1, 0, 1, 1],
        }
        assert (examples.part.y.tolist(), examples.classes) == ([1, 0, 1, 0], ("u", "v"))

    def test_parts(self, tmp_path):
        for number in range(3):
            part = self.TABLE.slice(number, 1).select(["price", "kind"])
            pa.parquet.write_table(part, tmp_path / f"part-{number}.parquet")
        for path in (tmp_path, tmp_path / "part-*.parquet"):
            examples = load("parquet", path)
            assert examples.part.x[:, 0].tolist() == [1.5, 2.25, 1.5]
            assert examples.part.y.tolist() == [1, 0, 1]
        assert "path: no such file: " in error(load, "parquet", tmp_path / "*.pq")

    @pytest.mark.parametrize(
        ("values", "kind"),
        [([[1], [2]], "list"), ([{"a": 1}, {"a": 2}], "struct"), ([b"a", b"b"], "binary")],
    )
    def test_nested_columns(self, tmp_path, values, kind):
        path = tmp_path / "data.parquet"
        pa.parquet.write_table(pa.table({"a": values, "y": [0, 1]}), path)
        said = error(load, "parquet", path)
        assert re.search(rf'the column "a" is of the type {kind}.*, which is neither', said)
        assert 'Leave it out with drop = ["a"]' in said

    def test_no_parquet_file(self, tmp_path):
        (tmp_path / "data.parquet").write_text("a,y\n1,0\n")
        said = error(load, "parquet", tmp_path / "data.parquet")
        assert "data.parquet can't be read as parquet: " in said


def test_an_arrow_file_that_points_out_of_itself(tmp_path):
    """Whose texts are where the offsets in the file say; to read them would end the process."""
    path = tmp_path / "points.arrow"
    texts = ["red", "green", "blue"] * 20
    pa.feather.write_feather(pa.table({"kind": texts}), path, compression="uncompressed")
    offsets = np.cumsum([0, *map(len, texts)]).astype("int32").tobytes()
    content = path.read_bytes()
    assert content.count(offsets) == 1
    wrong = offsets[:80] + np.int32(2**30).tobytes() + offsets[84:]
    path.write_bytes(content.replace(offsets, wrong))
    with pytest.raises(
        InputError, match=r"points\.arrow can't be read as arrow: ArrowInvalid: .*Off"
    ):
        read_columns(path, "arrow", ["kind"])


@pytest.mark.parametrize("source", ["arrow", "parquet"])
def test_a_column_whose_name_is_no_utf_8(source, tmp_path):
    path = tmp_path / f"points.{source}"
    write = pa.feather.write_feather if source == "arrow" else pa.parquet.write_table
    write(pa.table({"length": [1.0, 2.0], "kind": ["a", "b"]}), path)
    path.write_bytes(path.read_bytes().replace(b"length", b"len\xc9th"))
    with pytest.raises(InputError, match=rf"points\.{source} can't be read as {source}: "):
        column_names(path, source)


def test_a_row_of_another_length_in_another_encoding(tmp_path):
    path = tmp_path / "points.csv"
    rows = ["length,kind", *["1.5,a"] * 200_000, "3.5,caf\u00e9", "2.5,b,b"]
    path.write_bytes("\n".join(rows).encode("latin-1"))
    with pytest.raises(InputError, match=r"points\.csv is not a file in UTF-8: "):
        load("csv", path, "kind")


def test_without_pyarrow(tmp_path, monkeypatch):
    (tmp_path / "data.csv").write_text("a,y\n1,0\n")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = error(load, "csv", tmp_path / "data.csv")
    assert said == 'source "csv" needs pyarrow. Install it: pip install pyarrow.'
