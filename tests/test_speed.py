"""The README's table of speed from the results of the benches."""

import pytest

from tests import speed
from tests.test_readme import README, ROOT


def comparison(title, **ratios):
    contenders = [{"name": name, "ratios": values} for name, values in ratios.items()]
    return {"title": title, "contenders": contenders}


def results(without=""):
    fit = [
        comparison(
            f"{start} …, {end}",
            **{
                "fit, jit_compile=True": [1.0],
                "model.fit": [19.0, 5.0, 21.0],
                "model.fit, jit_compile=True": [4.0, 2.5, 3.125],
                **({"JAX, lax.scan": [0.7, 0.8, 0.727]} if start.startswith("digits") else {}),
            },
        )
        for _, start, end in speed.FIT_ROWS
        if start != without
    ]
    toy = comparison("1000 steps", **{"TensorFlow 1 session, sess.run per step": [358.2]})
    search = comparison("32 trials of 10 epochs", **{"keras-tuner RandomSearch": [23.94]})
    benches = {"fit": fit, "toy": [toy], "search": [search]}
    return {name: {"bench": name, "results": found} for name, found in benches.items()}


def test_the_table_has_the_medians():
    rows = speed.table(results()).splitlines()
    assert rows[2] == "| digits, MLP 64-64 with batch norm, an epoch | 19 | 3.12 | 0.727 |"
    assert rows[3] == "| MLP 784-256-128, 20 000 rows, an epoch | 19 | 3.12 | – |"
    assert rows[-2].endswith("session | 358 | | |")
    assert rows[-1].endswith("`RandomSearch` | 24 | | |")


def test_it_takes_the_place_of_the_readmes(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(README)
    speed.write(readme, results())
    before, after = README.splitlines(), readme.read_text().splitlines()
    start = before.index(speed.HEADER)
    assert after[:start] == before[:start]
    assert "\n".join(after[start:]).startswith(speed.table(results()))
    assert after[-3:] == before[-3:]


def test_the_readmes_rows_are_its_rows():
    (rows,) = speed.TABLE.findall(README)
    labels = [row.split("|")[1].strip() for row in rows.splitlines()[2:]]
    assert labels == [*(label for label, _, _ in speed.FIT_ROWS), speed.TOY_ROW, speed.SEARCH_ROW]


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r'^No comparison "LSTM … warm" in the bench fit\.$'):
        speed.table(results(without="LSTM"))
    (tmp_path / "README.md").write_text("# tfcourse\n")
    with pytest.raises(SystemExit, match="must hold one table of speed"):
        speed.write(tmp_path / "README.md", results())
    assert ROOT == speed.ROOT
