"""The sets of a search whose examples are read batch by batch."""

from dataclasses import replace

import numpy as np

from tfcourse.data.examples import Examples
from tfcourse.data.splits import Part, Split
from tfcourse.data.streams.datasets import Datasets
from tfcourse.data.streams.image_cache import CachePlace
from tfcourse.data.streams.image_files import CHANNELS, ImageFiles, check_readable, image_files
from tfcourse.data.streams.set_folders import sets_of_folder
from tfcourse.errors import InputError, shown
from tfcourse.quiet import quiet_start
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.config.tables import DataTable
from tfcourse.search.data.own_datasets import split_of_datasets
from tfcourse.search.data.paths import data_path
from tfcourse.search.data.records import split_of_records
from tfcourse.search.data.row_groups import split_of_row_groups
from tfcourse.search.data.splitting import split_examples
from tfcourse.search.data.targets import encode_targets

__all__ = ["check_files", "load_streams"]


def load_streams(config: SearchConfig, datasets: Datasets | None = None) -> Split:
    """Return the sets; y is what the loss takes.

    Args:
        config: The search.
        datasets: The datasets that a function of the user's returned; None for the config's.

    Raises:
        InputError: The files are not as the source needs them, or a setting needs arrays.
    """
    try:
        _check_settings(config)
        datasets = datasets or config.datasets
        if datasets is not None:
            return split_of_datasets(config, datasets)
        if config.data.source == "tfrecord":
            return split_of_records(config)
        if config.data.source == "parquet":
            return split_of_row_groups(config)
        sets = _image_sets(config.data)
        cache: CachePlace | None = "memory" if config.data.cache else None
        cache = "disk" if config.data.cache == "disk" else cache
        streams = {name: images.stream(cache) for name, images in sets.items()}
        classes = sets["train"].classes
        split = Split(streams["train"], streams["dev"], streams.get("test"), len(classes))
        split = encode_targets(split, config.training.loss, config.targets)
        return replace(split, class_names=classes)
    except InputError as error:
        raise InputError(f"{config.origin}: [data] {error}") from error


def check_files(config: SearchConfig) -> None:
    """Read all files of the sets once.

    Raises:
        InputError: Some are damaged; it names them.
    """
    if config.data.source == "images":
        try:
            sets = _image_sets(config.data)
            with quiet_start():
                import tensorflow  # noqa: F401  # quietly, before the files need it
            for images in sets.values():
                check_readable(images)
        except InputError as error:
            raise InputError(f"{config.origin}: [data] {error}") from error


def _check_settings(config: SearchConfig) -> None:
    """Raise InputError for a setting that needs all examples in memory."""
    if not isinstance(config.training.loss, str):
        raise InputError(
            "several outputs of streamed data are not supported. Received: [training] loss as a "
            "table by output; give one loss, or a source in memory."
        )
    if config.training.folds > 1:
        raise InputError(
            f"folds of streamed data are not supported. Received: [training] folds = "
            f"{config.training.folds}; leave it out, or give a source in memory."
        )
    data = config.data
    unused = ["order"] * (data.order is not None)
    unused += ["stratify"] * (data.stratify is not None and data.source != "images")
    if unused:
        raise InputError(
            f"{unused[0]} has no effect on streamed data, whose sets come as files or datasets. "
            f"Leave it out. Received: {unused[0]} = {shown(getattr(data, unused[0]))}."
        )
    if config.training.class_weight is not None:
        raise InputError(
            "class_weight of streamed data is not supported. Leave out [training] class_weight, "
            "or give a source in memory."
        )
    if config.search.caviar == "population":
        raise InputError(
            'streamed data can\'t train a population. Leave out [search] caviar = "population", '
            "or give a source in memory."
        )


def _image_sets(data: DataTable) -> dict[str, ImageFiles]:
    """Return the images of each set: those of its folder, or its share of all."""
    root = data_path(data)
    assert root is not None  # checked with the config
    assert data.image_size is not None
    channels = CHANNELS[data.color_mode or "rgb"]
    height, width = data.image_size
    folders = sets_of_folder(root)
    if folders is None:
        images = image_files(root, (height, width), channels)
        numbers = np.arange(len(images.names))[:, None]
        whole = Part(numbers, images.labels)
        split = split_examples(Examples(whole, len(images.classes)), data)
        return {name: images.rows(part.x[:, 0]) for name, part in split.parts.items()}
    train = image_files(folders["train"], (height, width), channels)
    others: dict[str, ImageFiles] = {
        name: image_files(folders[name], (height, width), channels, train.classes)
        for name in ("dev", "test")
        if name in folders
    }
    return {"train": train, **others}
