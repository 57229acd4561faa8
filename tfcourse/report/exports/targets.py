"""The exports that a command asks for."""

from pathlib import Path

from tfcourse.errors import InputError
from tfcourse.report.exports.event_files import TensorBoardExporter
from tfcourse.report.exports.export import Exporter
from tfcourse.report.exports.optuna_study import OptunaExporter
from tfcourse.report.exports.project import KerasTunerExporter
from tfcourse.report.exports.table import TableExporter
from tfcourse.search.results.search_record import read_record

__all__ = ["exporters"]


def exporters(
    directory: Path,
    csv: Path | None = None,
    tensorboard: Path | None = None,
    keras_tuner: Path | None = None,
    optuna: str | None = None,
) -> list[Exporter]:
    """Return the exports of a search, checked; None for what is not asked for.

    Args:
        directory: The run directory; the search may be unfinished.
        csv: A file.
        tensorboard: A folder for event files.
        keras_tuner: A folder for a project of keras-tuner's.
        optuna: The address of a database for a study.

    Raises:
        InputError: It is not a run directory, or a target can't be written.
    """
    folders = [path.resolve() for path in (tensorboard, keras_tuner) if path is not None]
    if len(set(folders)) < len(folders):
        raise InputError("--tensorboard and --keras-tuner have the same folder. Choose another.")
    record = read_record(directory)
    found: list[Exporter] = []
    found += [] if csv is None else [TableExporter(record, csv)]
    found += [] if tensorboard is None else [TensorBoardExporter(record, tensorboard)]
    found += [] if keras_tuner is None else [KerasTunerExporter(record, keras_tuner)]
    found += [] if optuna is None else [OptunaExporter(record, optuna)]
    for exporter in found:
        exporter.check()
    return found
