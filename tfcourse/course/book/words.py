"""The words of the book's page itself, in each language."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

__all__ = ["words"]


@cache
def words(language: str) -> Mapping[str, str]:
    """Return the words of a language by their keys."""
    text = files(__package__).joinpath("words.toml").read_text(encoding="utf-8")
    return {key: entry[language] for key, entry in tomllib.loads(text).items()}
