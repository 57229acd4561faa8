"""Figures in files: written whole or not at all, whatever their texts are."""

import pytest
from matplotlib.figure import Figure

from tfcourse.figures import plain_text, save_figure


def test_a_file_is_as_before_if_the_figure_fails(tmp_path):
    path = tmp_path / "a.png"
    save_figure(Figure(), path)
    before = path.read_bytes()
    figure = Figure()
    figure.text(0, 0, r"$\frac$")
    with pytest.raises(ValueError, match="frac"):
        save_figure(figure, path)
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]


def test_texts_of_people(tmp_path):
    figure = Figure()
    figure.text(0, 0, plain_text(r"$\frac$ 随机"))
    save_figure(figure, tmp_path / "a.svg")
    assert r"$\frac$" in (tmp_path / "a.svg").read_text(encoding="utf-8")
