"""Small pieces of HTML for the pages of reports and books; all text that goes in is escaped."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from tfcourse.console import printable

__all__ = ["card", "element", "items", "section", "style", "table", "text"]


def style() -> str:
    """Return the style sheet of a page: light and dark, for wide and narrow screens."""
    return files(__package__).joinpath("style.css").read_text(encoding="utf-8")


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
