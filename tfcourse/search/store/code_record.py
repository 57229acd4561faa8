"""Hashes of the code that builds a search's models: ``code.json`` in its run directory."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tfcourse.errors import InputError
from tfcourse.search.code.model_config import hash_of_config
from tfcourse.search.code.sources import sources_of
from tfcourse.search.config.callbacks import callback_entries
from tfcourse.search.config.parts import is_own, load_part
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.store.reading import read_json_as, write_json
from tfcourse.types import Hyperparameters, KerasModel

__all__ = [
    "changes_in_words",
    "check_same_code",
    "code_changes",
    "code_record",
    "is_damaged",
    "quick_code_changes",
    "write_code_record",
]

_NAME = "code.json"
# The most changes that a message names.
_MOST_NAMED = 5
ADVICE = (
    "Its trials would be of different models. Undo the change, start over with --fresh, choose "
    "another --out or another name, or continue with --accept-changes (in Python "
    "accept_changes=True)."
)


@dataclass(frozen=True)
class CodeRecord:
    """The contents of ``code.json``.

    Attributes:
        source: A hash of each function's and class's source, by name.
        model: A hash of the first model's configuration, and what else that depends on.
        accepted: The changes of the code that were accepted, and the first trial with each.
    """

    source: Mapping[str, str]
    model: Mapping[str, Any] = field(default_factory=dict)
    accepted: Sequence[Any] = ()


def code_record(
    config: SearchConfig,
    values: Hyperparameters | None = None,
    model: KerasModel | None = None,
    complete: bool = True,
) -> CodeRecord:
    """Return hashes of the source of all parts of one's own, and of a model's configuration.

    It has nothing for tfcourse's own builders and metrics, nor for installed packages, whose
    versions are in ``versions.json``.

    Args:
        config: The search.
        values: The hyperparameters of the model.
        model: The first model that can be built.
        complete: As for `tfcourse.search.code.sources.sources_of`.
    """
    entries = [("loss", output.loss) for output in config.outputs if output.loss is not None]
    entries += [("metrics", metric) for output in config.outputs for metric in output.all_metrics]
    entries += [("callbacks", entry) for entry, _ in callback_entries(config.training)]
    functions = [load_part(entry, key, config.objects) for key, entry in entries if is_own(entry)]
    source: dict[str, str] = {}
    for source_object in (config.builder.source_object, *functions):
        source |= sources_of(source_object, complete)
    digest = hash_of_config(model) if source and model is not None else None
    if digest is None:
        return CodeRecord(source)
    versions = {name: version(name) for name in ("tfcourse", "keras")}
    return CodeRecord(source, {"sha256": digest, **versions, "values": dict(values or {})})


def code_changes(directory: Path, record: CodeRecord, complete: bool = True) -> list[str]:
    """Return the changes since the search began, in words; none if the code isn't on record.

    Args:
        directory: The run directory.
        record: Today's `code_record`.
        complete: False to compare only the names that both records have.
    """
    stored = _read(directory)
    if stored is None:
        return []
    old, new = stored.source, record.source
    names = {*old, *new} if complete else {*old} & {*new}
    # Earlier versions recorded Keras's own source too, for a loss that is an object of Keras's.
    names = {name for name in names if not name.startswith("keras.")}
    changed = [_change(name, old.get(name), new.get(name)) for name in sorted(names)]
    changes = [change for change in changed if change]
    model, other = stored.model, record.model
    # With other versions or values the same code makes another configuration.
    comparable = {*model} == {*other} and {n for n in model if model[n] != other[n]} == {"sha256"}
    if not changes and comparable:
        return [f"the configuration of the model that the builder makes of {other['values']}"]
    return changes


def quick_code_changes(directory: Path, config: SearchConfig) -> list[str]:
    """Return those `code_changes` that can be found without building a model.

    Args:
        directory: The run directory.
        config: The search.
    """
    try:
        record = code_record(config, complete=False)
    except InputError:  # a module of the user's is missing
        return []
    return code_changes(directory, record, complete=False)


def check_same_code(directory: Path, record: CodeRecord, advice: str = ADVICE) -> None:
    """Raise InputError if the code of the models changed since the search began.

    Args:
        directory: The run directory.
        record: Today's `code_record`.
        advice: The end of the message: the remedies.
    """
    if changes := code_changes(directory, record):
        raise InputError(f"{directory}: {changes_in_words(changes)} {advice}")


def changes_in_words(changes: Sequence[str]) -> str:
    """Return a sentence that names the first few changes."""
    more = f" and {len(changes) - _MOST_NAMED} more" if len(changes) > _MOST_NAMED else ""
    return (
        f"the code of the models changed since the search began ({', '.join(changes[:_MOST_NAMED])}"
        f"{more})."
    )


def write_code_record(
    directory: Path, record: CodeRecord, accepted: Sequence[str] = (), first_trial: int = 0
) -> None:
    """Write ``code.json`` into a run directory.

    Args:
        directory: The run directory.
        record: Today's `code_record`.
        accepted: The changes that were accepted.
        first_trial: The first trial with them.
    """
    stored = _read(directory)
    changes = [*stored.accepted] if stored is not None else []
    if accepted:
        changes.append({"first_trial": first_trial, "changed": list(accepted)})
    fields = asdict(replace(record, accepted=changes)).items()
    write_json(directory / _NAME, {n: value for n, value in fields if value or n == "source"})


def is_damaged(directory: Path) -> bool:
    """Return True if there is a ``code.json`` that can't be read.

    A search of an earlier version has none, and is intact.
    """
    return (directory / _NAME).exists() and _read(directory) is None


def _change(name: str, old: str | None, new: str | None) -> str | None:
    if old is None or new is None:
        return f"{name} is {'new' if old is None else 'no longer used'}"
    # Bytecode of other versions of Python can't be compared.
    if old == new or (":" in old + new and old.partition(":")[0] != new.partition(":")[0]):
        return None
    return f"{name} changed"


def _read(directory: Path) -> CodeRecord | None:
    """Return the record; None if there is none that can be read."""
    return read_json_as(directory / _NAME, CodeRecord)
