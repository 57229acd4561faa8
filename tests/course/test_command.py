"""The command of the course: its list, its runs, and how it ends."""

import json
import re
import sys

import pytest
from typer.testing import CliRunner

from tests.course.small import TEXT, script
from tfcourse.cli import app


def run(*arguments):
    return CliRunner().invoke(app, ["course", *map(str, arguments)], env={"COLUMNS": "200"})


FAILING = """
# %%
from tfcourse.course import verdict

verdict("1.3", False, "a figure")
raise SystemExit("no luck")
"""


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Two scripts: one that states its verdict, and one that fails after that."""
    (tmp_path / "failing").mkdir()
    failing = script(tmp_path / "failing", FAILING)
    failing = type(failing)(failing.path.rename(tmp_path / "1_3_x.py"), failing.text)
    both = [script(tmp_path, TEXT), failing]
    for module in ("scripts", "listing", "book.pages"):
        monkeypatch.setattr(f"tfcourse.course.{module}.scripts", lambda: both)
    return tmp_path / "out"


def test_the_list_has_a_line_for_each_claim(two):
    result = run("--out", two)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) == 8 + 65
    assert lines[0] == "1  Hyperparameter tuning"
    assert lines[2] == "   1.2   not run yet    1_2_x.py  Random points, not a grid"
    assert lines[-1].startswith("   E11   no script yet ")
    assert "随机取点，不用网格" in run("--out", two, "--language", "zh").stdout


def test_one_claim(two):
    result = run("1.2", "--quick", "--out", two)
    assert result.exit_code == 0
    picture = two / "quick" / "1_2_x" / "pictures" / "1_2_x.png"
    assert result.stdout == f"claim 1.2: holds (9 of 10 seeds)\npicture: {picture}\n"
    assert run("1.2", "--quick", "--out", two, "--quiet").stdout == (
        "claim 1.2: holds (9 of 10 seeds)\n"
    )
    assert "1.2   holds (quick)  1_2_x.py" in run("--out", two).stdout
    entry = json.loads(run("1.2", "--quick", "--out", two, "--json").stdout)
    assert entry["failed"] == {}
    (claim,) = entry["claims"]
    assert claim["holds"] is True
    assert claim["pictures"] == [str(picture)]


def test_json_has_the_runs_of_this_command_and_not_those_of_the_other_mode(two):
    run("1.2", "--out", two)
    (claim,) = json.loads(run("1.2", "--quick", "--out", two, "--json").stdout)["claims"]
    assert claim["status"] == "holds (quick)"
    assert all("/quick/" in path for path in claim["pictures"])
    listed = json.loads(run("--out", two, "--json").stdout)["claims"]
    assert [each["status"] for each in listed if each["claim"] == "1.2"] == ["holds"]


def test_a_failure_does_not_stop_the_others_and_ends_with_1(two):
    result = run("1.3", "1.2", "--quick", "--out", two)
    assert result.exit_code == 1
    assert "claim 1.2: holds (9 of 10 seeds)\n" in result.stdout
    assert "claim 1.3: does not hold (a figure)\n" in result.stdout
    assert "[1/2] 1_3_x.py: failed, " in result.stderr
    assert "[2/2] 1_2_x.py: 1.2 holds, " in result.stderr
    assert "1_3_x failed: no luck\n" in result.stderr
    again = run("1.3", "1.2", "--quick", "--out", two)  # one that failed runs again
    assert re.search(r"\[1/2\] 1_3_x.py: failed, \d+ s\n", again.stderr)
    assert "[2/2] 1_2_x.py: 1.2 holds, unchanged\n" in again.stderr
    again = run("1.3", "1.2", "--quick", "--out", two, "--fresh")
    assert re.search(r"\[2/2\] 1_2_x.py: 1.2 holds, \d+ s\n", again.stderr)
    assert "1.3   failed (quick, outdated)" in run("--out", two).stdout


def test_all_writes_the_book_also_where_a_script_fails(two):
    result = run("--all", "--quick", "--out", two, "--language", "zh")
    assert result.exit_code == 1
    assert result.stdout.endswith(f"book: {two / 'book.html'}\n")
    page = (two / "book.html").read_text(encoding="utf-8")
    assert "<b>成立</b> 9 of 10 seeds" in page
    assert "<b>不成立</b> a figure" in page
    assert "脚本运行失败" in page
    assert "no luck" in page
    entry = json.loads(run("--all", "--quick", "--out", two, "--json").stdout)
    assert entry["book"] == str(two / "book.html")
    assert entry["failed"] == {"1_3_x": "no luck"}


def test_the_book_needs_packages(two, monkeypatch):
    monkeypatch.setitem(sys.modules, "latex2mathml", None)
    result = run("--all", "--out", two)
    assert result.exit_code == 2
    assert (
        "The book needs latex2mathml. Install it: pip install 'tfcourse[course]'." in result.stderr
    )
    assert not two.exists()


def test_notebooks_are_written_and_nothing_runs(two, tmp_path):
    result = run("1.2", "--notebooks", tmp_path / "notebooks", "--out", two)
    assert result.stdout == f"{tmp_path / 'notebooks' / '1_2_x.ipynb'}\n"
    assert not two.exists()


def test_an_interruption_says_that_the_finished_scripts_are_kept(two, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("tfcourse.course.runs.run_script", interrupted)
    result = run("1.2", "--out", two)
    assert result.exit_code == 130
    assert "The finished scripts are kept. The same command continues with the rest." in (
        result.stderr
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["9.9"], "CLAIM must be a number that `tfcourse course` lists: 1.1 to 1.8, "),
        (["E11"], "Claim E11 has no script yet."),
        (["--language", "de"], '--language must be one of "en", "zh". Received: \'de\'.'),
        (["--all", "1.2"], "--all runs every claim. Leave out --all, or the claims' numbers."),
    ],
)
def test_wrong_input(two, arguments, message):
    result = run(*arguments, "--out", two)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_script_without_its_packages_is_not_begun(tmp_path, monkeypatch):
    lacking = script(
        tmp_path, f"{TEXT}\n# %%\nimport no_such_plot.pyplot\nfrom nor_this import x\n"
    )
    for module in ("scripts", "listing"):
        monkeypatch.setattr(f"tfcourse.course.{module}.scripts", lambda: [lacking])
    result = run("1.2", "--quick", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: 1_2_x.py imports no_such_plot and nor_this, which is not installed. "
        'Install what the scripts need: pip install "tfcourse[course]".\n'
    )
    assert not (tmp_path / "out" / "quick").exists()
