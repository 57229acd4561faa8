"""The whole book from the register, the scripts, their runs, the pages and the reference."""

from collections.abc import Sequence
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from string import Template

from tfcourse.course.book.article import anchor, article, translated_cells
from tfcourse.course.book.errata import errata_table
from tfcourse.course.book.pages import pages_section
from tfcourse.course.book.reference import reference_section
from tfcourse.course.book.render import code_style
from tfcourse.course.book.words import words
from tfcourse.course.listing import Status, statuses
from tfcourse.course.register import sections
from tfcourse.course.runs import Store
from tfcourse.errors import InputError
from tfcourse.files import write_atomically
from tfcourse.page.markup import card, element, section, style, text

__all__ = ["check_packages", "write_book"]


def check_packages() -> None:
    """Raise InputError if a package is missing that the book needs."""
    try:
        import griffe  # noqa: F401  (only looked for)
        import latex2mathml  # noqa: F401
        import mdit_py_plugins  # noqa: F401
        import pygments  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(
            f"The book needs {error.name}. Install it: pip install 'tfcourse[course]'."
        ) from None


def write_book(store: Store, quick: bool, language: str) -> Path:
    """Write the book into the folder of the runs, and return its path.

    Args:
        store: The folder; each claim has its last run in the mode.
        quick: True for the runs in quick mode.
        language: The language of the titles and texts.
    """
    path = store.folder / "book.html"
    store.folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, book(statuses(store, quick), quick, language))
    return path


def book(listed: Sequence[Status], quick: bool, language: str) -> str:
    """Return the book as HTML that needs nothing else.

    Args:
        listed: The statuses of the claims, in the course's order.
        quick: True if the runs are those in quick mode.
        language: The language of the titles and texts.
    """
    names = words(language)
    own = [_chapter(key, list(group), listed, language) for key, group in _by_section(listed)]
    pages, reference = pages_section(language), reference_section(language)
    parts = {
        "language": language,
        "title": text(names["title"]),
        "skip": text(names["skip"]),
        "contents": text(names["contents"]),
        "style": style() + _file("book.css") + code_style(),
        "header": _header(listed, quick, language),
        "navigation": _contents(listed, language),
        "sections": "\n".join([*own, pages, reference]),
        "footer": element("p", text(f"{names['written']}.")),
    }
    return Template(_file("book.html")).substitute(parts)


def _by_section(listed: Sequence[Status]) -> "groupby[str, Status]":
    return groupby(listed, key=lambda status: status.claim.section)


def _header(listed: Sequence[Status], quick: bool, language: str) -> str:
    """Return the title, what the book is, and the numbers of the verdicts."""
    names = words(language)
    verdicts = [status.verdict for status in listed]
    counts = {
        "holds": sum(v is not None and v.holds for v in verdicts),
        "does_not_hold": sum(v is not None and not v.holds for v in verdicts),
        "not_run": sum(
            v is None and s.script is not None for v, s in zip(verdicts, listed, strict=True)
        ),
        "no_script": sum(status.script is None for status in listed),
    }
    cards = [card(names["claims"], str(len(listed)))]
    cards += [card(names[key], str(count)) for key, count in counts.items() if count]
    notes = [names["subtitle"]] + [names["quick"]] * quick
    if language != "en":
        own = {s.script.name: s.script for s in listed if s.script is not None}
        done, count = translated_cells(list(own.values()), language)
        notes.append(f"{done} / {count} {names['translated']}。{names['figures_language']}")
    return (
        element("h1", text(names["title"]))
        + "".join(element("p", text(note), class_="kind") for note in notes)
        + element("dl", "".join(cards), class_="cards")
    )


def _contents(listed: Sequence[Status], language: str) -> str:
    """Return the links to the claims, by section, each with a mark of its verdict."""
    parts = []
    for key, group in _by_section(listed):
        entries = "".join(element("li", _entry(status, language)) for status in group)
        title = element("summary", text(_title(key, language)))
        parts.append(element("details", title + element("ol", entries), open="open"))
    names = words(language)
    others = (element("a", text(names[k]), href=f"#{k}") for k in ("pages", "reference"))
    return "".join(parts) + element("p", " · ".join(others))


def _entry(status: Status, language: str) -> str:
    claim, verdict = status.claim, status.verdict
    mark, kind = ("–", "mark") if verdict is None else ("✓", "mark holds")
    if verdict is not None and not verdict.holds:
        mark, kind = "✗", "mark holds-not"
    label = f"{claim.number} {claim.titles[language]}"
    link = element("a", text(label), href=f"#{anchor(claim.number)}")
    return element("span", mark, class_=kind, aria_hidden="true") + " " + link


def _title(key: str, language: str) -> str:
    title = sections()[key][language]
    return f"{key}  {title}" if key.isdigit() else title


def _chapter(key: str, group: Sequence[Status], listed: Sequence[Status], language: str) -> str:
    """Return a section of the course: an article for each script whose first claim it has.

    Before them, a table of the errata; after them, a line for each other claim.
    """
    parts = [errata_table(group, language)] if key == "E" else []
    others = []
    for status in group:
        number, script = status.claim.number, status.script
        if script is not None and script.claims[0] == number:
            own = [s for s in listed if s.script is not None and s.script.name == script.name]
            parts.append(article(script, own, language))
        elif key != "E" and (script is None or script.claims[0] not in _numbers(group)):
            others.append(_elsewhere(status, language))
    return section(f"section-{key}", _title(key, language), *parts, *others)


def _numbers(group: Sequence[Status]) -> set[str]:
    return {status.claim.number for status in group}


def _elsewhere(status: Status, language: str) -> str:
    """Return the line of a claim that has no script, or one whose article is elsewhere."""
    claim = status.claim
    line = f"{claim.number} {claim.titles[language]}"
    if status.script is None:
        line = f"{line}: {words(language)['no_script']}"
        return element("p", text(line), id=anchor(claim.number), class_="note")
    return element("p", element("a", text(line), href=f"#{anchor(claim.number)}"))


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
