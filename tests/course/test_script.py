"""What a claim's script prints and records."""

import json
import math
import re
import statistics
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfcourse.course import over_seeds, save, spread, verdict
from tfcourse.errors import InputError


@pytest.mark.parametrize(
    ("values", "won", "text"),
    [
        ([0.9, 0.93, 0.95], [True, True, False], "2 of 3 seeds, median 0.93 [0.9–0.95]"),
        ([1, 2], None, "2 seeds, median 1.5 [1–2]"),
        ([12345.0], np.array([True]), "1 of 1 seed, median 1.23e+04 [1.23e+04–1.23e+04]"),
        ([-1.0, 0.25], None, "2 seeds, median -0.375 [-1 – 0.25]"),
        ([1e-7, 1e-6, 2e-7], None, "3 seeds, median 2e-07 [1e-07 – 1e-06]"),
        ([1, math.inf, math.nan], [1, 1, 0], "2 of 3 seeds, median inf [1–inf], 1 NaN"),
        ([math.nan] * 2, [False] * 2, "0 of 2 seeds, all NaN"),
    ],
)
def test_over_seeds(values, won, text):
    assert over_seeds(values, won) == text


@given(st.lists(st.tuples(st.floats(0, 1000), st.booleans()), min_size=1, max_size=30))
def test_over_seeds_counts_and_has_the_median_of_any_order(pairs):
    values, won = zip(*pairs, strict=True)
    text = over_seeds(values, won)
    assert text == over_seeds(values[::-1], won[::-1])
    assert text.startswith(f"{sum(won)} of {len(won)} seed")
    median, low, high = map(float, re.findall(r"\d[\d.]*(?:e[+-]\d+)?", text.split("median")[1]))
    assert median == pytest.approx(statistics.median(values), rel=5e-3)
    assert (low, high) == pytest.approx((min(values), max(values)), rel=5e-3)


@pytest.mark.parametrize(
    ("values", "won", "received"),
    [([], None, "0 values and none of won"), ([1.0], [True, False], "1 values and 2 of won")],
)
def test_over_seeds_of_nothing(values, won, received):
    with pytest.raises(InputError, match=f"values must hold a number for each.* {received}"):
        over_seeds(values, won)


def test_spread_in_another_format():
    assert spread([0.5, 0.125, 0.25], ".1%") == "25.0% [12.5%–50.0%]"


def test_a_verdict_is_printed_and_recorded(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TFCOURSE_COURSE_RECORD", str(tmp_path / "record.jsonl"))
    verdict("1.2", np.True_, "β of 9 seeds")
    verdict("E11", False, "0/0")
    assert capsys.readouterr().out == (
        "claim 1.2: holds (β of 9 seeds)\nclaim E11: does not hold (0/0)\n"
    )
    lines = (tmp_path / "record.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"claim": "1.2", "holds": True, "figures": "β of 9 seeds"},
        {"claim": "E11", "holds": False, "figures": "0/0"},
    ]


@pytest.mark.parametrize("claim", ["7.1", "1.0", "1.2 ", "e5", "M", 1.2])
def test_a_claim_that_the_course_can_not_have(claim):
    with pytest.raises(InputError, match=f"claim must be the number .* Received: {claim!r}"):
        verdict(claim, True, "figures")


@pytest.mark.parametrize("figures", ["", " ", "two\nlines"])
def test_a_verdict_needs_its_figures_in_one_line(figures):
    with pytest.raises(InputError, match="figures must be one line with the measured figures"):
        verdict("1.2", True, figures)


def test_a_picture_is_written_where_the_environment_says(tmp_path, monkeypatch, capsys):
    plt = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setenv("TFCOURSE_EXAMPLES_OUT", str(tmp_path / "new" / "folder"))
    monkeypatch.setenv("TFCOURSE_COURSE_RECORD", str(tmp_path / "record.jsonl"))
    figure = plt.figure()
    try:
        path = save(figure, "1_2_x")
        assert plt.fignum_exists(figure.number)
    finally:
        plt.close(figure)
    assert path == tmp_path / "new" / "folder" / "1_2_x.png"
    assert path.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out == f"picture: {path}\n"
    assert json.loads((tmp_path / "record.jsonl").read_text()) == {"picture": str(path)}


def test_without_it_beside_the_script(tmp_path):
    """But in the current folder where there is no script, as in a notebook."""
    code = (
        "from tfcourse.course import save\n"
        "class Figure:\n"
        "    def savefig(self, path, dpi): path.write_text('')\n"
        "save(Figure(), 'x')\n"
    )
    (tmp_path / "script").mkdir()
    (tmp_path / "script" / "s.py").write_text(code)
    for arguments in (["script/s.py"], ["-c", code]):
        subprocess.run([sys.executable, *arguments], cwd=tmp_path, check=True)
    assert (tmp_path / "script" / "out" / "x.png").exists()
    assert (tmp_path / "out" / "x.png").exists()


def test_importing_it_imports_neither_tensorflow_nor_matplotlib():
    code = "import sys, tfcourse.course; from tfcourse.course import save; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras", "matplotlib", "numpy"} & set(run.stdout.split())
