"""The output that several commands print: the result of a search, and JSON."""

import json
import math
import numbers
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tfcourse.errors import encodable
from tfcourse.terminal import console, result_stream

if TYPE_CHECKING:
    from tfcourse.search.results.search_result import SearchResult
    from tfcourse.search.run import Search

__all__ = ["SEARCH_KEYS", "finished_trials_of", "print_json", "print_result", "print_search_json"]

# The keys of a search's JSON object.
SEARCH_KEYS = (
    *("directory", "finished", "objective", "direction", "objectives", "pareto_set"),
    *("planned", "counts", "ended_by"),
    *("summary", "findings", "problems", "continue", "trials"),
)


def finished_trials_of(search: "Search") -> str:
    """Return where an interrupted search has its finished trials, in words."""
    if not (search.directory / "trials").is_dir():
        return "No trial had begun. The same command starts from the beginning."
    return f"The finished trials are in {search.directory}. The same command resumes from there."


def print_json(entry: Mapping[str, object], indent: int | None = 2) -> None:
    """Print an object as JSON, with null for NaN and infinity; with ``indent=None`` in one line."""
    from tfcourse.search.records.trial_record import without_nan  # which imports pydantic

    stream = result_stream()
    # A character that the encoding lacks is escaped.
    is_unicode = (stream.encoding or "utf-8").lower().startswith("utf")
    text = json.dumps(
        without_nan(entry),
        indent=indent,
        ensure_ascii=not is_unicode,
        allow_nan=False,
        default=_as_json,
    )
    stream.write(encodable(text) + "\n")
    stream.flush()


def _as_json(value: object) -> object:
    """Return a number of NumPy's as Python's, and anything else, such as a path, as text."""
    if not isinstance(value, numbers.Real):
        return str(value)
    return float(value) if math.isfinite(value) else None


def print_search_json(run_dir: Path, top: int | None = None, **others: object) -> None:
    """Print a search, from its run directory, as JSON.

    Args:
        run_dir: The run directory.
        top: The number of best trials; None for all trials.
        others: More entries of the object.
    """
    from tfcourse.search.results.search_record import read_record

    print_json(read_record(run_dir).as_json(top) | others)


def print_result(
    result: "SearchResult", verbose: bool = False, top: int | None = None, quiet: bool = False
) -> None:
    """Print the best trials of a search, its scores and the place of its record.

    Args:
        result: The result.
        verbose: True to print, per process, how the trials of this run were trained.
        top: The number of best trials; None for the usual one.
        quiet: True not to say that the search was complete before.
    """
    if result.was_complete and not quiet:
        end = f"all {len(result.trials)} trials are on record."
        if result.stop is not None:
            end = f"{result.stop.text}. Another limit, or none, continues it."
        console.print(f"The search is complete: {end}", highlight=False, soft_wrap=True)
    result.print_on(console, top)
    for process, effort in result.efforts.items() if verbose else ():
        console.print(f"{process:<12}{effort}", highlight=False, soft_wrap=True)
