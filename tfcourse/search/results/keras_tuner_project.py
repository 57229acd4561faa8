"""A search on record as a project on disk that stock keras-tuner reloads."""

import hashlib
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tfcourse.errors import InputError, message_line
from tfcourse.search.results.export_folder import check_folder, sign_folder
from tfcourse.search.results.search_record import SearchRecord
from tfcourse.search.store.directory import RunDirectory
from tfcourse.types import KerasModel

if TYPE_CHECKING:
    from tfcourse.search.engine.project import Project

__all__ = ["check_project", "weights_in_words", "write_project"]

STATE = "oracle.json"


def check_project(record: SearchRecord, path: Path, option: str) -> None:
    """Raise InputError if a folder has other files, or if keras-tuner has continued its project.

    Args:
        record: The search.
        path: The folder.
        option: The name of the option, for the message.
    """
    owner = check_folder(path, record.directory, record.identity, option)
    if owner and owner.get("sha256") != _digest(path):
        raise InputError(
            f"{option}: {path} has changed since tfcourse wrote it. Choose another folder."
        )


def write_project(record: SearchRecord, path: Path) -> str:
    """Write a project beside its place and move it there; return a line about its weights."""
    from tfcourse.search.engine.project import Project

    path = path.resolve()  # a link can't be replaced by a folder
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    trials = max([record.planned or 1, *(number + 1 for number in record.trials)])
    seed = record.tables.get("search", {}).get("seed", 0) + 1  # 0 is none to keras-tuner
    try:
        project = Project(part, record.space, record.objective, record.direction, trials, seed)
        project.write(record.trials.values())
        line = _write_weights(project, record)
        sign_folder(part, record.directory, record.identity, sha256=_digest(part))
        if path.exists():
            shutil.rmtree(path)
        part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return line


def _write_weights(project: "Project", record: SearchRecord) -> str:
    """Write the weights of the best model, and return a line about them."""
    trial = RunDirectory(record.directory).best_trial()
    if trial is None or trial not in {ranked.trial for ranked in record.ranking}:
        return "Without weights: the search has no best model."
    try:
        project.write_weights(trial, _best_model(record))
    except (OSError, TypeError, ValueError) as error:
        return f"Without weights: {message_line(error)}"
    return weights_in_words(record, trial)


def weights_in_words(record: SearchRecord, trial: int) -> str:
    """Return the line about the weights of the best trial, which are in the project."""
    equal = [other for other in record.ranking if other.score == record.trials[trial].score]
    line = f"With the weights of trial {trial}, and of no other."
    if len(equal) > 1:
        line += f" keras-tuner may choose another one of the {len(equal)} with the best score."
    return line


def _best_model(record: SearchRecord) -> KerasModel:
    """Return the model as the builder built it."""
    from tfcourse.models.saving import load_model

    model: KerasModel = load_model(RunDirectory(record.directory).best)
    if record.tables.get("data", {}).get("normalize", "none") != "none":
        model = model.layers[-1]  # the scaling is in front
    return model


def _digest(folder: Path) -> str:
    """Return a hash of the oracle's state, which changes with each of its trials."""
    try:
        return hashlib.sha256((folder / STATE).read_bytes()).hexdigest()
    except OSError:
        return ""
