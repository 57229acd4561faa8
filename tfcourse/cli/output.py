"""The printed result of a search."""

from typing import TYPE_CHECKING

from tfcourse.terminal import console

if TYPE_CHECKING:
    from tfcourse.search.results.search_result import SearchResult

__all__ = ["print_result"]


def print_result(result: "SearchResult", verbose: bool = False, top: int | None = None) -> None:
    """Print the best trials of a search, its scores and the place of its record.

    Args:
        result: The result.
        verbose: True to print, per process, how the trials of this run were trained.
        top: The number of best trials; None for the usual one.
    """
    from tfcourse.search.results.search_result import result_lines, result_tables

    if result.was_complete:
        console.print(f"The search is complete: all {len(result.trials)} trials are on record.")
    for table in result_tables(result, top):
        console.print(table)
    efforts = result.efforts.items() if verbose else ()
    for line in [*(f"{process:<12}{effort}" for process, effort in efforts), *result_lines(result)]:
        console.print(line, highlight=False, soft_wrap=True)
