"""Warnings about data that makes the results of a search worthless, before any training."""

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from tfcourse.data.splits import Part, Split
from tfcourse.data.streams.stream import Stream
from tfcourse.search.config.metrics import WEIGHTED, Targets, split_name
from tfcourse.search.config.outputs import history_names
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.class_counts import rare_class_warnings
from tfcourse.search.data.column_warnings import column_warnings
from tfcourse.search.data.folds import fold_split

__all__ = ["data_warnings"]

# For each metric of Keras's the classes with which alone it is the same number for every model.
SAME_FOR_ALL = {
    "auc": (0, 1),
    "precision": (0, 1),
    "recall": (0,),
    "f1_score": (0,),
    "fbeta_score": (0,),
    "precision_at_recall": (0, 1),
    "recall_at_precision": (0, 1),
    "sensitivity_at_specificity": (0, 1),
    "specificity_at_sensitivity": (0, 1),
    "true_positives": (0,),
    "false_negatives": (0,),
    "true_negatives": (1,),
    "false_positives": (1,),
}


def data_warnings(split: Split, config: SearchConfig) -> tuple[str, ...]:
    """Return a line for each reason why the data is not fit for the search.

    These are the notes on its precision, columns that are likely not as they were meant, classes
    with too few examples, and sets whose targets are all the same, so that the objective, a
    monitor or a metric is the same for every model.
    """
    return (
        *split.notes,
        *column_warnings(split, config),
        *rare_class_warnings(split, config),
        *_of_objective(split, config),
        *_of_test(split.test, config),
    )


def _of_objective(split: Split, config: SearchConfig) -> Iterator[str]:
    stopping = config.training.early_stopping
    wanted = {config.search.objective: ("the objective", ", and the best trial is trial 0")}
    if stopping is not None and stopping.monitor is not None:
        wanted.setdefault(stopping.monitor, ("the monitor of early_stopping", ""))
    for metric, (role, effect) in wanted.items():
        name = "dev" if metric.startswith("val_") else "train"
        measured = _measured(metric, config)
        useless = _useless_targets(measured.metric, measured.targets)
        for place, part in _sets(split, config, name) if useless else ():
            target = _only_target(part, measured)
            if target is not None:
                yield (
                    f"{place} holds {target} alone, {part.count} examples: {metric}, {role}, is "
                    f"the same for every model{effect}. Give it other examples too, or choose "
                    'another metric, such as "val_loss".'
                )
                break


def _of_test(test: Part | None, config: SearchConfig) -> Iterator[str]:
    if test is None:
        return
    for metric in history_names(config.outputs):
        target = _only_target(test, _measured(metric, config))
        if target is not None:
            yield (
                f"the test set holds {target} alone, {test.count} examples: {metric} is the "
                "same for every model there. Give it other examples too."
            )


def _sets(split: Split, config: SearchConfig, name: str) -> Iterator[tuple[str, Part]]:
    """Yield the train or the dev set of every fold, and what to call it."""
    folds = config.training.folds
    for fold in range(folds):
        of_fold = f" of fold {fold + 1} of {folds}" if folds > 1 else ""
        yield f"the {name} set{of_fold}", getattr(fold_split(split, config, fold), name)


class _Measured(NamedTuple):
    """The metric and the output that a name in a history is of, and the targets of the output."""

    output: str
    metric: str
    targets: Targets | None


def _measured(name: str, config: SearchConfig) -> _Measured:
    outputs = config.outputs
    output, metric = split_name(name, [each.name for each in outputs])
    if len(outputs) == 1:
        output, metric = outputs[0].name, name.removeprefix("val_")
    targets = {each.name: each.targets for each in outputs}
    return _Measured(output, metric, targets.get(output))


def _only_target(part: Part, measured: _Measured) -> str | None:
    """Return the only target of the examples, if the metric is then the same for every model."""
    output, metric, targets = measured
    useless = _useless_targets(metric, targets)
    if isinstance(part, Stream) or not useless:
        return None
    y = part.y[output] if output else part.y
    first = y[0]
    if not (y == first).all():
        return None
    if targets == "numbers":
        return "the target " + ", ".join(f"{number:g}" for number in first)
    return f"class {int(first[0])}" if int(first[0]) in useless else None


def _useless_targets(metric: str, targets: Targets | None) -> Collection[int]:
    """Return the targets that, if the only ones, make the metric the same for every model.

    For r2_score any target does.
    """
    # Keras numbers the metrics of one name.
    name = re.sub(r"_\d+$", "", metric.removeprefix(WEIGHTED))
    if targets == "numbers":
        return range(1) if name == "r2_score" else ()
    return SAME_FOR_ALL.get(name, ()) if targets == "binary" else ()
