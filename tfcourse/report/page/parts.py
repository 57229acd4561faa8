"""The parts of the page that are text: its header, its tables, and how to repeat the search."""

from pathlib import Path

from tfcourse.page.markup import card, element, items, section, table, text
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.findings import with_run_directory
from tfcourse.search.results.outcomes import reason_without_best
from tfcourse.search.results.search_record import SearchRecord
from tfcourse.search.results.sets import has_test_set
from tfcourse.search.results.snapshot import duration_in_words
from tfcourse.search.results.tables import epochs_in_words, format_score, format_value

__all__ = ["best_section", "failures_section", "findings_section", "header", "origin_section"]

# Rows of the tables, and numbers of trials in one cell.
MOST_TRIALS, MOST_REASONS, MOST_NUMBERS = 10, 50, 12


def header(record: SearchRecord) -> str:
    """Return the title, the kind of the search, and its most important numbers."""
    strategy = record.tables.get("search", {}).get("strategy", "")
    order = "higher" if record.direction == "max" else "lower"
    named = "" if not strategy else f" ({strategy})"
    kind = f"A search{named} for {record.objective}, {order} is better"
    for objective in record.objectives[1:]:
        order = "higher" if objective.direction == "max" else "lower"
        kind += f"; and {objective.name}, {order} is better"
    state = "" if record.result is not None else f" {record.counts_in_words()} It is not finished."
    cards = [_best_card(record), *_test_card(record), _trials_card(record), _time_card(record)]
    return (
        element("h1", text(record.name))
        + element("p", text(f"{kind}.{state}"), class_="kind")
        + element("dl", "".join(cards), class_="cards")
        + _values(record)
    )


def _values(record: SearchRecord) -> str:
    """Return the values of the best trial."""
    if record.best is None:
        return ""
    lines = [f"{name} {format_value(value, 40)}" for name, value in record.best.values.items()]
    return items(lines, "values")


def _best_card(record: SearchRecord) -> str:
    if record.best is None:
        return card("Best score", "–", reason_without_best(record.trials))
    spread = record.best.score_std
    value = format_score(record.best.score) + ("" if spread is None else f" ± {spread:.4f}")
    epoch = "" if record.best.best_epoch is None else f", {epochs_in_words(record.best)}"
    return card(
        f"Best {record.objective}", value, f"trial {record.best.trial}{epoch}", class_="large best"
    )


def _test_card(record: SearchRecord) -> list[str]:
    """Return the card of the test set, or none for a search without one."""
    if record.summary is None:
        tested = has_test_set(record.directory)
        return [card("Test set", "–", "not measured yet")] if tested else []
    if not record.summary.test:
        return []
    objective = record.objective.removeprefix("val_")
    test = dict(record.summary.test)
    first = objective if objective in test else next(iter(test))
    others = ", ".join(f"{n} {format_score(v)}" for n, v in test.items() if n != first)
    times = len(record.summary.measurements)
    measured = f"measured {times} times" if times > 1 else "measured once"
    return [card(f"Test {first}", format_score(test[first]), others, measured)]


def _trials_card(record: SearchRecord) -> str:
    counts = [f"{count} {status}" for status, count in record.counts.items() if count]
    planned = record.planned if record.result is None else None
    of = "" if planned is None else f" of {planned}"
    return card("Trials", f"{len(record.trials)}{of}", ", ".join(counts))


def _time_card(record: SearchRecord) -> str:
    seconds = sum(trial.seconds for trial in record.trials.values())
    mean = seconds / max(1, len(record.trials))
    each = f"{duration_in_words(mean, 1)} each on average"
    return card("Time of all trials", duration_in_words(seconds, 1), each)


def findings_section(record: SearchRecord) -> str:
    """Return the findings, the damage of the record, and the way to continue it."""
    lines = [*with_run_directory(record.findings, record.directory), *record.problems]
    if record.result is None:
        lines.append(record.advice())
    lines = lines or ["The trials give no sign that space or budget should be another one."]
    return section("findings", "Findings", items(lines, "findings"))


