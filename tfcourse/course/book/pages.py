"""The pages on the library's subjects, as a part of the book."""

import re
from functools import cache
from importlib.resources import files

from tfcourse.course.book.article import anchor
from tfcourse.course.book.render import markdown
from tfcourse.course.book.words import words
from tfcourse.course.register import claims
from tfcourse.course.scripts import scripts
from tfcourse.page.markup import element, section, text

__all__ = ["pages_section"]


def pages_section(language: str) -> str:
    """Return the pages of ``tfcourse/course/pages``, whose links lead to places in the book."""
    names = words(language)
    folder = files("tfcourse.course").joinpath("pages")
    pages = sorted((p for p in folder.iterdir() if p.name.endswith(".md")), key=lambda p: p.name)
    parts = [element("p", text(names["pages_note"]), class_="note")]
    for page in pages:
        html = markdown(page.read_text(encoding="utf-8"), deeper=2, link=_address)
        html = re.sub(r"<td>(\d\.\d+)(?= )", _link_to_claim, html)
        parts.append(element("article", html, id=f"page-{page.name[:-3]}", lang="en"))
    return section("pages", names["pages"], *parts)


def _link_to_claim(cell: re.Match[str]) -> str:
    """Return the beginning of a table's cell, ``1.2 random points``, with a link to the claim."""
    number = cell[1]
    return f'<td><a href="#{anchor(number)}">{number}</a>' if number in claims() else cell[0]


def _address(address: str) -> str | None:
    """Return the address in the book of a page or an example; None for other files."""
    page = re.fullmatch(r"([\w-]+)\.md(#.*)?", address)
    if page:
        return f"#page-{page[1]}"
    example = re.search(r"examples/(\w+)\.py$", address)
    if example:
        return f"#{example[1]}" if example[1] in _names() else None
    return address if address.startswith("https:") else None


@cache
def _names() -> set[str]:
    """Return the names of the scripts in the book."""
    return {script.name for script in scripts()}
