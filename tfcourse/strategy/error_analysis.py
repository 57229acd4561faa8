"""Error analysis: which mistakes are worth the work (course 6.4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.table import Table

from tfcourse.console import one_line
from tfcourse.data.frames import as_examples
from tfcourse.errors import InputError
from tfcourse.search.results.layout import Printable, table_of
from tfcourse.strategy.error_picture import draw_errors
from tfcourse.strategy.errors_by_category import (
    Category,
    Tags,
    count_categories,
    tags_of_examples,
)
from tfcourse.strategy.labels import class_numbers
from tfcourse.types import Array, KerasModel, TensorLike

__all__ = ["Category", "ErrorAnalysis", "error_analysis"]

# The most classes of a confusion matrix that is printed, and the most examples.
_PRINTED_CLASSES, _PRINTED_EXAMPLES = 12, 10


@dataclass(frozen=True, repr=False)
class ErrorAnalysis(Printable):
    """The mistakes of a classifier; ``print`` shows them.

    Attributes:
        x: The examples.
        labels: Their true classes, shape ``(m,)``.
        probabilities: The model's probabilities, shape ``(m, C)``.
        tags: The tags of each example.
        class_names: The names of the classes.
        categories: The categories, most mistakes first.
    """

    x: Array
    labels: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    tags: tuple[tuple[str, ...], ...]
    class_names: tuple[str, ...]
    categories: tuple[Category, ...]

    @property
    def predictions(self) -> npt.NDArray[np.int64]:
        """The most probable classes, shape ``(m,)``."""
        return np.asarray(self.probabilities.argmax(-1), np.int64)

    @property
    def mistakes(self) -> int:
        """The number of mistakes."""
        return int((self.predictions != self.labels).sum())

    @property
    def error(self) -> float:
        """The error rate."""
        return self.mistakes / len(self.labels)

    @property
    def confusion(self) -> npt.NDArray[np.int64]:
        """The number of examples of each true class (row) and predicted class (column)."""
        classes = self.probabilities.shape[1]
        counts = np.bincount(self.labels * classes + self.predictions, minlength=classes**2)
        return counts.reshape(classes, classes)

    @property
    def worst(self) -> npt.NDArray[np.intp]:
        """The rows of the mistakes, the least probable true class first."""
        true = self.probabilities[np.arange(len(self.labels)), self.labels]
        order = np.argsort(true, kind="stable")
        return np.asarray(order[self.predictions[order] != self.labels[order]], np.intp)

    def plot(
        self,
        path: str | Path,
        count: int = 20,
        image_shape: tuple[int, ...] | None = None,
    ) -> None:
        """Draw the worst examples beside the confusion matrix into a .png, .svg or .pdf file.

        Args:
            path: The file.
            count: The most examples.
            image_shape: The shape of an example as an image, ``(height, width)`` or with 1, 3 or 4
                channels; None for that of x. Examples that are no images are drawn as a table.

        Raises:
            InputError: matplotlib, the file's folder or its format is missing, or the examples are
                of another size than ``image_shape``.
        """
        rows = self.worst[:count]
        captions = [self._caption(row) for row in rows]
        draw_errors(
            self.x[rows], captions, self.confusion, self.class_names, Path(path), image_shape
        )

    def _caption(self, row: int) -> tuple[str, ...]:
        """Return the row, the true and the predicted class with its probability, and the tags."""
        predicted = self.predictions[row]
        return (
            str(row),
            self.class_names[self.labels[row]],
            self.class_names[predicted],
            f"{self.probabilities[row, predicted]:.1%}",
            ", ".join(self.tags[row]),
        )

    def rich_tables(self, top: int | None = None) -> Sequence[Table]:
        """Return the tables of the categories, the confusion matrix and the worst examples."""
        categories = self.categories if top is None else self.categories[:top]
        rows = [["category", "examples", "mistakes", "error", "ceiling"]]
        for each in categories:
            counts = (str(each.examples), str(each.mistakes), f"{each.error:.1%}")
            rows.append([one_line(each.name, 40), *counts, f"{100 * each.ceiling:.2f}"])
        tables = [table_of(rows, "")]
        if len(self.class_names) <= _PRINTED_CLASSES:
            names = [one_line(name, 12) for name in self.class_names]
            matrix = [["true \\ predicted", *names]]
            matrix += [[n, *map(str, row)] for n, row in zip(names, self.confusion, strict=True)]
            tables.append(table_of(matrix, ""))
        worst = self.worst[: _PRINTED_EXAMPLES if top is None else top]
        if len(worst):
            captions = [[one_line(cell, 40) for cell in self._caption(row)] for row in worst]
            heading = ["worst", "true", "predicted", "probability", "tags"]
            tables.append(table_of([heading, *captions], "", wrap=True))
        return tables

    def lines(self) -> list[str]:
        """Return the error, and the gain of solving the first category."""
        lines = [
            f"{self.mistakes} mistakes in {len(self.labels)} examples: error {self.error:.2%}."
        ]
        if self.mistakes:
            first = self.categories[0]
            lines.append(
                f'Without the mistakes in "{one_line(first.name, 40)}" the error would be '
                f"{self.error - first.ceiling:.2%}: {100 * first.ceiling:.2f} points less, at most."
            )
        return lines


def error_analysis(
    model: KerasModel,
    x: TensorLike,
    y: TensorLike,
    *,
    tags: Tags | None = None,
    class_names: Sequence[str] | None = None,
) -> ErrorAnalysis:
    """Count a classifier's mistakes by category, with the ceiling of each (course 6.4).

    The ceiling of a category is its mistakes over all examples, in points of the error rate: what
    solving it can gain at most. Examples with several tags count in each of them, so that the
    ceilings may add up to more than the error.

        tags = {"blurry": x_dev.std(axis=1) < 0.3, "cat": y_dev == 1}
        analysis = tfcourse.strategy.error_analysis(model, x_dev, y_dev, tags=tags)
        print(analysis)
        analysis.plot("mistakes.png")

    Args:
        model: A classifier that ends in softmax, in one sigmoid, or in logits.
        x: Examples of the dev set.
        y: Their class numbers, or one-hot rows; 0 or 1 for a yes-or-no output.
        tags: For each example a text, several, or None; or a mapping, or a table of pandas, of a
            tag to bools, one for each example. By default the tag of an example is its true class.
        class_names: The names of the classes, by default their numbers.

    Raises:
        InputError: The model is no classifier with one output, or the labels, tags or names don't
            fit the examples.
    """
    from tfcourse.models.logits import output_kind
    from tfcourse.training.predict import predict

    examples = as_examples(x, "x")
    if not len(examples):
        raise InputError("error_analysis: x must hold at least one example. Received: none.")
    outputs = predict(model, examples, verbose=0)
    kind, is_probability = output_kind(model, outputs, "error_analysis")
    if outputs.ndim != 2:
        raise InputError(
            "error_analysis: model must return a row for each example, shape (m, classes). "
            f"Received: shape {outputs.shape}."
        )
    labels = class_numbers(y, outputs.shape, "error_analysis")
    probabilities = _probabilities(outputs.astype(np.float64), kind, is_probability)
    classes = probabilities.shape[1]
    names = tuple(map(str, range(classes) if class_names is None else class_names))
    if len(names) != classes:
        raise InputError(
            f"error_analysis: class_names must be {classes} names. Received: {len(names)}."
        )
    by_class = tuple((f"class {names[label]}",) for label in labels)
    all_tags = by_class if tags is None else tags_of_examples(tags, len(examples))
    categories = count_categories(all_tags, probabilities.argmax(-1) != labels)
    return ErrorAnalysis(examples, labels, probabilities, all_tags, names, categories)


def _probabilities(
    outputs: npt.NDArray[np.float64], kind: str, is_probability: bool
) -> npt.NDArray[np.float64]:
    """Return the probabilities of at least two classes."""
    if kind == "sigmoid":
        yes = outputs if is_probability else 1 / (1 + np.exp(-np.clip(outputs, -700, 700)))
        return np.concatenate([1 - yes, yes], -1)
    if is_probability:
        return outputs
    weights = np.exp(outputs - outputs.max(-1, keepdims=True))
    return np.asarray(weights / weights.sum(-1, keepdims=True), np.float64)
