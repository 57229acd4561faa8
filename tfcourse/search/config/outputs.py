"""The outputs of a model as a config names them: the loss, metrics and targets of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfcourse.errors import one_of
from tfcourse.search.config.metrics import (
    METRICS,
    AnyTargets,
    Losses,
    Targets,
    direction_of,
    metric_names,
    targets_of_loss,
)
from tfcourse.search.config.parts import is_own

__all__ = ["Output", "history_names", "objectives", "outputs_of", "validate_objective"]


@dataclass(frozen=True)
class Output:
    """An output of a model.

    Attributes:
        name: The name in the dict of outputs; empty for an output that is in no dict.
        loss: The entry of its loss in the config; None if it has none.
        metrics: The entries of its metrics.
        targets: The targets that it takes; None if they are not known.
    """

    name: str
    loss: str | None
    metrics: tuple[str, ...]
    targets: Targets | None

    @property
    def has_own(self) -> bool:
        """True if its loss or one of its metrics is one's own, and not Keras's."""
        return any(is_own(entry) for entry in (self.loss, *self.metrics) if entry is not None)

    @property
    def place(self) -> str:
        """The name for a message: `` of the output "kind"``, empty for the only output."""
        return f' of the output "{self.name}"' if self.name else ""


def outputs_of(
    loss: Losses,
    metrics: Sequence[str] | Mapping[str, Sequence[str]],
    targets: AnyTargets | None = None,
) -> tuple[Output, ...]:
    """Return the outputs of ``[training]``, in the order in which it names them.

    Args:
        loss: The loss, or a table of losses by output. An output that is not in it has none.
        metrics: The metrics, or a table of them by output.
        targets: The targets if the config says them, or a table of them by output. Otherwise they
            are what the loss takes; without a loss what the metrics take, labels first.
    """
    tables = [table for table in (loss, metrics, targets) if isinstance(table, Mapping)]
    if not isinstance(loss, Mapping):
        own = None if isinstance(targets, Mapping) else targets
        return (Output("", loss, tuple(metrics), own or targets_of_loss(loss)),)
    metrics = metrics if isinstance(metrics, Mapping) else {}
    targets = targets if isinstance(targets, Mapping) else {}
    return tuple(
        Output(
            name,
            loss.get(name),
            tuple(metrics.get(name, ())),
            targets.get(name) or _targets(loss.get(name), metrics.get(name, ())),
        )
        for name in dict.fromkeys(name for table in tables for name in table)
    )


def history_names(outputs: Sequence[Output]) -> tuple[str, ...]:
    """Return the names of a history without ``val_``, as Keras names them; metrics first.

    With several outputs a metric is ``OUTPUT_METRIC``, and with several losses each is
    ``OUTPUT_loss`` beside their sum, ``loss``.
    """
    several = len(outputs) > 1
    names = [
        f"{output.name}_{name}" if several else name
        for output in outputs
        for name in metric_names(output.metrics)
    ]
    losses = [f"{output.name}_loss" for output in outputs if output.loss is not None]
    return (*names, "loss", *(losses if len(losses) > 1 else ()))


def objectives(outputs: Sequence[Output]) -> tuple[str, ...]:
    """Return the objectives that a search with these outputs can have."""
    names = history_names(outputs)
    return (*(f"val_{name}" for name in names), *names)


def validate_objective(search: object, training: object, any_metric: bool) -> list[str]:
    """Return a line for each error of the objective and of the monitor.

    Args:
        search: The value of ``[search]``, in which other keys may be wrong.
        training: The value of ``[training]``, likewise.
        any_metric: True if the model may have metrics of its own, which are not known yet.
    """
    searches, trains = (t if isinstance(t, Mapping) else {} for t in (search, training))
    objective = searches.get("objective", "val_accuracy")
    stopping = trains.get("early_stopping")
    outputs = _readable_outputs(trains)
    if outputs is None:
        return []
    choices, problems = objectives(outputs), []
    names = [output.name for output in outputs]
    monitor = stopping.get("monitor") if isinstance(stopping, Mapping) else None
    if isinstance(monitor, str):
        where = "[training.early_stopping] monitor"
        if monitor not in choices and not any_metric:
            problems.append(one_of(where, monitor, choices))
        elif monitor != objective and direction_of(monitor, names) is None:
            problems.append(
                f"{where} must be the objective, or a loss or metric whose better direction is "
                f'known. Received: "{monitor}".'
            )
    if not isinstance(objective, str):
        return problems  # its type is an error of its own
    if objective not in choices and not any_metric:
        problems.append(one_of("[search] objective", objective, choices))
    elif searches.get("direction") is None and direction_of(objective, names) is None:
        problems.append(
            f'[search] direction is required for the objective "{objective}": "max" or "min".'
        )
    return problems


def _readable_outputs(raw: Mapping[str, Any]) -> tuple[Output, ...] | None:
    """Return the outputs of a value of ``[training]``; None if its types are errors."""
    loss = raw.get("loss", "sparse_categorical_crossentropy")
    metrics, targets = raw.get("metrics", ["accuracy"]), raw.get("targets")
    lists = metrics.values() if isinstance(metrics, Mapping) else [metrics]
    losses = loss.values() if isinstance(loss, Mapping) else [loss]
    readable = all(isinstance(entry, str) for entry in losses) and all(
        isinstance(entries, list | tuple) and all(isinstance(entry, str) for entry in entries)
        for entries in lists
    )
    if not readable or isinstance(metrics, Mapping) > isinstance(loss, Mapping):
        return None
    return outputs_of(loss, metrics, targets)


def _targets(loss: str | None, metrics: Iterable[str]) -> Targets | None:
    """Return the targets that a loss takes, or without one those that all the metrics take."""
    if loss is not None:
        return targets_of_loss(loss)
    kinds = [METRICS[metric].targets for metric in metrics if metric in METRICS]
    order: tuple[Targets, ...] = ("labels", "numbers", "binary", "one_hot")
    return next((k for k in order if kinds and all(k in kind for kind in kinds)), None)
