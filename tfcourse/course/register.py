"""The register of the claims: their numbers, titles and formulas, from claims.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from tfcourse.errors import InputError, shown

__all__ = ["LANGUAGES", "Claim", "claim_of", "claims", "sections"]

LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class Claim:
    """A claim of the course.

    Attributes:
        number: ``"1.2"`` for a row of the course, ``"E5"`` for an erratum, ``"M2"`` for a claim of
            the last chapter.
        titles: A short title in each language.
        formula: Its formula in LaTeX; empty where there is none.
        forms: Of an erratum, ``"wrong"``, the form that circulates, and ``"right"`` as Markdown; a
            Chinese one, where it differs, as ``"wrong_zh"`` and ``"right_zh"``.
    """

    number: str
    titles: Mapping[str, str]
    formula: str = ""
    forms: Mapping[str, str] = field(default_factory=dict)

    @property
    def section(self) -> str:
        """The key of its section: ``"1"``, ``"E"`` or ``"M"``."""
        return self.number[0]

    def form(self, kind: str, language: str) -> str:
        """Return the ``"wrong"`` or the ``"right"`` form of an erratum in a language."""
        return self.forms.get(f"{kind}_{language}", self.forms[kind])


@cache
def _register() -> dict[str, dict[str, dict[str, str]]]:
    return tomllib.loads(files(__package__).joinpath("claims.toml").read_text(encoding="utf-8"))


@cache
def claims() -> dict[str, Claim]:
    """Return the claims by their numbers, in the course's order."""
    order = list(sections())
    found = []
    for number, raw in _register()["claims"].items():
        entry = dict(raw)
        titles, formula = {key: entry.pop(key) for key in LANGUAGES}, entry.pop("formula", "")
        found.append(Claim(number, titles, formula, entry))
    return {claim.number: claim for claim in sorted(found, key=lambda c: order.index(c.section))}


@cache
def sections() -> dict[str, Mapping[str, str]]:
    """Return the titles of the sections by their keys: 1 to 6, M and E."""
    return dict(_register()["sections"])


def claim_of(number: str) -> Claim:
    """Return the claim with a number, also as ``e5``.

    Raises:
        InputError: There is none.
    """
    found = claims().get(number.upper())
    if found is None:
        last: dict[str, str] = {c.section: c.number for c in claims().values()}
        listed = ", ".join(
            f"{key}{'.' if key.isdigit() else ''}1 to {number}" for key, number in last.items()
        )
        raise InputError(
            f"CLAIM must be a number that `tfcourse course` lists: {listed}. "
            f"Received: {shown(number)}."
        )
    return found
