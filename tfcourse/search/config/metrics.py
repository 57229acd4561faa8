"""The losses and metrics that a config can name, their targets, and their better direction.

A config is checked without Keras.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any, Literal, TypeAlias

from tfcourse.models.build import BUILDERS
from tfcourse.search.config.parts import metric_name, snake_case

__all__ = [
    "LOSSES",
    "METRICS",
    "WEIGHTED",
    "AnyTargets",
    "Losses",
    "Metric",
    "Targets",
    "direction_of",
    "metric_names",
    "split_name",
    "targets_of_loss",
    "with_defaults",
]

Targets = Literal["labels", "one_hot", "binary", "numbers"]
# A loss or targets, or those of several outputs by their names.
Losses: TypeAlias = str | Mapping[str, str]
AnyTargets: TypeAlias = Targets | Mapping[str, Targets]
Direction = Literal["max", "min"]

# Begins the name of a weighted metric if another metric has its name.
WEIGHTED = "weighted_"
# The targets that a loss takes: class numbers, one-hot rows, 0 or 1, or numbers (a regression).
LOSSES: dict[str, Targets] = {
    "sparse_categorical_crossentropy": "labels",
    "categorical_crossentropy": "one_hot",
    "categorical_focal_crossentropy": "one_hot",
    "categorical_hinge": "one_hot",
    "kl_divergence": "one_hot",
    "kld": "one_hot",
    "binary_crossentropy": "binary",
    "bce": "binary",
    "binary_focal_crossentropy": "binary",
    "hinge": "binary",
    "squared_hinge": "binary",
    "mean_squared_error": "numbers",
    "mse": "numbers",
    "mean_absolute_error": "numbers",
    "mae": "numbers",
    "mean_absolute_percentage_error": "numbers",
    "mape": "numbers",
    "mean_squared_logarithmic_error": "numbers",
    "msle": "numbers",
    "huber": "numbers",
    "log_cosh": "numbers",
    "poisson": "numbers",
    "cosine_similarity": "numbers",
}


@dataclass(frozen=True)
class Metric:
    """The better direction of a metric of Keras's, and the targets that it takes."""

    direction: Direction
    targets: tuple[Targets, ...]


_ROWS: tuple[Targets, ...] = ("one_hot", "binary")
_CLASSES: tuple[Targets, ...] = ("labels", "one_hot", "binary")
_NUMBERS: tuple[Targets, ...] = ("one_hot", "binary", "numbers")
_REGRESSION: tuple[Targets, ...] = ("numbers",)

# By better direction and targets.
_GROUPS: tuple[tuple[Direction, tuple[Targets, ...], tuple[str, ...]], ...] = (
    ("max", _CLASSES, ("accuracy",)),
    ("max", ("labels",), ("sparse_categorical_accuracy", "sparse_top_k_categorical_accuracy")),
    ("min", ("labels",), ("sparse_categorical_crossentropy",)),
    ("max", ("one_hot",), ("categorical_accuracy", "top_k_categorical_accuracy")),
    ("min", ("one_hot",), ("categorical_crossentropy",)),
    ("max", ("binary",), ("binary_accuracy",)),
    ("min", ("binary",), ("binary_crossentropy",)),
    ("max", _ROWS, ("auc", "precision", "recall", "f1_score")),
    ("max", _ROWS, ("true_positives", "true_negatives")),
    ("min", _ROWS, ("false_positives", "false_negatives")),
    ("min", _NUMBERS, ("mean_squared_error", "mse", "root_mean_squared_error")),
    ("min", _NUMBERS, ("mean_absolute_error", "mae")),
    ("min", _REGRESSION, ("mean_absolute_percentage_error", "mape")),
    ("min", _REGRESSION, ("mean_squared_logarithmic_error", "msle")),
    ("min", _REGRESSION, ("log_cosh_error", "poisson")),
    ("max", _REGRESSION, ("r2_score",)),
)
METRICS = {name: Metric(better, targets) for better, targets, names in _GROUPS for name in names}


def metric_names(metrics: Iterable[str]) -> tuple[str, ...]:
    """Return the metrics' names in a history; ``package.module:function`` is ``function``."""
    return tuple(metric_name(metric) for metric in metrics)


def split_name(name: str, outputs: Iterable[str]) -> tuple[str, str]:
    """Return the output and the metric of a name in a history of several outputs.

    The output is empty if it is of none, such as ``loss``; ``val_`` is left out.
    """
    name = name.removeprefix("val_")
    fitting = [output for output in outputs if output and name.startswith(f"{output}_")]
    output = max(fitting, key=len, default="")
    return output, name.removeprefix(f"{output}_") if output else name


def direction_of(objective: str, outputs: Iterable[str] = ()) -> Direction | None:
    """Return the better direction of the objective; None if its metric is not known.

    Args:
        objective: Its name in a history.
        outputs: The names of several outputs, with which names of metrics then begin.
    """
    _, name = split_name(objective, outputs)
    if name == "loss":
        return "min"
    plain = name.removeprefix(WEIGHTED)
    metric = METRICS.get(plain) or METRICS.get(snake_case(plain))
    return None if metric is None else metric.direction


def targets_of_loss(loss: object) -> Targets | None:
    """Return the targets that a loss takes; None for one's own and others that aren't known.

    Also of Keras's classes: ``"MeanSquaredError"``, ``"keras.losses:Huber"`` and its instances.
    """
    if not isinstance(loss, str):
        return None
    module, _, name = loss.partition("(")[0].rpartition(":")
    if module and module.partition(".")[0] != "keras":
        return None
    return LOSSES.get(name) or LOSSES.get(snake_case(name))


def with_defaults(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of a config with defaults that depend on the loss.

    A regression has no accuracy: its metric is the mean absolute error, its objective the loss.
    The output of tfcourse's own builders is what the loss takes.
    """
    training, search, model = (tables[name] for name in ("training", "search", "model"))
    if not all(isinstance(table, Mapping) for table in (training, search, model)):
        return dict(tables)
    loss = training.get("loss", "sparse_categorical_crossentropy")
    targets = training.get("targets") or targets_of_loss(loss)
    if isinstance(loss, Mapping):  # of several outputs, whose metrics don't follow from it
        targets, training = None, {"metrics": {}, **training}
    if targets == "numbers":
        training = {"metrics": ["mean_absolute_error"], **training}
    metrics = [training.get("metrics", ["accuracy"]), training.get("weighted_metrics", [])]
    lists = all(isinstance(each, list | tuple | Mapping) for each in metrics)
    has_accuracy = lists and any("accuracy" in each for each in metrics)
    lacks_accuracy = lists and (isinstance(loss, Mapping) or not has_accuracy)
    if lacks_accuracy and "objectives" not in search:
        search = {"objective": "val_loss", **search}
    builder = model.get("builder", "mlp")
    is_known = isinstance(builder, str) and builder in BUILDERS
    takes_output = is_known and "output" in signature(BUILDERS[builder]).parameters
    if takes_output and targets in ("binary", "numbers"):
        model = {"output": "sigmoid" if targets == "binary" else "linear", **model}
    return {**tables, "training": training, "search": search, "model": model}
