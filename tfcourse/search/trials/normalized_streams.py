"""Streams that are scaled batch by batch."""

from collections.abc import Mapping

import tensorflow as tf

from tfcourse.data.scaling import Method, Scaling
from tfcourse.data.splits import Part, Split
from tfcourse.data.streams.moments import stream_scaling
from tfcourse.data.streams.stream import Stream
from tfcourse.errors import InputError
from tfcourse.types import Nested

__all__ = ["normalize_streams"]


def normalize_streams(
    split: Split, train: Stream, method: Method | Mapping[str, str]
) -> tuple[Split, Scaling]:
    """Return scaled streams, and the scaling, after one pass over the train set.

    Raises:
        InputError: The method is a table of several inputs' methods.
    """
    if isinstance(method, Mapping) or isinstance(train.shape, Mapping):
        raise InputError(
            "[data] normalize is for streams of one input. Scale several inputs in the dataset or "
            'in the model, and give normalize = "none".'
        )
    scaling = stream_scaling(train, method)

    def scale(x: Nested, *others: Nested) -> Nested:
        scaled = (tf.cast(x, scaling.shift.dtype) - scaling.shift) / scaling.scale
        return (tf.cast(scaled, tf.float32), *others)

    def with_scale(part: Part) -> Part:
        assert isinstance(part, Stream)
        return part.with_transform(scale)

    return split.map(with_scale), scaling
