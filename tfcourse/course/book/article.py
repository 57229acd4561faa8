"""A script's article: its claims and verdicts, its pictures, and its cells with their output."""

import base64
from collections.abc import Sequence
from pathlib import Path

from tfcourse.course.book.render import code, formula, markdown
from tfcourse.course.book.words import words
from tfcourse.course.cells import Cell
from tfcourse.course.listing import Status
from tfcourse.course.runs import Run
from tfcourse.course.scripts import Script
from tfcourse.course.translations import texts
from tfcourse.page.markup import element, text

__all__ = ["anchor", "article", "translated_cells", "verdict_line"]


def anchor(number: str) -> str:
    """Return the anchor of a claim."""
    return f"claim-{number.replace('.', '-')}"


def article(script: Script, statuses: Sequence[Status], language: str) -> str:
    """Return the article of a script.

    Args:
        script: The script.
        statuses: The statuses of its claims.
        language: The language of the titles and, where there is a translation, of the texts.
    """
    run = statuses[0].run
    title, *cells = script.cells
    translations = texts(script, language)
    heading = translations.get(title.first_line, title.text).partition("\n")[0].lstrip("# ")
    parts = [element("h3", text(heading))]
    parts += [_claim(status, language) for status in statuses]
    parts += [_failure(run, language)] if run is not None and run.error else []
    parts += [_picture(path, heading) for path in run.picture_paths] if run is not None else []
    first = Cell("markdown", title.text.partition("\n")[2].strip("\n"), title.line)
    body = translations.get(title.first_line, "").partition("\n")[2].strip("\n")
    parts.append(_text(first.text, body, language))
    for number, cell in enumerate(cells, 1):
        if cell.kind == "markdown":
            parts.append(_text(cell.text, translations.get(cell.first_line, ""), language))
            continue
        parts.append(code(cell.text))
        output = "" if run is None else run.outputs.get(number, "")
        parts.append(_output(output, language) if output.strip() else "")
    parts.append(_origin(script, run, language))
    return element("article", "".join(parts), id=script.name)


def _claim(status: Status, language: str) -> str:
    """Return a claim's title, its formula and its verdict."""
    claim = status.claim
    title = element("b", text(f"{claim.number} ")) + text(claim.titles[language])
    parts = [element("p", title, class_="claim")]
    parts += [element("div", formula(claim.formula), class_="formula")] if claim.formula else []
    parts.append(verdict_line(status, language))
    return element("div", "".join(parts), id=anchor(claim.number), class_="box")


def verdict_line(status: Status, language: str) -> str:
    """Return a claim's verdict with its figures."""
    verdict, names = status.verdict, words(language)
    if verdict is None:
        key = "no_script" if status.script is None else "not_run"
        if status.run is not None:
            key = "failed"
        return element("p", text(names[key]), class_="verdict absent-verdict")
    word = element("b", text(names["holds" if verdict.holds else "does_not_hold"]))
    kind = "holds" if verdict.holds else "holds-not"
    return element("p", f"{word} {text(verdict.figures)}", class_=f"verdict {kind}")


def _failure(run: Run, language: str) -> str:
    summary = element("p", text(words(language)["error"]), class_="failed")
    return summary + element("pre", text(run.error), class_="output")


def _picture(path: Path, title: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    image = f'<img src="data:image/png;base64,{data}" alt="{text(title)}">'
    return element("figure", image)


def _text(english: str, translation: str, language: str) -> str:
    """Return a text in a language, or the English one with a note that it is."""
    if not english:
        return ""
    if language == "en" or translation:
        return markdown(translation or english, deeper=2)
    note = element("p", text(words(language)["not_translated"]), class_="note")
    return element("div", note + markdown(english, deeper=2), lang="en", class_="fallback")


def _output(output: str, language: str) -> str:
    label = element("span", text(words(language)["output"]), class_="label")
    return label + element("pre", text(output.strip("\n")), class_="output", tabindex="0")


def _origin(script: Script, run: Run | None, language: str) -> str:
    names = words(language)
    parts = [f"{names['script']}: examples/{script.path.name}"]
    parts += [] if run is None else [f"{run.seconds:.0f} {names['seconds']}"]
    return element("p", text(", ".join(parts)), class_="note")


def translated_cells(scripts: Sequence[Script], language: str) -> tuple[int, int]:
    """Return the numbers of Markdown cells that are translated, and of all."""
    cells = [(s, c) for s in scripts for c in s.cells if c.kind == "markdown"]
    found = {script.name: texts(script, language) for script in scripts}
    return sum(cell.first_line in found[script.name] for script, cell in cells), len(cells)
