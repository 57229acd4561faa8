"""The errata as a table: the wrong form, the correct one, and the measured difference."""

from collections.abc import Iterable

from tfcourse.course.book.article import anchor, verdict_line
from tfcourse.course.book.render import markdown
from tfcourse.course.book.words import words
from tfcourse.course.listing import Status
from tfcourse.page.markup import element, table, text

__all__ = ["errata_table"]


def errata_table(statuses: Iterable[Status], language: str) -> str:
    """Return the table of the errata."""
    names = words(language)
    columns = [names["erratum"], names["wrong"], names["right"], names["difference"]]
    rows = (_row(status, language) for status in statuses)
    return element("div", table(names["errata_note"], columns, rows), class_="errata")


def _row(status: Status, language: str) -> str:
    claim, names = status.claim, words(language)
    number = element("a", text(claim.number), href=f"#{anchor(claim.number)}")
    cells = [
        element("th", f"{number} {text(claim.titles[language])}", scope="row", class_="wrap"),
        element("td", markdown(claim.form("wrong", language)), data_label=names["wrong"]),
        element("td", markdown(claim.form("right", language)), data_label=names["right"]),
        element("td", verdict_line(status, language), data_label=names["difference"]),
    ]
    place = {} if status.script is not None else {"id": anchor(claim.number)}
    return element("tr", "".join(cells), **place)
