"""A finished search, or a retest, as text: its trials, its scores, and where the record is."""

import io
from collections.abc import Iterable

from rich.console import RenderableType

from tfcourse.console import PlainConsole, one_line
from tfcourse.search.results.tables import best_table, format_score, retest_table, rounds_table
from tfcourse.search.store.code_record import changes_in_words
from tfcourse.search.store.result import Retest, SearchResult

__all__ = ["result_lines", "result_tables", "result_text", "retest_lines", "retest_text"]

# How many of the best trials are shown, and how much of the reason of one that failed.
SHOWN, LONGEST_REASON = 5, 200


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
        first = next(r for _, r in sorted(result.trials.items()) if r.status == "failed")
        said.insert(
            0,
            f"{failed} of {len(result.trials)} trials failed: see the messages in results. "
            f"Trial {first.trial}: {one_line(first.message, LONGEST_REASON)}",
        )
    return said + _warning(result) + _code_warning(result)


def result_text(result: SearchResult, width: int | None = None) -> str:
    """Return tables and lines as plain text, the tables no wider than a terminal or ``width``."""
    return _plain(result_tables(result), result_lines(result), width)


def retest_text(found: Retest, width: int | None = None) -> str:
    """Return what ``tfcourse retest`` shows as plain text."""
    return _plain([retest_table(found)], retest_lines(found), width)


def retest_lines(found: Retest) -> list[str]:
    """Return what is said below the table: the data, failures, the order, the scores, the file."""
    said = [f"Trial {trial.trial} failed: {one_line(trial.message)}" for trial in found.failed]
    if found.same_data is not None:
        kept = "the same as" if found.same_data else "another than"
        said.insert(0, f"The data is {kept} when the search began.")
    if found.swapped == 0:
        which = "order of the others" if found.failed else "order"
        said.append(f"The {which} holds.")
    else:
        best = "still is" if found.best_holds else "no longer is"
        said.append(
            f"The order does not hold: {found.swapped} of {found.pairs} pairs of trials are "
            f"the other way round. Trial {found.trials[0].trial} {best} the best."
        )
    return [*said, _scores(found), f"{'retest':<12}{found.file}"]


def _scores(found: Retest) -> str:
    """What the retest says of the scores themselves."""
    most = found.moved_most
    others = " of the others" if found.failed else ""
    if most is None:
        return f"Every score{others} is the same."
    moved = (
        f"trial {most.trial} from {format_score(most.old_score)} to {format_score(most.new_score)} "
        f"({most.change:+.4g})"
    )
    beyond = found.beyond_chance
    if beyond and most.chance == 0:
        return (
            f"The scores do not hold: {len(beyond)} of {len(found.trials)} changed, most of all "
            f"{moved}. Data and seed are the same: the code, the versions or the machine differ."
        )
    if beyond:
        return (
            f"The scores do not hold: {len(beyond)} of {len(found.trials)} changed by more than "
            f"chance explains (two standard deviations); the largest change is {moved}."
        )
    if any(trial.change and trial.chance is None for trial in found.trials):
        return (
            f"The largest change of a score{others}: {moved}. How far chance alone moves a score "
            "is not known from this search; [training] repeats or folds would tell."
        )
    return (
        f"The scores{others} hold: no change is more than chance explains; the largest is {moved}."
    )


def _plain(tables: Iterable[RenderableType], lines: Iterable[str], width: int | None) -> str:
    text = io.StringIO()
    console = PlainConsole(file=text, width=width, color_system=None, force_terminal=False)
    for table in tables:
        console.print(table)
    for line in lines:
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


def _code_warning(result: SearchResult) -> list[str]:
    if not result.code_changes:
        return []
    changed = changes_in_words(result.code_changes)
    return [f"Warning: {changed} The result is the old code's; --fresh searches with today's."]


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
