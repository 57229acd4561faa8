"""The trials of a search as a project of keras-tuner's."""

from dataclasses import dataclass
from pathlib import Path

from tfcourse.report.exports.export import Export
from tfcourse.search.results.keras_tuner_project import check_project, write_project
from tfcourse.search.results.search_record import SearchRecord

__all__ = ["KerasTunerExporter"]


@dataclass(frozen=True)
class KerasTunerExporter:
    """The project that `tfcourse.search.engine.project` describes.

    Attributes:
        record: The search.
        path: The folder, keras-tuner's ``directory`` and ``project_name``.
    """

    record: SearchRecord
    path: Path

    def check(self) -> None:
        """Raise InputError if the folder has other files, or a search of keras-tuner went on."""
        check_project(self.record, self.path, "--keras-tuner")

    def write(self) -> Export:
        """Write the project."""
        note = write_project(self.record, self.path)
        return Export("keras-tuner", str(self.path), len(self.record.trials), note=note)
