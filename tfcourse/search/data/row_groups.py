"""The sets of a search whose rows are read from Parquet files batch by batch."""

from dataclasses import replace

from tfcourse.data.splits import Split
from tfcourse.data.streams.parquet_streams import streams_of
from tfcourse.data.streams.row_groups import row_groups
from tfcourse.data.streams.row_survey import RowSurvey, survey_rows
from tfcourse.data.tables.columns import Columns
from tfcourse.data.tables.table_options import TableOptions
from tfcourse.search.config.column_tables import table_options
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.paths import data_path
from tfcourse.search.data.table_sizes import with_sizes
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
    options = table_options(data)
    rows = row_groups(path, data.label, options, data.split, data.seed, numbers)
    survey = survey_rows(rows, numbers, data.missing)
    columns = _columns(survey, options)
    rows = replace(rows, columns=columns.features)
    streams = streams_of(survey, rows, data.shuffle_buffer or BUFFER)
    total = sum(group.rows for group in rows.groups)
    origin = [f"{path}: {total} rows in {len(rows.groups)} row groups of {rows.files} files"]
    notes = list[str]()
    if survey.incomplete:
        left_out = f"values are missing: {survey.incomplete} of {total} rows are left out"
        if data.missing == "mean":
            notes.append(f'{left_out}, which lack the label "{rows.label}"')
        else:
            origin.append(left_out)
    outputs = len(survey.levels) or 1
    split = Split(streams["train"], streams["dev"], streams.get("test"), outputs)
    split = encode_targets(split, loss, config.targets)
    columns = replace(columns, origin=tuple(origin))
    split = replace(split, columns=columns, class_names=survey.class_names, notes=tuple(notes))
    return with_sizes(split, config)


def _columns(survey: RowSurvey, options: TableOptions) -> Columns:
    """Return the columns, with the levels and the statistics of the train set."""
    features = tuple(
        survey.texts[place].column(options) if place in survey.texts else column
        for place, column in enumerate(survey.rows.columns)
    )
    if survey.train is not None:
        survey.train.levels = {texts.name: texts.train_places for texts in survey.texts.values()}
    return Columns(
        features,
        survey.rows.label,
        options.missing,
        sizes={texts.name: len(texts.train) for texts in survey.texts.values()},
        ranges=survey.ranges,
        statistics=survey.train,
    )
