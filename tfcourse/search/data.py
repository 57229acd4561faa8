"""A search's data, as its config says; errors name the table."""

from pathlib import Path

from tfcourse.data.sources import check_source, load
from tfcourse.data.splits import Split, stratified_split
from tfcourse.errors import InputError
from tfcourse.search.config import SearchConfig

__all__ = ["check_data", "load_split"]


def load_split(config: SearchConfig) -> Split:
    """Loads, checks and splits the examples.

    Raises:
        InputError: The source, its file, its shapes, values or labels are wrong.
    """
    data = config.data
    try:
        whole, classes = load(data.source, _path(config), data.label)
        return stratified_split(whole, data.split, classes, data.seed)
    except InputError as error:
        raise InputError(f"{config.origin}: [data] {error}") from error


def check_data(config: SearchConfig) -> None:
    """`load_split` for a file of one's own; for other sources only whether they can be had.

    Raises:
        InputError: As `load_split`.
    """
    if config.data.source in ("npz", "csv"):
        load_split(config)
    else:
        check_source(config.data.source, _path(config))


def _path(config: SearchConfig) -> Path | None:
    return Path(config.data.path) if config.data.path else None
