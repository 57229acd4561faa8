"""The whole page from a search's record and its panels."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template

from tfcourse.page.markup import element, style, text
from tfcourse.report.figures.panel import Panel
from tfcourse.report.page.markup import figure, figures
from tfcourse.report.page.pareto import pareto_section
from tfcourse.report.page.parts import (
    best_section,
    failures_section,
    findings_section,
    header,
    origin_section,
)
from tfcourse.search.results.search_record import SearchRecord

__all__ = ["Panels", "page"]


@dataclass(frozen=True)
class Panels:
    """The panels of the page.

    Attributes:
        history: Score against trial.
        slices: Each hyperparameter against score.
        importance: The importance of the hyperparameters.
        contour: The score over the two most important ones.
        parallel: Parallel coordinates.
        curves: Learning curves.
        rounds: The boxes of a search from coarse to fine; empty for others.
        pareto: Pairs of objectives; empty for a search with one.
    """

    history: Panel
    slices: Sequence[Panel]
    importance: Panel
    contour: Panel
    parallel: Panel
    curves: Panel
    rounds: Sequence[Panel] = ()
    pareto: Sequence[Panel] = ()

    @property
    def single(self) -> list[Panel]:
        """Those that fill a section of their own."""
        return [self.history, self.importance, self.contour, self.parallel, self.curves]

    @property
    def all(self) -> list[Panel]:
        """All of them."""
        return [*self.single, *self.slices, *self.rounds, *self.pareto]


def page(record: SearchRecord, panels: Panels, config: str, plotly: str) -> str:
    """Return the page as HTML that needs nothing else.

    Args:
        record: The search.
        panels: Its figures.
        config: The text of its config.
        plotly: The JavaScript of plotly.
    """
    sections = _sections(record, panels, config)
    links = "".join(
        element("li", element("a", text(title), href=f"#{key}")) for key, title, _ in sections
    )
    name = record.tables.get("search", {}).get("name", record.directory.name)
    version = record.versions.get("tfcourse", "")
    parts = {
        "title": text(f"{name}: report of the search"),
        "style": style(),
        "header": header(record),
        "navigation": element("ul", links),
        "sections": "\n".join(_in_halves(sections)),
        "footer": element(
            "p", text(f"Written by tfcourse report. Searched with tfcourse {version}.")
        ),
        "plotly": plotly,
        "figures": as_json({p.name: p for p in panels.all if p.figure is not None}),
        "script": _file("script.js"),
    }
    return Template(_file("page.html")).substitute(parts)


def _sections(record: SearchRecord, panels: Panels, config: str) -> list[tuple[str, str, str]]:
    """Return the key, the short title and the HTML of each section."""

    def single(panel: Panel) -> str:
        return element("section", figure(panel), id=f"section-{panel.name}")

    note = "The star is the best trial. Trials without a score lie beyond the worst one."
    boxes = (
        "The part of each range from which a round draws, and its trials; of a choice, how likely "
        "each value is. The star is the best trial."
    )
    sections = [
        ("findings", "Findings", findings_section(record)),
        ("best", "Best trials", best_section(record)),
        ("pareto", "Pareto set", pareto_section(record, panels.pareto)),
        ("section-history", "Scores", single(panels.history)),
        ("slices", "Hyperparameters",
         figures("slices", "Each hyperparameter against score", note, panels.slices)),
        ("section-importance", "Importance", single(panels.importance)),
        ("section-contour", "Contour", single(panels.contour)),
        ("section-parallel", "Parallel coordinates", single(panels.parallel)),
        ("section-curves", "Learning curves", single(panels.curves)),
        ("rounds", "Rounds",
         figures("rounds", "From coarse to fine", boxes, panels.rounds) if panels.rounds else ""),
        ("failures", "Failures", failures_section(record)),
        ("origin", "How to repeat it", origin_section(record, config)),
    ]  # fmt: skip
    return [entry for entry in sections if entry[2]]


def _in_halves(sections: Sequence[tuple[str, str, str]]) -> list[str]:
    """Return the sections' HTML, importance and contour beside each other."""
    html = {key: content for key, _, content in sections}
    pair = html["section-importance"] + html.pop("section-contour")
    html["section-importance"] = element("div", pair, class_="halves")
    return list(html.values())


def as_json(panels: Mapping[str, Panel]) -> str:
    """Return figures as JSON that no HTML can end.

    NaN, which JSON does not have, is null: a gap.
    """
    entries = {}
    for name, panel in panels.items():
        assert panel.figure is not None
        entry = panel.figure.to_plotly_json()
        layout = {key: value for key, value in entry["layout"].items() if key != "template"}
        entries[name] = {"data": entry["data"], "layout": layout}
    raw = json.dumps(_without_nan(entries), separators=(",", ":"), allow_nan=False)
    return raw.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _without_nan(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _file(name: str) -> str:
    return files("tfcourse.report.page").joinpath(name).read_text(encoding="utf-8")
