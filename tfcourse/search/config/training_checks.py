"""The check of the loss, metrics and callbacks of a config; Keras's own without importing Keras."""

from tfcourse.errors import InputError, either, one_of, shown
from tfcourse.search.config.callbacks import validate_callbacks
from tfcourse.search.config.metrics import (
    LOSSES,
    METRICS,
    Targets,
    metric_names,
    targets_of_loss,
)
from tfcourse.search.config.parts import Objects, is_own, resolve_loss, resolve_metric
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
    where, problems = "[training] loss", validate_callbacks(training, objects, recorded)
    problems += loss_problems(where, training.loss, training.targets, objects, recorded)
    targets = training.targets or targets_of_loss(training.loss)
    if problems or targets is None:
        return problems
    for metric in training.metrics:
        problems += metric_problems(metric, training.loss, targets, objects, recorded)
    if len(set(metric_names(training.metrics))) < len(training.metrics):
        received = shown(list(training.metrics))
        problems.append(f"[training] metrics must differ. Received: {received}.")
    return problems


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
            return [f"{where.removesuffix('loss')}{error}"]
    if targets is None and targets_of_loss(loss) is None:
        return [
            f'{where} "{loss}": what it takes is not known. Set targets to "labels" (class '
            'numbers), "one_hot" (a row for each), "binary" (0 or 1) or "numbers" (a regression).'
        ]
    return []


def metric_problems(
    metric: str, loss: str, targets: Targets, objects: Objects, recorded: bool = False
) -> list[str]:
    """Return a line for a metric that is unknown, is no metric, or does not fit the targets.

    Args:
        metric: The entry of the config.
        loss: The loss, for the message.
        targets: The targets that it takes.
        objects: As for `validate_training`.
        recorded: As for `validate_training`.
    """
    known_metric = METRICS.get(metric)
    if known_metric is not None and targets not in known_metric.targets:
        losses = [n for n, kind in LOSSES.items() if kind in known_metric.targets]
        return [
            f'[training] metrics: "{metric}" does not fit the loss. Received: "{loss}"; it takes '
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
        return [one_of("[training] metrics", metric, [*fitting, "package.module:function"])]
    return []
