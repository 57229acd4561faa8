"""The output that several commands print: the result of a search, and JSON."""

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tfcourse.errors import encodable
from tfcourse.terminal import console

if TYPE_CHECKING:
    from tfcourse.search.results.search_result import SearchResult
    from tfcourse.search.run import Search

__all__ = ["finished_trials_of", "print_json", "print_result"]


def finished_trials_of(search: "Search") -> str:
    """Return where an interrupted search has its finished trials, in words."""
    if not (search.directory / "trials").is_dir():
        return "No trial had begun. The same command starts from the beginning."
    return f"The finished trials are in {search.directory}. The same command resumes from there."


def print_json(entry: Mapping[str, object], indent: int | None = 2) -> None:
    """Print an object as JSON; with ``indent=None`` in one line."""
    text = json.dumps(entry, indent=indent, ensure_ascii=False)
    sys.stdout.write(encodable(text) + "\n")
    sys.stdout.flush()


def print_result(result: "SearchResult", verbose: bool = False, top: int | None = None) -> None:
    """Print the best trials of a search, its scores and the place of its record.

    Args:
        result: The result.
        verbose: True to print, per process, how the trials of this run were trained.
        top: The number of best trials; None for the usual one.
    """
    if result.was_complete:
        end = f"all {len(result.trials)} trials are on record."
        if result.stop is not None:
            end = f"{result.stop.text}. Another limit, or none, continues it."
        console.print(f"The search is complete: {end}", highlight=False, soft_wrap=True)
    result.print_on(console, top)
    for process, effort in result.efforts.items() if verbose else ():
        console.print(f"{process:<12}{effort}", highlight=False, soft_wrap=True)
