"""Checks of ``[training] class_weight`` and ``[data] sample_weight``."""

from collections.abc import Mapping

from tfcourse.data.tables.table_options import TABLE_SOURCES
from tfcourse.errors import either, shown
from tfcourse.search.config.metrics import targets_of_loss
from tfcourse.search.config.tables import DataTable, TrainingTable

__all__ = ["weight_problems"]


def weight_problems(training: TrainingTable | None, data: DataTable | None) -> list[str]:
    """Return a line for each error of the weights that shows without the data.

    Args:
        training: ``[training]``; None if it has errors of its own.
        data: ``[data]``, likewise.
    """
    problems, sources = [], (*TABLE_SOURCES, "npz")
    if data is not None and data.sample_weight is not None and data.source not in sources:
        problems.append(
            f"[data] sample_weight is a column or array of source {either(sources)}. Received: "
            f'source "{data.source}"; a function returns (x, y, sample_weight), and Search takes '
            "data=(x, y, sample_weight)."
        )
    weights = None if training is None else training.class_weight
    if training is None or weights is None:
        return problems
    if data is not None and data.sample_weight is not None:
        problems.append(
            "[training] class_weight and [data] sample_weight exclude each other, as in Keras's "
            "fit. Multiply the column by the weights of the classes, and leave class_weight out."
        )
    if isinstance(training.loss, Mapping):
        problems.append(
            "[training] class_weight is for one output, as in Keras's fit. Received: a loss by "
            "output; give the examples weights by output, sample_weight as a dict: "
            "np.where(labels == 1, 5.0, 1.0)."
        )
    elif (training.targets or targets_of_loss(training.loss)) == "numbers":
        problems.append(
            f'[training] class_weight is for classes, and the loss "{training.loss}" is of a '
            "regression. Use [data] sample_weight."
        )
    strange = [] if weights == "balanced" else [key for key in weights if not key.isdecimal()]
    if strange:
        problems.append(
            '[training] class_weight must have the numbers of classes as its keys, such as { "1" = '
            f"5.0 }}. Received: {shown(strange[0])}."
        )
    return problems
