"""The sets of a search's data, as its record says."""

from pathlib import Path

from tfcourse.search.store.data_record import read_data_record

__all__ = ["has_test_set"]


def has_test_set(directory: Path) -> bool:
    """Return False if the record of a run directory says that there is no test set."""
    record = read_data_record(directory)
    return record is None or any(name.startswith("test_") for name in record)
