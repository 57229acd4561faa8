"""The section of the page with the Pareto set of a search with several objectives."""

from collections.abc import Sequence

from tfcourse.page.markup import element, section, table, text
from tfcourse.report.figures.panel import Panel
from tfcourse.report.page.markup import figure
from tfcourse.search.records.pareto import values_of
from tfcourse.search.results.pareto_table import format_objective
from tfcourse.search.results.search_record import SearchRecord
from tfcourse.search.results.tables import format_value

__all__ = ["pareto_section"]

MOST_TRIALS = 30


def pareto_section(record: SearchRecord, panels: Sequence[Panel]) -> str:
    """Return the trials of the set as a table, and the figures; nothing without a set."""
    trials = record.pareto_set[:MOST_TRIALS]
    if not trials:
        return ""
    names = list(dict.fromkeys(name for trial in trials for name in trial.values))
    rows = []
    for trial in trials:
        cells = [str(trial.trial), *map(format_objective, values_of(trial, record.objectives))]
        cells += [format_value(trial.values.get(name), 40) for name in names]
        row = "".join(element("td", text(cell), class_="number") for cell in cells)
        rows.append(element("tr", row, class_="best" if trial is record.best else "other"))
    caption = (
        f"{len(trials)} of the {len(record.pareto_set)} trials of the set, by the first objective"
    )
    columns = ["trial", *(objective.name for objective in record.objectives), *names]
    note = (
        "No trial within the limits is better than one of these in an objective and at least as "
        "good in all. Their models are in models/."
    )
    figures = "".join(figure(panel, "h3") for panel in panels)
    figures = element("div", figures, class_="grid") if len(panels) > 1 else figures
    parts = [element("p", text(note), class_="note"), figures, table(caption, columns, rows)]
    return section("pareto", "Pareto set", *parts)
