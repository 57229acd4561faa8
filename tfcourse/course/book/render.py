"""Markdown, formulas and code as HTML; formulas as MathML, which browsers draw without a script."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from tfcourse.page.markup import element, text

__all__ = ["code", "code_style", "formula", "markdown"]


def formula(latex: str, display: bool = True) -> str:
    """Return a formula in LaTeX as MathML; display style stands on a line of its own."""
    from latex2mathml.converter import convert

    return str(convert(latex, display="block" if display else "inline"))


def markdown(source: str, deeper: int = 0, link: Callable[[str], str | None] | None = None) -> str:
    """Return Markdown as HTML: CommonMark, tables, and formulas between dollar signs.

    Args:
        source: The Markdown. HTML in it stays text.
        deeper: The number of levels by which headings are lowered, to 6 at most.
        link: A function that returns the address for the address of each link; None for a link
            that becomes text.
    """
    reader = _reader()
    tokens = reader.parse(source)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + deeper)}"
        if link is not None:
            _change_links(token.children or (), link)
    html = str(reader.renderer.render(tokens, reader.options, {}))
    # A wide table scrolls within the page.
    opened = '<div class="scroll" tabindex="0" role="region" aria-label="table"><table>'
    return html.replace("<table>", opened).replace("</table>", "</table></div>")


def _change_links(tokens: Sequence[Any], link: Callable[[str], str | None]) -> None:
    """Replace the addresses of links; one that gets none becomes text."""
    is_text = False  # a link has no other link within it
    for token in tokens:
        if token.type == "link_open":
            address = link(str(token.attrs["href"]))
            is_text = address is None
            token.attrs = {} if address is None else {**token.attrs, "href": address}
        if token.type in ("link_open", "link_close") and is_text:
            token.tag = "span"


@cache
def _reader() -> Any:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    reader.use(
        dollarmath_plugin,
        allow_space=False,
        renderer=lambda latex, options: formula(latex, options["display_mode"]),
    )

    def fence(_: object, tokens: Sequence[Any], index: int, *others: object) -> str:
        return code(tokens[index].content, tokens[index].info.strip() or "text")

    reader.add_render_rule("fence", fence)
    return reader


def code(source: str, language: str = "python") -> str:
    """Return code with its syntax in colors."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        return element("pre", element("code", text(source)))
    inner = highlight(source, lexer, HtmlFormatter(nowrap=True))
    return element("pre", element("code", inner), class_="code", tabindex="0")


def code_style() -> str:
    """Return the style sheet of code, for light and dark."""
    from pygments.formatters import HtmlFormatter

    light, dark = (
        HtmlFormatter(style=name, nobackground=True).get_style_defs(".code")
        for name in ("friendly", "github-dark")
    )
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"
