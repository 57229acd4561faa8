"""The mistakes of a classifier by category, each with its ceiling (course 6.4)."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from tfcourse.errors import InputError, shown
from tfcourse.types import Array, DataFrame

__all__ = ["NO_TAG", "Category", "Tags", "count_categories", "tags_of_examples"]

# For each example its tag, its tags or None (pandas has NaN for it); or for each tag, a key or a
# column, whether each example has it.
Tags: TypeAlias = Sequence[str | Iterable[str] | None] | Mapping[str, Array] | DataFrame

NO_TAG = "(no tag)"


@dataclass(frozen=True)
class Category:
    """The examples and mistakes of one category.

    Attributes:
        name: The tag.
        examples: The number of examples with it.
        mistakes: The number of mistakes among them.
        ceiling: The share of all examples that these mistakes are: the most that the error rate
            can fall by solving this category.
    """

    name: str
    examples: int
    mistakes: int
    ceiling: float

    @property
    def error(self) -> float:
        """The error rate within the category."""
        return self.mistakes / self.examples


def tags_of_examples(tags: Tags, count: int) -> tuple[tuple[str, ...], ...]:
    """Return the tags of each example, each once.

    Args:
        tags: As `tfcourse.strategy.error_analysis` takes them.
        count: The number of examples.

    Raises:
        InputError: Their number is not that of the examples, or they are of another type.
    """
    if isinstance(tags, Mapping) or hasattr(tags, "columns"):
        table = cast("Mapping[str, npt.ArrayLike]", tags)  # a pandas table has items() too
        columns = {name: np.asarray(column) for name, column in table.items()}
        for name, column in columns.items():
            if not isinstance(name, str):
                raise InputError(f"error_analysis: tags must be texts. Received: {shown(name)}.")
            if column.shape != (count,) or column.dtype != bool:
                raise InputError(
                    f'error_analysis: tags: "{name}" must be bools of shape ({count},), one for '
                    f"each example. Received: {column.dtype} of shape {column.shape}."
                )
        return tuple(tuple(n for n, column in columns.items() if column[i]) for i in range(count))
    if isinstance(tags, str) or len(tags) != count:
        received = shown(tags) if isinstance(tags, str) else f"{len(tags)} tags"
        raise InputError(
            f"error_analysis: tags must be one for each of the {count} examples: a text, several "
            f"texts, or None. Received: {received}."
        )
    return tuple(_tags_of_example(number, tag) for number, tag in enumerate(tags))


def _tags_of_example(number: int, tag: str | Iterable[str] | None) -> tuple[str, ...]:
    if tag is None or (isinstance(tag, float | np.floating) and math.isnan(tag)):
        return ()
    several = isinstance(tag, Iterable) and not isinstance(tag, str)
    names = tuple(dict.fromkeys(tag)) if several else (tag,)
    if not all(isinstance(name, str) for name in names):
        raise InputError(
            f"error_analysis: tags of example {number} must be a text, several texts, or None. "
            f"Received: {shown(tag)}."
        )
    return tuple(str(name) for name in names)


def count_categories(
    tags: Sequence[Sequence[str]], wrong: npt.NDArray[np.bool_]
) -> tuple[Category, ...]:
    """Return the categories, most mistakes first; an example with several tags counts in each.

    Args:
        tags: The tags of each example; examples without any are a category of their own.
        wrong: Whether each is a mistake.
    """
    examples: Counter[str] = Counter()
    mistakes: Counter[str] = Counter()
    for names, is_wrong in zip(tags, wrong, strict=True):
        for name in names or (NO_TAG,):
            examples[name] += 1
            mistakes[name] += bool(is_wrong)
    order = sorted(examples, key=lambda name: (-mistakes[name], -examples[name], name))
    return tuple(Category(n, examples[n], mistakes[n], mistakes[n] / len(wrong)) for n in order)
