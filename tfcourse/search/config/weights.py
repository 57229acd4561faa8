"""Checks of ``[training] class_weight`` and ``[data] sample_weight``."""

from collections.abc import Mapping

from tfcourse.data.tables.table_options import TABLES
from tfcourse.errors import either, one_of, shown
from tfcourse.hyperparameters import is_number
from tfcourse.search.config.outputs import Output, training_outputs
from tfcourse.search.config.tables import DataTable, TrainingTable

__all__ = ["weight_problems"]


def weight_problems(training: TrainingTable | None, data: DataTable | None) -> list[str]:
    """Return a line for each error of the weights that shows without the data.

    Args:
        training: ``[training]``; None if it has errors of its own.
        data: ``[data]``, likewise.
    """
    problems, sources = [], (*TABLES, "npz")
    if data is not None and data.sample_weight is not None and data.source not in sources:
        problems.append(
            f"[data] sample_weight is a column or array of source {either(sources)}. Received: "
            f'source "{data.source}"; a function returns (x, y, sample_weight), and Search takes '
            "data=(x, y, sample_weight)."
        )
    if training is None or training.class_weight is None:
        return problems
    if data is not None and data.sample_weight is not None:
        problems.append(
            "[training] class_weight and [data] sample_weight exclude each other, as in Keras's "
            "fit. Multiply the column by the weights of the classes, and leave class_weight out."
        )
    return problems + _class_problems(training, training.class_weight)


def _class_problems(training: TrainingTable, weights: Mapping[str, object] | str) -> list[str]:
    """Return a line for each output whose loss the weights of classes don't fit."""
    outputs = training_outputs(training)
    if not isinstance(training.loss, Mapping):
        return _output_problems(outputs[0], weights)
    by_name = {output.name: output for output in outputs}
    if not isinstance(weights, Mapping):
        first = next((output.name for output in outputs if output.targets != "numbers"), "NAME")
        return [
            "[training] class_weight must be a table by output if loss is one, such as "
            f'{{ {first} = "balanced" }}. Received: {shown(weights)}.'
        ]
    unknown = [name for name in weights if name not in by_name]
    if unknown:
        return [one_of("[training] class_weight: the output", unknown[0], by_name)]
    return [
        line
        for name, of_output in weights.items()
        for line in _output_problems(by_name[name], of_output)
    ]


def _output_problems(output: Output, weights: object) -> list[str]:
    where = f"[training] class_weight{output.place}"
    if output.targets == "numbers":
        remedy = "Leave it out." if output.name else "Use [data] sample_weight."
        return [
            f'{where} is for classes, and the loss "{output.loss}" is of a regression. {remedy}'
        ]
    if weights == "balanced":
        return []
    if not isinstance(weights, Mapping):
        return [
            f'{where} must be "balanced", or a weight for each class, such as {{ "1" = 5.0 }}. '
            f"Received: {shown(weights)}."
        ]
    strange = [name for name, weight in weights.items() if not is_number(weight)]
    return [
        f"{where}: the weight of each class must be a number >= 0. Received: "
        f"{shown(weights[name])} for {shown(name)}."
        for name in strange[:1]
    ]
