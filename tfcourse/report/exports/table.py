"""The trials of a search as a CSV file."""

from dataclasses import dataclass
from pathlib import Path

from tfcourse.errors import InputError
from tfcourse.files import write_atomically
from tfcourse.report.exports.export import Export
from tfcourse.search.records.trial_record import as_csv
from tfcourse.search.results.rows import rows_of
from tfcourse.search.results.search_record import SearchRecord

__all__ = ["TableExporter"]


@dataclass(frozen=True)
class TableExporter:
    """`tfcourse.results` as a CSV file.

    Attributes:
        record: The search.
        path: The file.
    """

    record: SearchRecord
    path: Path

    def check(self) -> None:
        """Raise InputError if the file can't be written."""
        if not self.path.parent.is_dir():
            raise InputError(f"--csv: the folder {self.path.parent} does not exist. Make it first.")
        if self.path.is_dir():
            raise InputError(f"--csv: {self.path} is a folder. Choose the path of a file.")

    def write(self) -> Export:
        """Write the file."""
        rows = rows_of(self.record)
        header = list(rows[0]) if rows else ["trial"]
        write_atomically(self.path, as_csv(header, [list(row.values()) for row in rows]))
        return Export("csv", str(self.path), len(rows))
