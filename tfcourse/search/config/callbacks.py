"""The callbacks of ``[training]``: Keras's by name, or one's own."""

from collections.abc import Mapping
from typing import Any

from tfcourse.errors import InputError, one_of
from tfcourse.search.config.parts import Objects, is_own, load_part
from tfcourse.search.config.tables import TrainingTable

__all__ = ["KERAS_CALLBACKS", "adds_to_logs", "callback_entries", "validate_callbacks"]

# Keras's callbacks that a config can describe; the others take functions.
KERAS_CALLBACKS = (
    "CSVLogger",
    "EarlyStopping",
    "ModelCheckpoint",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
)


def callback_entries(training: TrainingTable) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the names of the callbacks, each with the arguments in its table."""
    entries = training.callbacks or []
    if isinstance(entries, Mapping):
        return [*entries.items()]
    return [(entry, {}) for entry in entries]


def adds_to_logs(training: TrainingTable) -> bool:
    """Return True if a callback is not one of Keras's alone: it may add any name to the logs."""
    return any(
        is_own(entry) and (not entry.startswith("keras.") or "LambdaCallback" in entry)
        for entry, _ in callback_entries(training)
    )


def validate_callbacks(training: TrainingTable, objects: Objects, recorded: bool) -> list[str]:
    """Return a line for each callback that there is not.

    Args:
        training: ``[training]``.
        objects: The objects that `tfcourse.Search` was passed, by their names.
        recorded: True to import no module of the user's.
    """
    problems = []
    for entry, _ in callback_entries(training):
        if not is_own(entry):
            if entry not in KERAS_CALLBACKS:
                choices = [*KERAS_CALLBACKS, "package.module:function"]
                problems.append(one_of("[training] callbacks", entry, choices))
        elif not recorded:
            try:
                load_part(entry, "callbacks", objects)
            except InputError as error:
                problems.append(f"[training] {error}")
    return problems
