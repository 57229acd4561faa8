"""The beginning of a search: data and builder are checked, and the run directory is made."""

import logging
from collections.abc import Callable
from importlib.metadata import version

from tfcourse.console import printable
from tfcourse.data.splits import Split
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.folds import check_folds
from tfcourse.search.data.loading import load_split
from tfcourse.search.data.streaming import check_files
from tfcourse.search.data.warnings import data_warnings
from tfcourse.search.records.satisficing import judge
from tfcourse.search.runtime.preflight import preflight
from tfcourse.search.store.code_record import (
    check_same_code,
    code_changes,
    is_damaged,
    write_code_record,
)
from tfcourse.search.store.data_record import (
    check_unchanged,
    data_record,
    read_data_record,
    write_data_record,
)
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.strategies.study import Records

__all__ = ["prepare"]

LOG = logging.getLogger("tfcourse")
PACKAGES = ("tfcourse", "tensorflow", "keras", "keras-tuner", "numpy")


def prepare(
    config: SearchConfig,
    directory: RunDirectory,
    finished: Records,
    fresh: bool,
    accept_changes: bool,
    begins: Callable[[str], None] = lambda part: None,
) -> Split:
    """Check data and builder, write the first files of the run directory, and return the data.

    Args:
        config: The search.
        directory: Its run directory.
        finished: The trials on record.
        fresh: Whether to delete what the directory holds, once data and builder are checked.
        accept_changes: Whether to continue although the code of the models changed.
        begins: Called with "data" before the data is loaded, and with "model" before the first
            model is built.

    Raises:
        InputError: The data or the builder does not fit, or is not what the search began with.
    """
    begins("data")
    split = load_split(config)
    check_folds(split, config)
    for warning in data_warnings(split, config):
        LOG.warning("%s: [data] %s", config.origin, printable(warning))
    record = data_record(split)
    if not fresh:
        check_unchanged(directory.path, record, config)
    if (stored := read_data_record(directory.path)) is None or stored != record:
        check_files(config)
    begins("model")
    code = preflight(config, split)
    missing = [number for number in range(config.trials) if number not in finished]
    if not fresh and finished and missing and not accept_changes:
        check_same_code(directory.path, code)
    changes = [] if fresh else code_changes(directory.path, code)
    if fresh:
        directory.delete()
    else:
        _apply_limits(config, directory)
    directory.create(config.as_toml(), {name: version(name) for name in PACKAGES})
    write_data_record(directory.path, record)
    if missing or is_damaged(directory.path):
        if changes:
            directory.forget_all_checkpoints()  # of the models as they were
        accepted = changes if finished else ()
        write_code_record(directory.path, code, accepted, first_trial=(missing or [0])[0])
    return split


def _apply_limits(config: SearchConfig, directory: RunDirectory) -> None:
    """Write the status of the trials on record by the limits that the config has now."""
    for record in directory.read_trials().values():
        judged = judge(record, config.bounds)
        if judged != record:
            directory.write_trial(judged)
