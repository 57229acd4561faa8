"""The book: its texts, formulas and reference, and the page in Chromium."""

import re
from html import escape
from importlib import import_module
from pathlib import Path

import pytest

from tests.browser import browser
from tests.course.small import script
from tfcourse.course.book import book
from tfcourse.course.book.reference import public_names, reference_section
from tfcourse.course.book.render import code, formula, markdown
from tfcourse.course.book.words import words
from tfcourse.course.listing import statuses
from tfcourse.course.places import root
from tfcourse.course.register import LANGUAGES, claims, sections
from tfcourse.course.runs import Store
from tfcourse.course.scripts import scripts
from tfcourse.course.translations import texts

for name in ("griffe", "latex2mathml", "mdit_py_plugins"):
    pytest.importorskip(name)

TEXT = r"""
# %% [markdown]
# # A <b>bold</b> title
#
# The formula $\frac{a}{b} < 1$ and `code`, and one that is wider than a telephone,
# $WIDE$.
#
# $$WIDE$$

# %%
import matplotlib.pyplot as plt

from tfcourse.course import save, verdict

print("<i>output</i>" + 200 * "-")
fig, ax = plt.subplots()
ax.plot([1, 2])
save(fig, "1_2_x")

# %% [markdown]
# ## More
#
# | a | b |
# |---|---|
# | 1 | 2 |

# %%
verdict("1.2", True, "9 < 10")
verdict("E1", False, "a figure")
""".replace("WIDE", " + ".join(f"a_{{{n}}}" for n in range(30)))
CHINESE = r"""<!-- # A <b>bold</b> title -->
# 标题

公式 $\frac{a}{b} < 1$。
<!-- ## Gone -->
## 没有这一段
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with the run of a script that has a Chinese text for one of its two cells."""
    folder = tmp_path_factory.mktemp("book")
    own = script(folder, TEXT)
    (folder / "zh").mkdir()
    (folder / "zh" / "1_2_x.md").write_text(CHINESE, encoding="utf-8")
    store = Store(folder / "out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tfcourse.course.listing.scripts", lambda: [own])
        run = store.run(own, quick=True)
        assert run.error == ""
        yield store


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_has_every_claim_with_verdict_picture_and_output(store, language):
    page = book.book(statuses(store, True), True, language)
    for number, claim in claims().items():
        anchor = f"claim-{number.replace('.', '-')}"
        assert page.count(f'id="{anchor}"') == 1
        assert f'href="#{anchor}"' in page
        assert escape(claim.titles[language]) in page
    names = words(language)
    assert f"<b>{names['holds']}</b> 9 &lt; 10" in page
    assert f"<b>{names['does_not_hold']}</b> a figure" in page
    assert page.count("data:image/png;base64,") == 1
    assert "&lt;i&gt;output&lt;/i&gt;" in page
    assert names["quick"] in page
    assert names["quick"] not in book.book(statuses(store, False), False, language)
    assert not re.search(r"<(b|i)>(bold|output)", page)


def test_a_text_without_a_translation_is_in_english_and_says_so(store):
    page = book.book(statuses(store, True), True, "zh")
    assert ">标题</h3>" in page
    assert "bold" not in page.partition('id="pages"')[0].partition("<body")[2]
    assert "没有这一段" not in page
    assert page.count(words("zh")["not_translated"]) == 1
    assert "1 / 2 段脚本文字已有中文" in page


def test_the_words_are_those_that_are_used():
    used = "".join(p.read_text(encoding="utf-8") for p in Path(book.__file__).parent.glob("*.py"))
    assert [key for key in words("en") if f'"{key}"' not in used and f"'{key}'" not in used] == []
    assert all(words(language).keys() == words("en").keys() for language in LANGUAGES)


@pytest.mark.parametrize("number", [n for n, claim in claims().items() if claim.formula])
def test_a_formula_is_mathml_without_commands_that_are_not_known(number):
    html = formula(claims()[number].formula)
    assert html.startswith("<math")
    assert "\\" not in html


def test_formulas_in_markdown():
    html = markdown(r"The rate $\alpha_0$ costs 5 $ and 6 $.")
    assert html.count("<math") == 1
    assert "<msub>" in html
    assert "5 $ and 6 $." in html
    assert 'display="block"' in markdown(r"$$\frac{1}{2}$$")


def test_markdown_keeps_html_as_text_and_lowers_headings():
    html = markdown("# Title\n\n<script>x</script>\n\n###### Deep\n", deeper=2)
    assert "<h3>Title</h3>" in html
    assert "<h6>Deep</h6>" in html
    assert "<script>" not in html


def test_code_in_a_language_that_is_not_known():
    assert code("a < b", "no such language") == "<pre><code>a &lt; b</code></pre>"
    assert "<span" in code("import x")


def test_a_translation_belongs_to_a_cell():
    """Each block of a Chinese file has an English cell with that first line."""
    by_name = {path.stem: path for path in (root() / "examples" / "zh").glob("*.md")}
    for own in scripts():
        cells = [cell.first_line for cell in own.cells if cell.kind == "markdown"]
        assert [key for key in texts(own, "zh") if key not in cells] == [], own.name
        assert len(cells) == len(set(cells)), own.name
        by_name.pop(own.name, None)
    assert by_name == {}


def test_the_reference_has_every_public_name_with_its_docstring():
    html = reference_section("en")
    for package, members in public_names().items():
        module = import_module(f"tfcourse.{package}")
        assert sorted(members) == sorted(module.__all__)
        for path in members.values():
            assert html.count(f'id="api-{path}"') == 1
    shown = re.sub("<[^>]*>", "", html)
    assert "SoftmaxHead(" in shown
    first = import_module("tfcourse.layers").Dropout.__doc__.split("\n")[0]
    assert first.replace("`", "")[:30] in shown


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as connection:
        yield connection


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_in_a_browser(chromium, store, language, width):
    page = chromium.open(book.write_book(store, True, language), width)
    assert page.problems() == []
    whole = "document.documentElement"
    assert page.evaluate(f"{whole}.scrollWidth <= {whole}.clientWidth")
    assert page.evaluate("document.querySelector('figure img').naturalWidth") > 600
    assert page.evaluate("document.querySelectorAll('merror').length") == 0
    assert page.evaluate("document.querySelector('math mfrac').getBoundingClientRect().height") > 9
    links = """[...document.querySelectorAll("a[href^='#']")].map((a) => a.getAttribute("href"))
        .filter((href) => !document.getElementById(href.slice(1)))"""
    assert page.evaluate("document.querySelectorAll(\"a[href^='#']\").length") > len(claims())
    # The library's pages name other scripts; here only one is in the book.
    assert set(page.evaluate(links)) <= {f"#{own.name}" for own in scripts()}
    outside = "document.querySelectorAll(\"a:not([href^='#']):not([href^='https:'])\").length"
    assert page.evaluate(outside) == 0
    assert len(sections()) == page.evaluate("document.querySelectorAll('nav details').length")
