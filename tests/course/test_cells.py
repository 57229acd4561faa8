"""Cells of scripts in percent format."""

import pytest

from tfcourse.course.cells import split_cells
from tfcourse.course.places import root

SCRIPTS = sorted((root() / "examples").glob("*.py"))


@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_jupytext_finds_the_same_cells(path):
    jupytext = pytest.importorskip("jupytext")
    text = path.read_text(encoding="utf-8")
    notebook = jupytext.reads(text, fmt="py:percent")
    expected = [(cell.cell_type, cell.source) for cell in notebook.cells]
    assert [(cell.kind, cell.text) for cell in split_cells(text)] == expected


@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_a_cell_begins_in_its_line(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    for cell in split_cells("\n".join(lines) + "\n"):
        first = lines[cell.line - 1]
        assert (
            first.removeprefix("#").removeprefix(" ") == cell.first_line or first == cell.first_line
        )
