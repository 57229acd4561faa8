"""The trials of a search as event files for TensorBoard."""

from dataclasses import dataclass
from pathlib import Path

from tfcourse.report.exports.export import Export
from tfcourse.search.results.search_record import SearchRecord
from tfcourse.search.results.tensorboard import folder_of_record

__all__ = ["TensorBoardExporter"]


@dataclass(frozen=True)
class TensorBoardExporter:
    """The files that `tfcourse.search.results.tensorboard` describes.

    Attributes:
        record: The search.
        path: The folder.
    """

    record: SearchRecord
    path: Path

    def check(self) -> None:
        """Raise InputError if the folder is another search's, or has other files."""
        folder_of_record(self.record, self.path, "--tensorboard").check()

    def write(self) -> Export:
        """Write the files that are missing or old."""
        folder_of_record(self.record, self.path, "--tensorboard").sync(self.record.trials)
        return Export("tensorboard", str(self.path), len(self.record.trials))
