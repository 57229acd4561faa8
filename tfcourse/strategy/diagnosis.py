"""Bias, variance, data mismatch or an overfitted dev set: the largest gap says what to do next."""

import math
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any, TypeAlias

from rich.table import Table

from tfcourse.errors import InputError, one_of, shown
from tfcourse.hyperparameters import is_number
from tfcourse.search.results.layout import Printable, table_of
from tfcourse.strategy.gaps import ADVICE, LEVELS, NEGATIVE, Gap, gaps_between, lead_error
from tfcourse.types import KerasModel, TrainingData

__all__ = ["Diagnosis", "Gap", "diagnose", "diagnose_model"]

# An (x, y) or data that `tfcourse.evaluate` takes alone, such as a dataset.
Examples: TypeAlias = TrainingData | tuple[TrainingData, TrainingData] | None


@dataclass(frozen=True, repr=False)
class Diagnosis(Printable):
    """The gaps between the errors of a model, and the course's advice; ``print`` shows a table.

    Attributes:
        errors: The error rate of each known level, in [0, 1].
        sizes: The number of examples of each level where it is known.
        gaps: The gaps between neighbours among the known levels.
    """

    errors: Mapping[str, float]
    sizes: Mapping[str, int]
    gaps: tuple[Gap, ...]

    @property
    def largest(self) -> Gap | None:
        """The largest gap (the first one in a tie); None if none is above 0."""
        gap = max(self.gaps, key=lambda gap: gap.size)
        return gap if gap.size > 0 else None

    @property
    def advice(self) -> tuple[str, ...]:
        """The course's advice for the largest gap, a text for each of its names."""
        return tuple(ADVICE[name] for name in self.largest.names) if self.largest else ()

    @property
    def is_distinguishable(self) -> bool | None:
        """True if the largest gap is 2 standard errors above 0 and above the next one.

        None without the sizes of the sets, and if no gap is above 0.
        """
        if self.largest is None or self.largest.standard_error is None:
            return None
        return not self.largest.is_uncertain and not self._rivals()

    def _rivals(self) -> list[Gap]:
        """Return the gaps whose distance to the largest one is within two standard errors."""
        rivals = []
        for gap in self.gaps:
            if gap is not self.largest and self.largest is not None:
                error = lead_error(self.errors, self.sizes, (self.largest, gap))
                if error is not None and self.largest.size - gap.size < 2 * error:
                    rivals.append(gap)
        return rivals

    def rich_tables(self, top: int | None = None) -> list[Table]:
        """Return the table of the errors and the gaps between them."""
        by_end = {gap.end: gap for gap in self.gaps}
        rows = [["level", "error", "gap", "± SE", "what it measures"]]
        for level in self.errors:
            cells = [level, f"{self.errors[level]:.2%}", "", "", ""]
            if gap := by_end.get(level):
                error = "" if gap.standard_error is None else f"{100 * gap.standard_error:.2f}"
                mark = " (the largest)" if gap is self.largest else ""
                cells[2:] = [f"{100 * gap.size:+.2f}", error, gap.name + mark]
            rows.append(cells)
        uncertain = any(gap.standard_error is not None for gap in self.gaps)
        columns = [n for n in range(5) if n != 3 or uncertain]
        return [table_of([[row[n] for n in columns] for row in rows], "", wrap=True)]

    def lines(self) -> list[str]:
        """Return the advice, the doubts, and the reasons of gaps below 0."""
        lines = self._advice_lines()
        lines += [
            f"{gap.name} is below 0: {NEGATIVE[name]}."
            for gap in self.gaps
            if gap.size < 0
            for name in gap.names
        ]
        if "human" not in self.errors and "train" in self.errors:
            lines.append(
                "Without the human level the avoidable bias is unknown: at most the train error, "
                f"{self.errors['train']:.2%}."
            )
        return lines

    def _advice_lines(self) -> list[str]:
        largest = self.largest
        if largest is None:
            return ["No gap is above 0: the errors give no advice."]
        pairs = zip(largest.names, self.advice, strict=True)
        lines = [f"{name}: {advice}." for name, advice in pairs]
        if largest.is_uncertain:
            lines.append(
                "The largest gap is within 2 standard errors (SE) of 0: sets of this size can't "
                f"tell {largest.name} from chance."
            )
        elif rivals := self._rivals():
            names = ", ".join(gap.name for gap in rivals)
            lines.append(f"The largest gap is not distinguishable in size from: {names}.")
        return lines