def best_section(record: SearchRecord) -> str:
    """Return the best trials as a table."""
    trials = record.ranking[:MOST_TRIALS]
    if not trials:
        return ""
    names = [name for name in record.space if any(name in trial.values for trial in trials)]
    names += [n for n in dict.fromkeys(n for t in trials for n in t.values) if n not in names]
    rows = []
    for trial in trials:
        spread = "" if trial.score_std is None else f" ± {trial.score_std:.4f}"
        cells = [str(trial.trial), format_score(trial.score) + spread, str(trial.best_epoch)]
        cells += [format_value(trial.values.get(name), 40) for name in names]
        row = "".join(element("td", text(cell), class_="number") for cell in cells)
        rows.append(element("tr", row, class_="best" if trial is record.best else "other"))
    caption = f"The {len(trials)} best of {len(record.ranking)} completed trials"
    columns = ["trial", record.objective, "epoch", *names]
    return section("best", "Best trials", table(caption, columns, rows))


def failures_section(record: SearchRecord) -> str:
    """Return the trials that can't be the best, by status and reason; nothing without any."""
    groups: dict[tuple[str, str], list[TrialRecord]] = {}
    for _, trial in sorted(record.trials.items()):
        if trial.status != "completed":
            groups.setdefault((trial.status, trial.message), []).append(trial)
    if not groups:
        return ""
    largest = sorted(groups.items(), key=lambda group: -len(group[1]))
    rows = [_group_row(*key, trials) for key, trials in largest[:MOST_REASONS]]
    count = sum(map(len, groups.values()))
    caption = f"{count} of {len(record.trials)} trials, by reason"
    if len(groups) > MOST_REASONS:
        caption += f"; {MOST_REASONS} of {len(groups)} reasons, all are in results.csv"
    statuses = {status for status, _ in groups}
    title = "Failed trials" if statuses == {"failed"} else "Trials that did not complete"
    title = "Trials that can't be the best" if "infeasible" in statuses else title
    columns = ["status", "number", "trials", "reason", "values of the first"]
    return section("failures", title, table(caption, columns, rows))


def _group_row(status: str, message: str, trials: list[TrialRecord]) -> str:
    numbers = ", ".join(str(trial.trial) for trial in trials[:MOST_NUMBERS])
    numbers += ", …" if len(trials) > MOST_NUMBERS else ""
    values = ", ".join(f"{n} {format_value(v, 30)}" for n, v in trials[0].values.items())
    cells = [
        element("td", text(status), class_=status),
        element("td", str(len(trials)), class_="number"),
        element("td", text(numbers), class_="numbers"),
        element("td", text(message[:1000] or "–"), class_="text"),
        element("td", text(values), class_="text"),
    ]
    return element("tr", "".join(cells))


def origin_section(record: SearchRecord, config: str) -> str:
    """Return the command that repeats the search, its seed, its versions and its config.

    Args:
        record: The search.
        config: The text of its config.
    """
    again = record.command(Path("runs-again"))
    seed = record.tables.get("search", {}).get("seed", "–")
    versions = {n: v for n, v in record.versions.items() if n != "search"}
    rows = (
        element("tr", element("th", text(name), scope="row") + element("td", text(version)))
        for name, version in versions.items()
    )
    parts = [
        element("p", text("The same trials again, in another folder:"), class_="note"),
        element("pre", text(again), class_="command"),
        element("p", text(f"Seed {seed}. The record is {record.directory}."), class_="note"),
    ]
    if config:
        summary = element("summary", text("The config with all defaults"))
        parts.append(element("details", summary + element("pre", text(config))))
    if versions:
        summary = element("summary", text("The versions of the packages"))
        parts.append(element("details", summary + table("Versions", ["package", "version"], rows)))
    return section("origin", "How to repeat it", *parts)
