"""The file beside a run directory that the workers of a search share."""

from pathlib import Path

from tfcourse.deletion import real_path

__all__ = ["shared_data"]


def shared_data(directory: Path) -> Path:
    """Return the file for data that was passed as arrays, while the search of a directory runs."""
    real = real_path(directory)
    return real.with_name(f".{real.name}.data")
