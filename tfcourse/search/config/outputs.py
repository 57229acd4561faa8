"""The outputs of a model as a config names them: the loss, metrics and targets of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from tfcourse.errors import one_of
from tfcourse.search.config.metrics import (
    METRICS,
    WEIGHTED,
    AnyTargets,
    Losses,
    Targets,
    direction_of,
    metric_names,
    targets_of_loss,
)
from tfcourse.search.config.parts import is_own
from tfcourse.search.config.tables import TrainingTable

__all__ = [
    "Output",
    "history_names",
    "objectives",
    "outputs_of",
    "training_outputs",
    "validate_objective",
]

# The entries of metrics, or a table of them by output.
Metrics: TypeAlias = Sequence[str] | Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Output:
    """An output of a model.

    Attributes:
        name: The name in the dict of outputs; empty for an output that is in no dict.
        loss: The entry of its loss in the config; None if it has none.
        metrics: The entries of its metrics.
        targets: The targets that it takes; None if they are not known.
        weighted_metrics: The entries of its weighted metrics.
    """

    name: str
    loss: str | None
    metrics: tuple[str, ...]
    targets: Targets | None
    weighted_metrics: tuple[str, ...] = ()

    @property
    def all_metrics(self) -> tuple[str, ...]:
        """The entries of its metrics, and then of its weighted ones."""
        return (*self.metrics, *self.weighted_metrics)

    @property
    def has_own(self) -> bool:
        """True if its loss or one of its metrics is one's own, and not Keras's."""
        return any(is_own(entry) for entry in (self.loss, *self.all_metrics) if entry is not None)

    @property
    def place(self) -> str:
        """The name for a message: `` of the output "kind"``, empty for the only output."""
        return f' of the output "{self.name}"' if self.name else ""


def training_outputs(training: TrainingTable) -> tuple[Output, ...]:
    """Return the outputs of a table ``[training]``."""
    weighted = training.weighted_metrics
    return outputs_of(training.loss, training.metrics, training.targets, weighted or ())


def outputs_of(
    loss: Losses,
    metrics: Metrics,
    targets: AnyTargets | None = None,
    weighted: Metrics = (),
) -> tuple[Output, ...]:
    """Return the outputs of ``[training]``, in the order in which it names them.

    Args:
        loss: The loss, or a table of losses by output. An output that is not in it has none.
        metrics: The metrics, or a table of them by output.
        targets: The targets if the config says them, or a table of them by output. Otherwise they
            are what the loss takes; without a loss what the metrics take, labels first.
        weighted: The weighted metrics, or a table of them by output.
    """
    tables = [table for table in (loss, metrics, weighted, targets) if isinstance(table, Mapping)]
    if not isinstance(loss, Mapping):
        own = None if isinstance(targets, Mapping) else targets
        kind = own or targets_of_loss(loss)
        return (Output("", loss, tuple(metrics), kind, tuple(weighted)),)
    metrics = metrics if isinstance(metrics, Mapping) else {}
    weighted = weighted if isinstance(weighted, Mapping) else {}
    targets = targets if isinstance(targets, Mapping) else {}
    return tuple(
        Output(
            name,
            loss.get(name),
            (plain := tuple(metrics.get(name, ()))),
            targets.get(name) or _targets(loss.get(name), (*plain, *weighted.get(name, ()))),
            tuple(weighted.get(name, ())),
        )
        for name in dict.fromkeys(name for table in tables for name in table)
    )


def history_names(outputs: Sequence[Output]) -> tuple[str, ...]:
    """Return the names of a history without ``val_``, as Keras names them; metrics first.

    With several outputs a metric is ``OUTPUT_METRIC``, and with several losses each is
    ``OUTPUT_loss`` beside their sum, ``loss``. A weighted metric has its name, or ``weighted_NAME``
    if a metric of the output has that.
    """
    names = []
    for output in outputs:
        start = f"{output.name}_" if len(outputs) > 1 else ""
        plain = metric_names(output.metrics)
        weighted = metric_names(output.weighted_metrics)
        names += [f"{start}{name}" for name in plain]
        names += [f"{start}{WEIGHTED * (name in plain)}{name}" for name in weighted]
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
    weighted = raw.get("weighted_metrics", [])
    several = [metrics, weighted]
    lists = [
        e for table in several for e in (table.values() if isinstance(table, Mapping) else [table])
    ]
    losses = loss.values() if isinstance(loss, Mapping) else [loss]
    readable = all(isinstance(entry, str) for entry in losses) and all(
        isinstance(entries, list | tuple) and all(isinstance(entry, str) for entry in entries)
        for entries in lists
    )
    is_table = any(isinstance(table, Mapping) for table in several)
    if not readable or is_table > isinstance(loss, Mapping):
        return None
    return outputs_of(loss, metrics, targets, weighted)


def _targets(loss: str | None, metrics: Iterable[str]) -> Targets | None:
    """Return the targets that a loss takes, or without one those that all the metrics take."""
    if loss is not None:
        return targets_of_loss(loss)
    kinds = [METRICS[metric].targets for metric in metrics if metric in METRICS]
    order: tuple[Targets, ...] = ("labels", "numbers", "binary", "one_hot")
    return next((k for k in order if kinds and all(k in kind for kind in kinds)), None)
