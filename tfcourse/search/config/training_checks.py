"""The check of the loss, metrics and callbacks of a config; Keras's own without importing Keras."""

from collections.abc import Mapping

from tfcourse.errors import InputError, either, one_of, shown
from tfcourse.search.config.callbacks import validate_callbacks
from tfcourse.search.config.metrics import (
    LOSSES,
    METRICS,
    Targets,
    metric_names,
    targets_of_loss,
)
from tfcourse.search.config.outputs import Output, training_outputs
from tfcourse.search.config.parts import (
    Objects,
    is_metric_object,
    is_own,
    resolve_loss,
    resolve_metric,
)
from tfcourse.search.config.tables import TrainingTable

__all__ = ["loss_problems", "metric_problems", "validate_training"]


def validate_training(
    training: TrainingTable, objects: Objects, recorded: bool = False
) -> list[str]:
    """Return a line for each error of the loss, the metrics and the callbacks.

    Args:
        training: ``[training]``.
        objects: The objects that `tfcourse.Search` was passed, by their names.
        recorded: True to import no module of the user's.
    """
    problems = validate_callbacks(training, objects, recorded)
    if of_tables := _table_problems(training):
        return problems + of_tables
    for output in training_outputs(training):
        problems += _output_problems(output, training, objects, recorded)
    return problems


def _table_problems(training: TrainingTable) -> list[str]:
    """Return a line for each key that is no table by output though the loss is one, or is one."""
    by_output = isinstance(training.loss, Mapping)
    tables = {
        "metrics": training.metrics,
        "weighted_metrics": training.weighted_metrics,
        "targets": training.targets,
    }
    problems = [
        f"[training] {key} must be a table by output if loss is one, and only then. Received: "
        f"loss = {shown(training.loss)}, {key} = {shown(_plain(value))}."
        for key, value in tables.items()
        if value and isinstance(value, Mapping) != by_output
    ]
    if isinstance(training.loss, Mapping) and not training.loss:
        problems.append("[training] loss must have at least one output. Received: {}.")
    weights = training.loss_weights
    if weights is None or problems:
        return problems
    if not isinstance(training.loss, Mapping):
        return [
            "[training] loss_weights is for a loss by output, such as loss = { price = "
            f'"mse", … }}. Received: loss = {shown(training.loss)}.'
        ]
    return [
        one_of("[training] loss_weights: the output", name, training.loss)
        for name in weights
        if name not in training.loss
    ]


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _output_problems(
    output: Output, training: TrainingTable, objects: Objects, recorded: bool
) -> list[str]:
    """Return a line for each error of the loss and metrics of an output."""
    where, problems = "[training] loss", list[str]()
    if output.name:
        where = f"{where}{output.place}"
    if output.loss is not None:
        problems = loss_problems(
            where, output.loss, _own_targets(output, training), objects, recorded
        )
    if output.loss is None and output.targets is None:
        problems = [
            f"[training] targets{output.place}, which has no loss, are not known. Set targets = "
            f'{{ {output.name} = "labels" }}, or "one_hot", "binary" or "numbers".'
        ]
    if problems or output.targets is None:
        return problems
    for key, entries in (
        ("metrics", output.metrics),
        ("weighted_metrics", output.weighted_metrics),
    ):
        for metric in entries:
            loss = output.loss or "none"
            problems += metric_problems(metric, loss, output.targets, objects, recorded, key)
        if len(set(metric_names(entries))) < len(entries):
            received = shown(list(entries))
            problems.append(f"[training] {key}{output.place} must differ. Received: {received}.")
    if not problems and not recorded:
        problems += [
            f'[training] metrics and weighted_metrics{output.place} both have "{entry}", one '
            "object with one state. Make a second one, with a name of its own."
            for entry in output.metrics
            if entry in output.weighted_metrics and is_metric_object(entry, objects)
        ]
    return problems


def _own_targets(output: Output, training: TrainingTable) -> Targets | None:
    """Return the targets that the config says of an output."""
    targets = training.targets
    return targets.get(output.name) if isinstance(targets, Mapping) else targets


def loss_problems(
    where: str, loss: str, targets: Targets | None, objects: Objects, recorded: bool = False
) -> list[str]:
    """Return a line for a loss that is unknown or is no loss, or of which the targets are.

    Args:
        where: The table and key, for the message.
        loss: The entry of the config.
        targets: The targets that the config says.
        objects: As for `validate_training`.
        recorded: As for `validate_training`.
    """
    if not recorded and loss not in LOSSES:
        try:
            resolve_loss(loss, objects)
        except InputError as error:
            if not is_own(loss):
                return [one_of(where, loss, [*LOSSES, "package.module:function"])]
            return [f"[training] {error}"]
    if targets is None and targets_of_loss(loss) is None:
        return [
            f'{where} "{loss}": what it takes is not known. Set targets to "labels" (class '
            'numbers), "one_hot" (a row for each), "binary" (0 or 1) or "numbers" (a regression).'
        ]
    return []


def metric_problems(
    metric: str,
    loss: str,
    targets: Targets,
    objects: Objects,
    recorded: bool = False,
    key: str = "metrics",
) -> list[str]:
    """Return a line for a metric that is unknown, is no metric, or does not fit the targets.

    Args:
        metric: The entry of the config.
        loss: The loss, for the message.
        targets: The targets that it takes.
        objects: As for `validate_training`.
        recorded: As for `validate_training`.
        key: The key of the config that has it.
    """
    known_metric = METRICS.get(metric)
    if known_metric is not None and targets not in known_metric.targets:
        losses = [n for n, kind in LOSSES.items() if kind in known_metric.targets]
        return [
            f'[training] {key}: "{metric}" does not fit the loss. Received: "{loss}"; it takes '
            f"the targets of {either(losses)}."
        ]
    if known_metric is not None or recorded:
        return []
    try:
        resolve_metric(metric, objects)
    except InputError as error:
        if is_own(metric) or "arguments" in str(error):
            return [f"[training] {error}"]
        fitting = [name for name, m in METRICS.items() if targets in m.targets]
        return [one_of(f"[training] {key}", metric, [*fitting, "package.module:function"])]
    return []
