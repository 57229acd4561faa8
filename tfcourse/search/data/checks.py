"""The check of a search's data before any training."""

from tfcourse.data.sources import check_source
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.description import DataDescription, describe
from tfcourse.search.data.folds import check_folds
from tfcourse.search.data.loading import is_local, load_split
from tfcourse.search.data.paths import data_path
from tfcourse.search.data.warnings import data_warnings

__all__ = ["check_data"]


def check_data(
    config: SearchConfig, decode: bool = True
) -> tuple[DataDescription | None, tuple[str, ...]]:
    """Load data that is in memory or in a file and check it; look only for the source of others.

    Args:
        config: The search.
        decode: Whether to decode files that are read later, such as images.

    Returns:
        The description of the data that was loaded, None of others, and warnings, a line each.

    Raises:
        InputError: As from `tfcourse.search.data.loading.load_split`, or there are fewer examples
            than folds.
    """
    if is_local(config.data, config.arrays) or (decode and config.is_streamed):
        split = load_split(config)
        check_folds(split, config)
        if decode and config.is_streamed:
            from tfcourse.search.data.streaming import check_files

            check_files(config)
        return describe(split, config), data_warnings(split, config)
    check_source(config.data.source, data_path(config.data))
    return None, ()
