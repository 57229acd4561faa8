"""The picture of an error analysis: the worst examples and the confusion matrix."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfcourse.console import one_line
from tfcourse.errors import InputError
from tfcourse.figures import check_plot_file, plain_text, save_figure
from tfcourse.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

__all__ = ["as_images", "draw_errors"]

_COLUMNS = 5
# The most classes whose counts are written into the matrix, and its most features in a table.
_WRITTEN_CLASSES, _WRITTEN_FEATURES = 15, 4


def as_images(x: Array, shape: tuple[int, ...] | None) -> Array | None:
    """Return examples as images of shape ``(m, height, width)`` or with 3 or 4 channels, in [0, 1].

    Args:
        x: The examples.
        shape: The shape of one as an image; None for that of x.

    Returns:
        The images; None if the examples are none.

    Raises:
        InputError: The examples are of another size than the shape.
    """
    size = math.prod(x.shape[1:])
    if shape is not None:
        if math.prod(shape) != size:
            raise InputError(
                f"plot: image_shape must have as many values as an example, {size}. "
                f"Received: {tuple(shape)}."
            )
        x = x.reshape(len(x), *shape)
    if x.ndim == 4 and x.shape[-1] == 1:
        x = x[..., 0]
    if x.dtype.kind not in "biuf" or not (x.ndim == 3 or (x.ndim == 4 and x.shape[-1] in (3, 4))):
        return None
    x = x.astype(float)
    low, high = (x.min(), x.max()) if x.size else (0.0, 1.0)
    if low >= 0 and high <= 1:
        return x
    return np.asarray((x - low) / (high - low or 1))


def draw_errors(
    x: Array,
    captions: Sequence[Sequence[str]],
    confusion: Array,
    class_names: Sequence[str],
    path: Path,
    image_shape: tuple[int, ...] | None,
) -> None:
    """Draw the examples, or the captions as a table, beside the confusion matrix.

    Args:
        x: The examples, worst first.
        captions: Of each its row, true and predicted class, probability and tags.
        confusion: The confusion matrix.
        class_names: The names of the classes.
        path: The file.
        image_shape: As for `as_images`.
    """
    check_plot_file(path)
    images = as_images(x, image_shape)
    from matplotlib.figure import Figure

    lines = math.ceil(len(x) / _COLUMNS)
    height = max(4.2, 1.5 * lines if images is not None else 0.26 * len(x) + 1)
    figure = Figure(figsize=(13, height), layout="constrained")
    examples, matrix = np.ravel(figure.subfigures(1, 2, squeeze=False, width_ratios=(1.5, 1)))
    examples.suptitle(f"the {len(x)} worst mistakes" if len(x) else "no mistakes")
    if len(x) and images is not None:
        _draw_images(examples, images, captions)
    elif len(x):
        _draw_table(examples.subplots(), x, captions)
    _draw_confusion(matrix.subplots(), confusion, class_names)
    save_figure(figure, path)


def _draw_images(figure: "SubFigure", images: Array, captions: Sequence[Sequence[str]]) -> None:
    lines = math.ceil(len(images) / _COLUMNS)
    axes = figure.subplots(lines, _COLUMNS, squeeze=False).ravel()
    for place in axes:
        place.axis("off")
    for place, image, (row, true, predicted, probability, tags) in zip(
        axes, images, captions, strict=False
    ):
        place.imshow(image, cmap="gray_r", vmin=0, vmax=1)
        title = f"{_line(true, 12)} taken for {_line(predicted, 12)}\n{probability}, row {row}"
        place.set_title(title + (f"\n{_line(tags, 24)}" if tags else ""), fontsize=7)


def _draw_table(axes: "Axes", x: Array, captions: Sequence[Sequence[str]]) -> None:
    axes.axis("off")
    rows = x.reshape(len(x), -1)[:, :_WRITTEN_FEATURES]
    heading = ["row", "true", "predicted", "probability", "tags"]
    heading += [f"x[{n}]" for n in range(rows.shape[1])]
    cells = [
        [*(_line(cell, 18) for cell in caption), *(_text(value) for value in row)]
        for caption, row in zip(captions, rows, strict=True)
    ]
    table = axes.table(cellText=cells, colLabels=heading, loc="upper center")
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    table.auto_set_column_width([*range(len(heading))])


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, int | float | np.number) else _line(str(value), 12)


def _line(text: str, width: int) -> str:
    return plain_text(one_line(text, width))


def _draw_confusion(axes: "Axes", confusion: Array, class_names: Sequence[str]) -> None:
    names = [_line(name, 12) for name in class_names]
    mistakes = confusion - np.diag(np.diag(confusion))
    # The diagonal would hide the rest: colours are the mistakes alone.
    axes.imshow(mistakes, cmap="Reds", vmin=0, vmax=max(int(mistakes.max()), 1))
    axes.set(xlabel="predicted", ylabel="true", title="confusion matrix (colours: mistakes)")
    if len(names) > _WRITTEN_CLASSES:
        return
    rotation = 90 if max(map(len, names)) > 3 else 0
    axes.set_xticks(range(len(names)), names, rotation=rotation)
    axes.set_yticks(range(len(names)), names)
    strong = mistakes.max() / 2
    for i, j in np.ndindex(*confusion.shape):
        if confusion[i, j]:
            colour = "white" if mistakes[i, j] > strong else "0.5" if i == j else "black"
            axes.text(
                j, i, str(confusion[i, j]), ha="center", va="center", color=colour, fontsize=8
            )
