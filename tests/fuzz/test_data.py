"""Data files that are damaged, or hold what nobody means, are read or refused in a few lines."""

import io
import random
from pathlib import Path

import hypothesis
import numpy as np
import pyarrow
import pytest
from hypothesis import strategies as st

from tests.fuzz.damage import limited_time
from tests.fuzz.mutations import damaged
from tfcourse.errors import InputError, WorkFailedError
from tfcourse.search.config.load import load_config
from tfcourse.search.data.checks import check_data

EXAMPLES = hypothesis.settings().max_examples
ROWS = 60
X = np.random.default_rng(0).normal(size=(ROWS, 4))
Y = np.arange(ROWS) % 3
COLORS = np.array(["red", "green", "blue"])
CONFIG = """
[search]
name = "fuzz"
trials = 2
[data]
source = "{source}"
path = "{name}"
{more}
[model]
builder = "mlp"
[space.learning_rate]
low = 0.01
high = 0.1
"""
# Cells that a table of numbers and texts may get.
CELLS = (
    *("nan", "inf", "1e999", "0x10", "", "x" * 200_000, "\u202e", "true", "2020-01-01", "9" * 400),
    *("-", "'", '"', "\r", "\x00", "1,5", "é", "12%"),
)
TYPES = ("O", "c16", "f2", "U10", "S5", "M8[s]", "?", "i1", "u8")


def npz(generator):
    """An archive of arrays, one of which may have another type, shape, length or name."""
    arrays = {"x": X, "y": Y}
    name = generator.choice("xy")
    length = generator.choice([0, 1, 2, 3, ROWS - 1])
    shape = generator.choice([(60, 2, 2), (240,), (1, 240), (60, 4, 1, 1), (60, 1, 4)])
    changes = [
        lambda: arrays.update({name: arrays[name].astype(generator.choice(TYPES))}),
        lambda: arrays.update({name: arrays[name][:length]}),
        lambda: arrays.pop(name),
        lambda: arrays.update(x=X * generator.choice([np.nan, np.inf, 1e308, 0, -1e-320])),
        lambda: arrays.update(x=X.reshape(shape)),
        lambda: arrays.update(
            y=generator.choice([Y * 10**15, Y - 5, Y * 0, Y[:, None], np.eye(3)[Y], Y + 0.5])
        ),
        lambda: arrays.update({generator.choice(["z", "train_x"]): X}),
        lambda: arrays.update({name: np.array(5)}),
        lambda: arrays.update(x=np.rec.fromarrays([X[:, 0], Y], names="a,b")),
        lambda: None,
    ]
    with np.errstate(all="ignore"):
        generator.choice(changes)()
    with io.BytesIO() as file:
        np.savez(file, **arrays)
        return file.getvalue()


def table():
    columns = {name: X[:, number] for number, name in enumerate("abcd")}
    return pyarrow.table({**columns, "kind": COLORS[Y]})


def csv(generator):
    """A table of text, one of whose lines or cells may say something else."""
    rows = (",".join([*(f"{v:.4f}" for v in x), COLORS[y]]) for x, y in zip(X, Y, strict=True))
    lines = ["a,b,c,d,kind", *rows]
    place = generator.randrange(len(lines))
    cells = lines[place].split(",")
    kind = generator.randrange(12)
    if kind < 3:
        cells[generator.randrange(len(cells))] = generator.choice(CELLS)
        lines[place] = ",".join(cells)
    elif kind == 3:
        lines[place] += ",9"
    elif kind == 4:
        lines[place] = lines[place].replace(",", generator.choice(["\t", ";", ""]))
    elif kind == 5:
        lines[0] = ",".join(generator.choice(["", "a", "a b", "é", "[x]", '"q"']) for _ in cells)
    elif kind == 6:
        lines = generator.choice([lines[:1], lines * 30, [""] * 5, ["\x00", *lines], lines[1:]])
    elif kind == 7:
        return "\n".join(lines).encode(generator.choice(["utf-16", "utf-8-sig", "latin-1"]))
    elif kind == 8:
        return "\r".join(lines).encode()
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def parquet(generator):
    from pyarrow import parquet

    with io.BytesIO() as file:
        parquet.write_table(table(), file)
        return file.getvalue()


def arrow(generator):
    from pyarrow import feather

    with io.BytesIO() as file:
        feather.write_feather(table(), file)
        return file.getvalue()


SOURCES = {make.__name__: make for make in (npz, csv, parquet, arrow)}
MORE = ("", 'normalize = "standardize"', 'missing = "mean"')


@pytest.mark.parametrize("source", SOURCES)
@hypothesis.settings(max_examples=max(EXAMPLES // 4, 60))
@hypothesis.given(seed=st.integers(0, 2**32))
def test_data_are_read_or_refused(tmp_path_factory, source, seed):
    generator, folder = random.Random(seed), tmp_path_factory.getbasetemp()
    content = SOURCES[source](generator)
    if generator.random() < (0.4 if source in ("npz", "csv") else 0.9):
        content = damaged(generator, content)
    path = folder / f"points.{source}"
    path.write_bytes(content)
    more = [generator.choice(MORE)]
    if source != "npz" and generator.random() < 0.7:
        more.append('label = "kind"')
    if source == "parquet" and generator.random() < 0.3:
        more.append("stream = true")
    config = folder / "fuzz.toml"
    config.write_text(CONFIG.format(source=source, name=path.name, more="\n".join(more)))
    with limited_time(), pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        try:
            check_data(load_config(Path("fuzz.toml")))
        except (InputError, WorkFailedError) as error:
            assert len(str(error)) < 2500
            assert str(error).count("\n") < 4
