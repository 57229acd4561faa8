"""The keys of ``[data]`` for data that is streamed, and their checks."""

from typing import Annotated, Literal

from pydantic import Field, Strict

from tfcourse.errors import InputError, one_of
from tfcourse.imports import load_function
from tfcourse.search.config.table import Table

__all__ = ["FeatureTable", "StreamKeys", "stream_problems"]

# Height or width of an image.
Size = Annotated[int, Field(ge=1, le=100_000)]
OF_SOURCES = {
    "images": ("image_size", "color_mode", "cache"),
    "tfrecord": ("feature_spec", "parse"),
}


class FeatureTable(Table):
    """``[data.feature_spec.NAME]``: a feature of the examples in TFRecord files.

    See `tfcourse.data.streams.record_files.Feature`.
    """

    shape: Annotated[tuple[Size, ...], Strict(False)] = ()
    type: Literal["float32", "int64", "uint8", "image"] = "float32"


class StreamKeys(Table):
    """The keys for images in folders, TFRecord files and datasets.

    Attributes:
        image_size: Height and width to which images are scaled.
        color_mode: The channels of images: 1, 3 (by default) or 4.
        cache: Whether decoded images are kept after the first pass: in memory, or with ``"disk"``
            in a temporary file, see `tfcourse.data.streams.image_cache`; None is false.
        feature_spec: The features of TFRecord files by name; ``label`` is the name of y.
        parse: A function of the user's in their place, which makes (x, y) of a record.
        steps_per_epoch: The batches of an epoch of a dataset, as in Keras's ``fit``.
        validation_steps: Those of the dev and the test set.
        shuffle_buffer: The examples (of a dataset of batches, the batches) among which the next
            one is drawn, from (seed, epoch); without it a dataset has its own order.
        stream: Whether the rows of Parquet files are read batch by batch; None is false.
    """

    image_size: Annotated[tuple[Size, Size], Strict(False)] | None = None
    color_mode: Literal["grayscale", "rgb", "rgba"] | None = None
    cache: Literal[True, False, "disk"] | None = None
    feature_spec: dict[str, FeatureTable] | None = None
    parse: str | None = None
    steps_per_epoch: int | None = Field(default=None, ge=1)
    validation_steps: int | None = Field(default=None, ge=1)
    shuffle_buffer: int | None = Field(default=None, ge=1)
    stream: bool | None = None


def stream_problems(source: str, label: str | None, keys: StreamKeys, exists: bool) -> list[str]:
    """Return a line for each error.

    Args:
        source: The source.
        label: The label.
        keys: The keys.
        exists: True if the functions of the user's are not looked for.
    """
    problems = [
        f'[data] {key} is for source "{owner}" only. Received: "{source}".'
        for owner, names in OF_SOURCES.items()
        for key in names
        if owner != source and getattr(keys, key) is not None
    ]
    if source == "images" and keys.image_size is None:
        problems.append(
            '[data] image_size is required by source "images": the height and width to which all '
            "images are scaled, such as [64, 64]."
        )
    return problems + (_record_problems(label, keys, exists) if source == "tfrecord" else [])


def _record_problems(label: str | None, keys: StreamKeys, exists: bool) -> list[str]:
    if (keys.feature_spec is None) == (keys.parse is None):
        return [
            '[data] source "tfrecord" needs either the tables [data.feature_spec.NAME] or parse, '
            '"package.module:function", which makes (x, y) of a record.'
        ]
    if keys.parse is not None:
        try:
            if not exists:
                load_function(keys.parse, "parse")
        except InputError as error:
            return [f"[data] {error}"]
        return []
    features, label = keys.feature_spec or {}, label or "label"
    if label not in features or len(features) < 2:
        problem = one_of("[data] label: the feature that is y", label, features)
        return [f"{problem} x is at least one other feature."]
    return []
