"""The sets of a search whose rows are read from Parquet files batch by batch."""

from dataclasses import replace

from tfcourse.data.splits import Split
from tfcourse.data.streams.parquet_streams import streams_of
from tfcourse.data.streams.row_groups import row_groups
from tfcourse.data.streams.row_survey import survey_rows
from tfcourse.data.tables.columns import Column, Columns
from tfcourse.search.config.column_tables import table_options
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.paths import data_path
from tfcourse.search.data.targets import encode_targets

__all__ = ["split_of_row_groups"]

# The examples among which the next ones are drawn, if the config says nothing.
BUFFER = 10_000


def split_of_row_groups(config: SearchConfig) -> Split:
    """Return the sets, after one pass over all rows.

    Raises:
        InputError: A file can't be read, or its columns are not usable.
    """
    data, loss = config.data, config.training.loss
    path = data_path(data)
    assert path is not None  # checked with the config
    assert isinstance(loss, str), "checked with the settings of streamed data"
    numbers = config.targets == "numbers"
    rows = row_groups(path, data.label, table_options(data), data.split, data.seed, numbers)
    survey = survey_rows(rows, numbers, data.missing == "drop")
    streams = streams_of(survey, data.shuffle_buffer or BUFFER)
    features = tuple(Column(name, "number") for name in rows.features)
    total = sum(group.rows for group in rows.groups)
    origin = [f"{path}: {total} rows in {len(rows.groups)} row groups of {rows.files} files"]
    if survey.incomplete:
        origin.append(f"values are missing: {survey.incomplete} of {total} rows are left out")
    columns = Columns(
        features, rows.label, data.missing, origin=tuple(origin), ranges=survey.ranges
    )
    outputs = len(survey.levels) or 1
    split = Split(streams["train"], streams["dev"], streams.get("test"), outputs)
    split = encode_targets(split, loss, config.targets)
    return replace(split, columns=columns, class_names=survey.class_names)
