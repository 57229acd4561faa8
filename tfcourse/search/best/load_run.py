"""``load_run``: the best model of a search, or another trial's, from its run directory."""

from pathlib import Path
from typing import TYPE_CHECKING

from tfcourse.errors import InputError, WorkFailedError
from tfcourse.files import translate_disk_errors
from tfcourse.imports import load_function, search_modules_in
from tfcourse.search.best.trial import model_file, trial_on_record
from tfcourse.search.config.load import load_config
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.compilation import compile_as_searched
from tfcourse.search.results.search_record import read_record
from tfcourse.search.store.errors import lost_model
from tfcourse.search.store.reading import class_names, column_names
from tfcourse.types import KerasModel

if TYPE_CHECKING:
    from tfcourse.search.best.predictor import Predictor

__all__ = ["load_run"]


@translate_disk_errors()
def load_run(directory: str | Path, trial: int | None = None) -> "Predictor":
    """Load the model of a search, to predict with it.

    Neither the data nor, unless the model has layers of your own, the builder is needed.

    ``tfcourse.load_run("runs/digits").predict_classes(x)``

    Args:
        directory: The run directory.
        trial: The number of a trial; None for the best one of a finished search. A search with
            ``checkpoints = "all"`` keeps the model of every trial.

    Returns:
        A `tfcourse.search.best.predictor.Predictor`, with ``predict``, ``predict_classes``,
        ``evaluate``, ``model``, ``values`` and ``score``.

    Raises:
        InputError: It is not a run directory, its search is not finished, or there is no such
            trial, or no model of it.
        WorkFailedError: The model is lost, damaged or can't be loaded.
    """
    path = Path(directory)
    search = read_record(path)
    record = trial_on_record(search, trial)
    file, summary = model_file(path, record.trial), search.summary
    if file is None and summary is not None and summary.trial == record.trial:
        raise lost_model(path / "best.keras", record.trial)
    if trial is None and search.result is None:
        loading = f"load_run({str(path)!r}, trial={record.trial}) loads the best model so far."
        raise InputError(
            f"{path} holds no finished search. {search.counts_in_words()} {search.advice()} "
            f"{loading if file else ''}".rstrip()
        )
    if file is None:
        raise InputError(_without_model(path, record))
    config = load_config(path / "config.toml", recorded=True)
    # A record is checked without TensorFlow.
    from tfcourse.search.best.predictor import Predictor

    model = _load(file, config)
    compile_as_searched(model, path, record.values, config)
    names = class_names(path), column_names(path)
    values, score = dict(record.values), record.score
    return Predictor(path, record.trial, values, score, config.targets, *names, model)


def _without_model(path: Path, record: TrialRecord) -> str:
    """Return the message for a trial whose model is not on disk."""
    if record.status == "failed":
        return f"{path}: trial {record.trial} failed, it has no model: {record.message}"
    return (
        f"{path}: the model of trial {record.trial} is not on disk. A search with [search] "
        f'checkpoints = "all" keeps every model; tfcourse best {path} --trial {record.trial} '
        "prints a program that trains it again."
    )


def _load(file: Path, config: SearchConfig) -> KerasModel:
    """Load a model; the module of the builder is imported if Keras lacks a class."""
    from tfcourse.models.saving import load_model, why_not_loadable

    builder = config.model.builder
    errors = (OSError, TypeError, ValueError)
    try:
        try:
            return load_model(file)
        except errors:
            if ":" not in builder or "<" in builder:
                raise
        if config.search.modules is not None:
            search_modules_in(Path(config.search.modules))
        load_function(builder, "builder")
        return load_model(file)
    except InputError:
        raise
    except errors as error:
        raise WorkFailedError(f"{file}: the {why_not_loadable(error)}") from error
