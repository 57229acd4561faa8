"""A finished search as text: its best trials, its scores, and where the record is."""

import io

from rich.console import RenderableType

from tfcourse.console import PlainConsole
from tfcourse.search.display import best_table, format_score, rounds_table
from tfcourse.search.record.outcome import SearchResult

__all__ = ["result_lines", "result_tables", "result_text"]

# How many of the best trials are shown.
SHOWN = 5


def result_tables(result: SearchResult) -> list[RenderableType]:
    """Return the best trials as a table for rich, after that of the rounds if there are any."""
    names = dict.fromkeys(name for record in result.trials.values() for name in record.values)
    best = best_table(result.ranking[:SHOWN], result.summary.objective, names)
    rounds = result.rounds
    return [rounds_table(rounds), best] if rounds else [best]


def result_lines(result: SearchResult) -> list[str]:
    """Return what is said below the tables: failures, scores, files and, if due, a warning."""
    best, summary = result.best, result.summary
    failed = len(result.trials) - len(result.ranking)
    spread = f" ± {best.score_std:.4f}, {len(best.scores)} trainings" if best.scores else ""
    lines = {
        "dev set": f"{summary.objective} {format_score(best.score)}{spread} "
        f"(trial {best.trial}, epoch {best.best_epoch})",
        "test set": f"{_metrics(result)} ({_times(result)})",
        "best model": result.directory / "best.keras",
        "results": result.directory / "results.csv",
        "history": result.directory / "history.csv",
        "record": result.directory,
    }
    said = [f"{name:<12}{value}" for name, value in lines.items()]
    if failed:
        said.insert(
            0, f"{failed} of {len(result.trials)} trials failed: see the messages in results."
        )
    return said + _warning(result)


def result_text(result: SearchResult, width: int | None = None) -> str:
    """Return tables and lines as plain text, the tables no wider than a terminal or ``width``."""
    text = io.StringIO()
    console = PlainConsole(file=text, width=width, color_system=None, force_terminal=False)
    for table in result_tables(result):
        console.print(table)
    for line in result_lines(result):
        console.print(line, highlight=False, soft_wrap=True)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def _metrics(result: SearchResult) -> str:
    """The test's metrics: what was searched for comes first, the loss last."""
    test, objective = result.summary.test, result.summary.objective
    order = sorted(test, key=lambda name: (name == "loss", f"val_{name}" != objective))
    return ", ".join(f"{name} {format_score(test[name])}" for name in order)


def _times(result: SearchResult) -> str:
    count = len(result.summary.measurements)
    return "measured once" if count <= 1 else f"measurement {count} on this test set"


def _warning(result: SearchResult) -> list[str]:
    measurements = result.summary.measurements
    if len(measurements) <= 1:
        return []
    trials = ", ".join(str(each.trial) for each in measurements)
    return [
        f"Warning: the test set has now been used {len(measurements)} times, for the best trials "
        f"{trials} as the search grew. If its scores decide when to stop, it is a second dev set: "
        "judge the final model on new data. summary.json has every measurement."
    ]
