"""The API reference: the public names with their signatures and docstrings, read from the sources.

Nothing is imported for it: griffe reads the sources, and the names are those of each package's
``__init__.pyi``, as for a type checker.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfcourse.course.book.render import code, markdown
from tfcourse.course.book.words import words
from tfcourse.page.markup import element, section, text

if TYPE_CHECKING:
    import griffe

__all__ = ["public_names", "reference_section"]

PACKAGE = Path(__file__).resolve().parents[2]


def public_names() -> dict[str, dict[str, str]]:
    """Return for each package its public names, and the module and name of each.

    ``{"layers": {"BatchNorm": "layers.batch_norm.BatchNorm"}}``
    """
    return {
        stub.parent.relative_to(PACKAGE).as_posix().replace("/", "."): dict(_names(stub))
        for stub in sorted(PACKAGE.glob("*/__init__.pyi"))
    }


def _names(stub: Path) -> Iterator[tuple[str, str]]:
    """Yield the names of a stub, ``from .batch_norm import BatchNorm as BatchNorm``."""
    package = stub.parent.relative_to(PACKAGE).as_posix().replace("/", ".")
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{package}.{node.module}.{alias.name}"


def reference_section(language: str) -> str:
    """Return the reference."""
    names = words(language)
    parts = [element("p", text(names["reference_note"]), class_="note")]
    for package, members in public_names().items():
        parts.append(element("h3", text(f"tfcourse.{package}"), id=f"api-{package}"))
        parts += [_entry(name, path) for name, path in sorted(members.items())]
    return section("reference", names["reference"], element("div", "".join(parts), lang="en"))


@cache
def _library() -> "griffe.Module":
    import griffe

    loaded = griffe.load("tfcourse", search_paths=[PACKAGE.parent], allow_inspection=False)
    assert isinstance(loaded, griffe.Module)
    return loaded


def _entry(name: str, path: str) -> str:
    """Return the signature and the docstring of a name, and of a class those of its methods."""
    found: Any = _library()[path]
    signature = found.signature() if found.is_function or found.is_class else f"{name} = …"
    parts = [code(signature), _docstring(found)]
    for member in found.members.values() if found.is_class else ():
        if not member.name.startswith("_") and member.docstring is not None:
            call = member.signature() if member.is_function else member.name
            parts.append(element("div", code(call) + _docstring(member), class_="api"))
    return element("div", "".join(parts), class_="api", id=f"api-{path}")


def _docstring(found: Any) -> str:
    """Return a docstring as HTML, its arguments and errors as lists."""
    if found.docstring is None:
        return ""
    parts = []
    for entry in found.docstring.parse("google", warnings=False):
        kind = entry.kind.value
        if kind == "text":
            parts.append(markdown(_as_markdown(entry.value), deeper=3))
        elif kind in ("parameters", "raises", "returns", "yields", "attributes"):
            listed = "".join(_item(item) for item in entry.value)
            title = element("p", element("b", text(kind.capitalize())))
            parts.append(title + element("dl", listed))
        elif kind == "admonition":
            parts.append(markdown(_as_markdown(f"**{entry.title}**\n\n{entry.value.description}")))
    return "".join(parts)


def _item(item: Any) -> str:
    """Return an argument, an attribute or an error with its description."""
    name = getattr(item, "name", "") or str(item.annotation or "")
    return element("dt", element("code", text(name))) + element(
        "dd", markdown(_as_markdown(item.description))
    )


def _as_markdown(source: str) -> str:
    """Return a docstring's text as Markdown, where a ``*`` outside of code is a star."""
    parts = re.split(r"(`+[^`]+`+)", source)
    parts[::2] = [part.replace("*", r"\*") for part in parts[::2]]
    return "".join(parts)
