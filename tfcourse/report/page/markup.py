"""Small pieces of HTML; all text that goes in is escaped here."""

from collections.abc import Iterable, Sequence
from html import escape

from tfcourse.console import printable
from tfcourse.report.figures.panel import Panel

__all__ = ["card", "element", "figure", "figures", "items", "section", "table", "text"]


def text(value: object) -> str:
    """Return a value as escaped text without control characters."""
    return escape(printable(str(value)))


def element(tag: str, content: str, **attributes: str) -> str:
    """Return an element around HTML; an attribute's value is text.

    Args:
        tag: The element's name.
        content: The HTML within it.
        attributes: Its attributes; ``class_`` stands for ``class``, ``aria_label`` for
            ``aria-label``.
    """
    listed = "".join(
        f' {name.strip("_").replace("_", "-")}="{text(value)}"'
        for name, value in attributes.items()
    )
    return f"<{tag}{listed}>{content}</{tag}>"


def card(name: str, value: str, *lines: str, class_: str = "large") -> str:
    """Return a number of the header with its name and lines below it."""
    parts = [element("dt", text(name)), element("dd", text(value), class_=class_)]
    parts += [element("dd", text(line)) for line in lines if line]
    return element("div", "".join(parts), class_="card")


def items(lines: Iterable[str], class_: str) -> str:
    """Return a list of lines of text."""
    return element("ul", "".join(element("li", text(line)) for line in lines), class_=class_)


def table(caption: str, header: Sequence[str], rows: Iterable[str]) -> str:
    """Return a table that scrolls within the page.

    Args:
        caption: The text above it.
        header: The columns' names.
        rows: The rows as HTML.
    """
    names = "".join(element("th", text(name), scope="col") for name in header)
    head = element("thead", element("tr", names))
    body = element("tbody", "".join(rows))
    whole = element("table", element("caption", text(caption)) + head + body)
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def section(key: str, title: str, *content: str) -> str:
    """Return a section with its heading."""
    return element("section", element("h2", text(title)) + "".join(content), id=key)


def figure(panel: Panel, heading: str = "h2") -> str:
    """Return a panel's place in the page, with its title and its text."""
    title = element(heading, text(panel.title))
    if panel.figure is None:
        return element("div", title + element("p", text(panel.text), class_="absent"))
    place = element("div", "", id=panel.name, role="img", aria_label=f"{panel.title}. {panel.text}")
    if panel.width:
        inner = f'<div style="min-width: {panel.width}px">{place}</div>'
        place = element("div", inner, class_="scroll", tabindex="0", role="region",
                        aria_label=panel.title)  # fmt: skip
    caption = element("figcaption", text(panel.text)) if panel.text else ""
    return element("figure", title + caption + place)


def figures(key: str, title: str, note: str, panels: Iterable[Panel]) -> str:
    """Return a section with many small figures."""
    parts = "".join(figure(panel, "h3") for panel in panels)
    grid = element("div", parts, class_="grid")
    return section(key, title, element("p", text(note), class_="note"), grid)