def diagnose(
    human: float | None = None,
    train: float | None = None,
    train_dev: float | None = None,
    dev: float | None = None,
    test: float | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
) -> Diagnosis:
    """Return the gaps between error rates, the largest one, and the course's advice (6.3).

    From human to train: avoidable bias. From train to train-dev, new data of the training
    distribution: variance. From train-dev to dev: data mismatch. From dev to test: overfitting of
    the dev set. Without a level, the gap between its neighbours has both names: without
    ``train_dev``, from train to dev is variance + data mismatch, which is variance alone if train
    and dev have one distribution.

        print(tfcourse.strategy.diagnose(human=0.01, train=0.07, dev=0.10))

    Args:
        human: The error rate of people, or the best one known: an estimate of the Bayes error.
        train: That of the model on its training set, all rates in [0, 1].
        train_dev: On data of the training distribution that it was not trained on.
        dev: On the dev set.
        test: On the test set.
        sizes: The number of examples by level, such as ``{"dev": 500}``: each gap then has its
            standard error, see `tfcourse.strategy.gaps.difference_error`. A level without a size
            counts as exact. The sets count as independent.

    Raises:
        InputError: A rate is not in [0, 1], fewer than two are known, or a size is not positive.

    Source: Ng 2018, "Machine Learning Yearning", chapters 20 to 43; course 6.3 and 6.5.
    """
    values = (human, train, train_dev, dev, test)
    errors = {level: v for level, v in zip(LEVELS, values, strict=True) if v is not None}
    for level, value in errors.items():
        if not is_number(value) or not 0 <= value <= 1:
            raise InputError(
                f"diagnose: {level} must be an error rate in [0, 1], such as 0.08 for 8 %. "
                f"Received: {shown(value)}."
            )
    if len(errors) < 2:
        raise InputError(
            "diagnose: a gap needs the error rates of at least two of "
            f"{', '.join(LEVELS)}. Received: {', '.join(errors) or 'none'}."
        )
    sizes = {} if sizes is None else dict(sizes)
    for level, size in sizes.items():
        if level not in errors:
            raise InputError(one_of("diagnose: sizes: the level", level, errors))
        if not is_number(size) or not (math.isfinite(size) and size >= 1 and size == int(size)):
            raise InputError(
                f"diagnose: sizes: {level} must be a whole number of examples, at least 1. "
                f"Received: {shown(size)}."
            )
    errors = {level: float(value) for level, value in errors.items()}
    return Diagnosis(errors, sizes, gaps_between(errors, sizes))


def diagnose_model(
    model: KerasModel,
    *,
    human: float | None = None,
    train: Examples = None,
    train_dev: Examples = None,
    dev: Examples = None,
    test: Examples = None,
    metric: str | None = None,
    batch_size: int | None = None,
) -> Diagnosis:
    """Return `diagnose` of a model's error rates, each 1 minus its accuracy by `evaluate`.

    Dropout and augmentation layers are off, also on the training set. The sizes of sets in memory
    are known, and with them the standard errors.

        diagnosis = tfcourse.strategy.diagnose_model(
            model, human=0.01, train=(x, y), dev=(x_dev, y_dev)
        )
        print(diagnosis.largest.name, diagnosis.advice)

    Args:
        model: A compiled classifier with an accuracy among its metrics.
        human: As for `diagnose`.
        train: The training set, as all of the sets an (x, y), or what `tfcourse.evaluate` takes
            alone, such as a ``tf.data.Dataset``.
        train_dev: As for `diagnose`.
        dev: The dev set.
        test: The test set.
        metric: The name of the accuracy; None for the first metric whose name ends with
            ``accuracy`` or ``acc``.
        batch_size: The examples of a batch, as for ``model.evaluate``.

    Raises:
        InputError: The model has no such metric, or a set does not suit it.
    """
    from tfcourse.training.evaluate import evaluate

    errors: dict[str, float | None] = {"human": human}
    sizes: dict[str, int] = {}
    sets = {"train": train, "train_dev": train_dev, "dev": dev, "test": test}
    for level, data in sets.items():
        if data is None:
            continue
        x, y = data if isinstance(data, tuple) and len(data) == 2 else (data, None)
        logs = evaluate(model, x, y, batch_size=batch_size, verbose=0, return_dict=True)
        errors[level] = 1 - _accuracy(logs, metric)
        if isinstance(y, Sized):
            sizes[level] = len(y)
    return diagnose(**errors, sizes=sizes)


def _accuracy(logs: Mapping[str, Any], metric: str | None) -> float:
    names: Sequence[str] = [n for n in logs if n.endswith(("accuracy", "acc"))]
    if metric is not None:
        names = [metric] if metric in logs else []
    if not names:
        wanted = 'with metrics=["accuracy"]' if metric is None else f'with the metric "{metric}"'
        raise InputError(
            f"diagnose_model: model must be compiled {wanted}, from which its error rate comes. "
            f"Received: {', '.join(logs)}."
        )
    return float(logs[names[0]])
