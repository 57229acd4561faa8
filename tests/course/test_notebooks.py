"""The scripts as notebooks, one of which runs."""

import json

import pytest

from tests.course.small import TEXT, script
from tfcourse.course.notebooks import write_notebooks

pytest.importorskip("jupytext")


def test_a_notebook_has_the_scripts_cells(tmp_path):
    own = script(tmp_path)
    (tmp_path / "zh").mkdir()
    (tmp_path / "zh" / "1_2_x.md").write_text("<!-- # A title -->\n# 标题\n", encoding="utf-8")
    for language, title in (("en", "# A title"), ("zh", "# 标题")):
        (path,) = write_notebooks([own], tmp_path / language / "new", language)
        notebook = json.loads(path.read_text(encoding="utf-8"))
        sources = ["".join(cell["source"]) for cell in notebook["cells"]]
        assert sources == [title, *(cell.text for cell in own.cells[1:])]
        assert notebook["metadata"]["kernelspec"]["name"] == "python3"
        before = path.read_bytes()
        write_notebooks([own], tmp_path / language / "new", language)
        assert path.read_bytes() == before


def test_a_notebook_runs(tmp_path, monkeypatch):
    """In a kernel of its own, where a script's file is not known."""
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.delenv("TFCOURSE_EXAMPLES_OUT", raising=False)
    monkeypatch.setenv("TFCOURSE_QUICK", "1")
    text = TEXT.replace("pathlib.Path(__file__).name", "QUICK")
    (path,) = write_notebooks([script(tmp_path, text)], tmp_path)
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    output = "".join(o["text"] for o in notebook.cells[-1]["outputs"] if "text" in o)
    assert "claim 1.2: holds (9 of 10 seeds)" in output
    assert (tmp_path / "out" / "1_2_x.png").read_text() == "a picture"
