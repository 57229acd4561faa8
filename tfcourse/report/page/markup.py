"""A figure's place in the page of a report."""

from collections.abc import Iterable

from tfcourse.page.markup import element, section, text
from tfcourse.report.figures.panel import Panel

__all__ = ["figure", "figures"]


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
