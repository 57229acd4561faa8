"""The PNG files: what matplotlib draws is what plotly's figures hold."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from tests.report.runs import MARKUP, wide_run
from tfcourse.report import importance
from tfcourse.report.figures.panel import missing
from tfcourse.report.pictures import draw, save_picture
from tfcourse.report.report import panels_of
from tfcourse.search.results.search_record import read_record


@pytest.fixture(scope="module")
def panels(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importance, "FORESTS", 2)
        return panels_of(read_record(wide_run(tmp_path_factory.mktemp("runs") / "wide")))


def drawn(panel):
    axes = Figure().subplots()
    draw(axes, panel)
    return axes


def test_every_point_is_drawn(panels):
    traces = [trace for trace in panels.history.figure.data if trace.mode == "markers"]
    axes = drawn(panels.history)
    points = np.concatenate([c.get_offsets() for c in axes.collections])
    expected = np.concatenate([np.stack([trace.x, trace.y], axis=1) for trace in traces])
    np.testing.assert_allclose(np.sort(points, axis=0), np.sort(expected, axis=0))
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["best so far", "completed", "failed", "best"]


def test_ticks_and_titles_are_text(panels):
    (panel,) = [p for p in panels.slices if p.title == "kind"]
    texts = [text.get_text() for text in drawn(panel).get_xticklabels()]
    assert texts[:2] == ["plain", "<b>bold…cript>"]
    (panel,) = [p for p in panels.slices if p.title == "beta_1"]
    texts = [text.get_text() for text in drawn(panel).get_xticklabels()]
    assert texts == ["0.9", "0.95", "0.99", "0.995", "0.999"]
    axes = drawn(missing("x", "$a_b$ <b>", MARKUP))
    assert axes.get_title("left") == r"\$a_b\$ <b>"
    assert axes.texts[0].get_text() == MARKUP


def test_the_lines_of_parallel_coordinates(panels):
    trace = panels.parallel.figure.data[0]
    (lines,) = drawn(panels.parallel).collections
    segments = np.array(lines.get_segments())
    for place, dimension in enumerate(trace.dimensions):
        low, high = dimension.range
        expected = (np.array(dimension["values"]) - low) / (high - low)
        np.testing.assert_allclose(segments[:, place, 1], expected)


@pytest.mark.parametrize("name", ["importance", "contour", "curves"])
def test_a_picture_is_not_empty(panels, name, tmp_path):
    path = tmp_path / "picture.png"
    save_picture([getattr(panels, name)], path)
    pixels = imread(path)
    assert pixels.shape[1] > 900
    assert pixels[..., :3].std() > 0.05
    assert [entry.name for entry in tmp_path.iterdir()] == ["picture.png"]


def test_small_figures_share_a_picture(panels, tmp_path):
    save_picture(panels.slices, tmp_path / "slices.png")
    height, width, _ = imread(tmp_path / "slices.png").shape
    assert (width, height) == (1638, 1560)  # three in a row, four rows
