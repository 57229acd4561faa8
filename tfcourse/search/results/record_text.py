"""The tables and lines that show the record of an unfinished search."""

from rich.console import RenderableType

from tfcourse.console import one_line
from tfcourse.search.results.search_record import SearchRecord
from tfcourse.search.results.search_result import LONGEST_REASON, MAX_SHOWN
from tfcourse.search.results.tables import best_table, format_score, rounds_table

__all__ = ["counts_in_words", "record_lines", "record_tables"]


def record_tables(record: SearchRecord, top: int | None = None) -> list[RenderableType]:
    """Return the table of the rounds and that of the best trials, as far as there are any.

    Args:
        record: The search.
        top: The number of best trials; 5 by default.
    """
    names = dict.fromkeys(name for trial in record.trials.values() for name in trial.values)
    tables: list[RenderableType] = (
        [rounds_table([*map(dict, record.rounds)])] if record.rounds else []
    )
    best = record.ranking[: MAX_SHOWN if top is None else top]
    return [*tables, best_table(best, record.objective, names)] if best else tables


def record_lines(record: SearchRecord) -> list[str]:
    """Return the lines below the tables: counts, failures, damage, and how to continue."""
    lines = [counts_in_words(record)]
    failed = next((r for _, r in sorted(record.trials.items()) if r.status == "failed"), None)
    if failed is not None:
        lines.append(f"Trial {failed.trial} failed: {one_line(failed.message, LONGEST_REASON)}")
    if record.best is not None:
        score = f"{record.objective} {format_score(record.best.score)}"
        lines.append(f"{'dev set':<12}{score} (trial {record.best.trial}, best so far)")
    lines += [f"{'record':<12}{record.directory}", *record.problems]
    return [*lines, f"The search is not finished. {record.command()} continues it."]


def counts_in_words(record: SearchRecord) -> str:
    """Return ``"20 of 24 trials are on record: 19 completed, 1 failed."``."""
    count = len(record.trials)
    planned = "" if record.planned is None else f" of {record.planned}"
    parts = ", ".join(f"{n} {status}" for status, n in record.counts.items() if n)
    return f"{count}{planned} trials are on record{': ' if parts else ''}{parts}."
