"""The number of examples of each class in each set, and classes with too few."""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from tfcourse.console import one_line
from tfcourse.data.splits import Split
from tfcourse.data.streams.stream import Stream
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.targets import as_labels

__all__ = ["class_counts", "rare_class_warnings"]

UNKNOWN = "A model can't learn it"


def class_counts(split: Split, config: SearchConfig) -> dict[str, dict[str, int]] | None:
    """Return the number of examples of each class by its name, by set; None without classes.

    Streams have it in their records, or not at all.

    Args:
        split: The data, as loaded.
        config: The search.
    """
    parts = split.parts
    if isinstance(split.train, Stream):
        records = {name: part.record for name, part in parts.items() if isinstance(part, Stream)}
        if not all("classes" in record for record in records.values()):
            return None
        return {name: dict(record["classes"]) for name, record in records.items()}
    several = any(isinstance(part.y, Mapping) for part in parts.values())
    if several or config.targets not in ("labels", "one_hot", "binary"):
        return None
    labels = {name: as_labels(part.y, config.targets) for name, part in parts.items()}
    count = max(int(of_set.max()) for of_set in labels.values()) + 1
    names = [str(name) for name in split.class_names or range(count)]

    def counts(of_set: npt.NDArray[np.int64]) -> dict[str, int]:
        numbers = np.bincount(of_set, minlength=count).tolist()
        return dict(zip(names, numbers, strict=False))

    return {part: counts(of_set) for part, of_set in labels.items()}


def rare_class_warnings(split: Split, config: SearchConfig) -> Iterator[str]:
    """Yield a line if classes have fewer examples than there are sets, or none to train on."""
    counts = class_counts(split, config)
    if counts is None:
        return
    rare = {
        name: of_sets
        for name, of_sets in _by_class(counts).items()
        if sum(of_sets.values()) < len(counts) or not of_sets["train"]
    }
    if rare:
        name, of_sets = next(iter(rare.items()))
        where = " and ".join(part for part, count in of_sets.items() if count)
        total = sum(of_sets.values())
        effect = "No metric of the other sets sees it" if of_sets["train"] else UNKNOWN
        more = {1: "", 2: ", and 1 other class is as rare"}
        others = more.get(len(rare), f", and {len(rare) - 1} other classes are as rare")
        yield (
            f'the class "{one_line(name)}" has {total} example{"s" * (total != 1)}, in {where} '
            f"alone{others}. {effect}: give more examples, or leave it out."
        )


def _by_class(counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Return the numbers of examples by class and set, from those by set and class."""
    names = counts["train"]
    return {name: {part: of_class[name] for part, of_class in counts.items()} for name in names}
