"""The page in Chromium: it draws without errors, nothing is cut off, and it can be used."""

import pytest

from tests.browser import browser
from tests.report.runs import MARKUP, wide_run
from tfcourse.report.report import write_report

TEXTS = """[...document.querySelectorAll(".js-plotly-plot text, .hoverlayer text")]
    .map((text) => text.textContent)"""
OUTSIDE = """[...document.querySelectorAll(".js-plotly-plot .main-svg text")].filter((text) => {
    const box = text.getBoundingClientRect();
    const place = text.closest(".js-plotly-plot").getBoundingClientRect();
    return box.width > 0 && (box.left < place.left - 1 || box.right > place.right + 1
        || box.top < place.top - 1 || box.bottom > place.bottom + 1);
  }).map((text) => text.textContent)"""


@pytest.fixture(scope="module")
def page_of_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    return write_report(wide_run(folder / "wide"))[0]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as connection:
        yield connection


@pytest.mark.parametrize("width", [1280, 400])
def test_it_draws_all_and_cuts_nothing_off(chromium, page_of_run, width):
    page = chromium.open(page_of_run, width)
    assert page.problems() == []
    drawn = page.evaluate('document.querySelectorAll(".js-plotly-plot .main-svg").length')
    figures = page.evaluate(
        "Object.keys(JSON.parse(document.getElementById('figures').textContent))"
    )
    assert len(figures) == 5 + 12 + 2
    assert drawn >= len(figures)
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
    assert page.evaluate(OUTSIDE) == []
    # A positive control: a text that is moved out of its figure is found.
    page.evaluate(
        """document.querySelector("#history .main-svg .xtick text")
          .setAttribute("transform", "translate(-5000, 0)")"""
    )
    assert page.evaluate(OUTSIDE) == ["0"]


def test_names_and_messages_stay_text(chromium, page_of_run):
    page = chromium.open(page_of_run, 1280)
    inside = "main b, main i, main a[href=x], main script"
    assert page.evaluate(f'document.querySelectorAll("{inside}").length') == 0
    assert MARKUP in page.evaluate("document.body.innerText")
    assert any(text.startswith("<b>") for text in page.evaluate(TEXTS))


def middle(page, selector):
    """The middle of an element, once it is in view."""
    return page.evaluate(
        f"""(() => {{
          const element = document.querySelector({selector!r});
          element.scrollIntoView({{block: "center", behavior: "instant"}});
          const box = element.getBoundingClientRect();
          return [box.left + box.width / 2, box.top + box.height / 2];
        }})()"""
    )


def test_hovering_shows_a_trial(chromium, page_of_run):
    page = chromium.open(page_of_run, 1280)
    star = middle(page, "#history .scatterlayer .trace:last-child .point")
    page.mouse("mouseMoved", star[0] - 3, star[1])
    page.mouse("mouseMoved", *star)
    page.wait_for('document.querySelector("#history .hoverlayer text")')
    text = page.evaluate('document.querySelector("#history .hoverlayer").textContent')
    assert "trial " in text
    assert "learning_rate: " in text
    assert page.problems() == []


def test_brushing_selects_lines(chromium, page_of_run):
    page = chromium.open(page_of_run, 1280)
    x, y = middle(page, "#parallel .axis-brush .background")
    page.drag((x, y - 60), (x, y + 60))
    page.wait_for('document.getElementById("parallel").data[0].dimensions[0].constraintrange')
    low, high = page.evaluate(
        'document.getElementById("parallel").data[0].dimensions[0].constraintrange'
    )
    assert low < high
    assert page.problems() == []
