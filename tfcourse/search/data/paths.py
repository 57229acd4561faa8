"""The path of a search's data, which a function of the user's may return."""

import functools
from contextlib import chdir
from pathlib import Path

from tfcourse.errors import InputError, error_text
from tfcourse.imports import exit_as_error, load_function
from tfcourse.search.config.data import is_function_name
from tfcourse.search.config.tables import DataTable

__all__ = ["data_path"]


def data_path(data: DataTable) -> Path | None:
    """Return the file, folder or pattern of the data; None for a source without one.

    Raises:
        InputError: A function returns it, and fails or returns something else.
    """
    if data.path is None:
        return None
    return _returned(data.path) if is_function_name(data.path) else Path(data.path)


@functools.cache
def _returned(name: str) -> Path:
    """Return what ``package.module:function`` returns; it is called once in a process."""
    function = load_function(name, "path")
    try:
        with chdir("."), exit_as_error():
            path = function()
    except Exception as error:
        raise InputError(f"path: {name} failed: {error_text(error)}") from error
    if not isinstance(path, str | Path):
        raise InputError(
            f"path: {name} must return a path, a str or a pathlib.Path. Received: "
            f"{type(path).__name__}."
        )
    return Path(path).absolute()
