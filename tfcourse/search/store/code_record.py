"""The code that a search's models come from: ``code.json`` in its run directory."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tfcourse.errors import InputError
from tfcourse.files import write_atomically
from tfcourse.imports import load_function
from tfcourse.search.code.model_config import hash_of_config
from tfcourse.search.code.sources import sources_of
from tfcourse.search.config.search_config import SearchConfig

__all__ = [
    "changes_in_words",
    "check_same_code",
    "code_changes",
    "code_changes_at_hand",
    "code_record",
    "is_damaged",
    "write_code_record",
]

_NAME = "code.json"
_SHOWN = 5
ADVICE = (
    "Its trials would be of different models. Undo the change, start over with --fresh, choose "
    "another --out or another name, or go on all the same with --accept-changes (in Python "
    "accept_changes=True)."
)


def code_record(
    config: SearchConfig,
    values: Mapping[str, Any] | None = None,
    model: Any = None,
    complete: bool = True,
) -> dict[str, Any]:
    """Return hashes of the builder's and the metrics' source, and of a model's configuration.

    Nothing of it is kept of tfcourse's own builders and metrics, nor of installed packages:
    ``versions.json`` has the versions.

    Args:
        config: The search.
        values: The hyperparameters of the model.
        model: The first model that can be built.
        complete: As for `tfcourse.search.code.sources.sources_of`.
    """
    metrics = [load_function(m, "metrics") for m in config.training.metrics if ":" in m]
    source: dict[str, str] = {}
    for source_object in (config.builder.source_object, *metrics):
        source |= sources_of(source_object, complete)
    record: dict[str, Any] = {"source": source}
    digest = hash_of_config(model) if source and model is not None else None
    if digest is not None:
        made = {name: version(name) for name in ("tfcourse", "keras")} | {
            "values": dict(values or {})
        }
        record["model"] = {"sha256": digest, **made}
    return record


def code_changes(directory: Path, record: Mapping[str, Any], complete: bool = True) -> list[str]:
    """Return what changed since the search began, in words; nothing if that isn't on record.

    Args:
        directory: The run directory.
        record: Today's `code_record`.
        complete: Whether it is whole; otherwise only what both have is compared.
    """
    stored = _read(directory)
    if stored is None:
        return []
    old, new = stored["source"], record["source"]
    names = {*old, *new} if complete else {*old} & {*new}
    changed = [_change(name, old.get(name), new.get(name)) for name in sorted(names)]
    changes = [change for change in changed if change]
    model, other = stored.get("model", {}), record.get("model", {})
    # Other versions, or other values, make another configuration of the same code.
    comparable = {*model} == {*other} and {n for n in model if model[n] != other[n]} == {"sha256"}
    if not changes and comparable:
        return [f"the configuration of the model that the builder makes of {other['values']}"]
    return changes


def code_changes_at_hand(config: SearchConfig, directory: Path) -> list[str]:
    """Return `code_changes`, as far as they can be told without building a model."""
    try:
        record = code_record(config, complete=False)
    except InputError:  # a metric of one's own is gone
        return []
    return code_changes(directory, record, complete=False)


def check_same_code(directory: Path, record: Mapping[str, Any], advice: str = ADVICE) -> None:
    """Refuse to go on with a search whose models come from other code than they did.

    Args:
        directory: The run directory.
        record: Today's `code_record`.
        advice: How to go on.

    Raises:
        InputError: The code changed.
    """
    if changes := code_changes(directory, record):
        raise InputError(f"{directory}: {changes_in_words(changes)} {advice}")


def changes_in_words(changes: Sequence[str]) -> str:
    """Return a sentence that names the first few changes."""
    more = f" and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
    return (
        f"the code of the models changed since the search began ({', '.join(changes[:_SHOWN])}"
        f"{more})."
    )


def write_code_record(
    directory: Path, record: Mapping[str, Any], accepted: Sequence[str] = (), first_trial: int = 0
) -> None:
    """Write ``code.json`` into a run directory.

    Args:
        directory: The run directory.
        record: Today's `code_record`.
        accepted: The changes that were accepted.
        first_trial: The first trial with them.
    """
    known = (_read(directory) or {}).get("accepted", [])
    if accepted:
        known = [*known, {"first_trial": first_trial, "changed": list(accepted)}]
    text = json.dumps({**record, **({"accepted": known} if known else {})}, indent=2)
    write_atomically(directory / _NAME, text + "\n")


def is_damaged(directory: Path) -> bool:
    """Return True if there is a ``code.json`` that can't be read.

    A search of an earlier version has none, and is whole.
    """
    return (directory / _NAME).exists() and _read(directory) is None


def _change(name: str, old: str | None, new: str | None) -> str | None:
    if old is None or new is None:
        return f"{name} is {'new' if old is None else 'no longer used'}"
    # Bytecode of other versions of Python can't be compared.
    if old == new or (":" in old + new and old.partition(":")[0] != new.partition(":")[0]):
        return None
    return f"{name} changed"


def _read(directory: Path) -> dict[str, Any] | None:
    """Return the record; None if there is none that can be read."""
    try:
        stored = json.loads((directory / _NAME).read_text(encoding="utf-8"))
        is_whole = isinstance(stored["source"], dict) and isinstance(stored.get("model", {}), dict)
        is_whole = is_whole and isinstance(stored.get("accepted", []), list)
        is_whole = is_whole and all(isinstance(each, str) for each in stored["source"].values())
        return stored if is_whole else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
