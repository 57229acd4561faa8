"""A trained model of a search, for examples as the search's data has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfcourse.data.frames import as_array
from tfcourse.data.nested import named
from tfcourse.errors import InputError, one_of, shown
from tfcourse.search.best.model_inputs import model_inputs
from tfcourse.search.config.metrics import AnyTargets, Targets
from tfcourse.search.data.targets import encode_labels
from tfcourse.training.evaluate import evaluate
from tfcourse.training.predict import predict
from tfcourse.types import Array, DataFrame, KerasModel, SampleWeight, TensorLike, TrainingData

__all__ = ["Predictor", "class_probabilities", "predict_outputs"]

# The rows of a batch; the results do not depend on it.
BATCH_SIZE = 1024


@dataclass(frozen=True)
class Predictor:
    """A trained model of a search and its record, as `tfcourse.load_run` returns it.

    Attributes:
        directory: The run directory.
        trial: The number of the trial.
        values: The trial's hyperparameters.
        score: The trial's score, of the search's objective.
        targets: The targets of the loss: ``"labels"``, ``"one_hot"``, ``"binary"`` (0 or 1) or
            ``"numbers"`` (a regression); a dict of them by output.
        classes: The names of the classes in the order of the outputs; None if the data has
            class numbers, or if it is a regression.
        features: The columns of x in the order of the model; None if the data was no table.
        model: The compiled model, which takes the examples as the data has them: normalization is
            a part of it.
    """

    directory: Path
    trial: int
    values: Mapping[str, Any]
    score: float | None
    targets: AnyTargets
    classes: tuple[str | int, ...] | None
    features: tuple[str, ...] | None
    model: KerasModel = field(repr=False)

    def predict(self, x: TrainingData | DataFrame) -> Any:
        """Return the outputs of the model: probabilities of the classes, or numbers.

        Args:
            x: The examples as the search's data has them: an array, a ``tf.data.Dataset`` of
                batches, a table of pandas or a dict of columns, or a dict of arrays for a model
                with several inputs. A table's columns may be in another order, or more than x had.

        Returns:
            An array of shape ``(examples, classes)``, ``(examples, 1)`` for the probability of
            class 1 alone, or ``(examples, outputs)`` for a regression; a dict of arrays by output.

        Raises:
            InputError: The examples do not suit the model.
        """
        return predict_outputs(self.model, x, self.features)

    def predict_classes(self, x: TrainingData | DataFrame) -> Any:
        """Return the most probable class of each example: its name, or its number without names.

        Of several outputs a dict, without those that are numbers.

        Args:
            x: As for `predict`.

        Raises:
            InputError: It is a regression, or the examples do not suit the model, or a prediction
                is NaN: the largest of its numbers would name a class all the same.
        """
        if self.targets == "numbers":
            raise InputError(
                f"{self.directory} is the search of a regression, which has no classes: "
                ".predict(x) returns its numbers."
            )
        outputs = self.predict(x)
        if isinstance(self.targets, Mapping):
            return {
                name: _most_probable(outputs[name])
                for name, targets in self.targets.items()
                if targets != "numbers"
            }
        numbers: npt.NDArray[Any] = _most_probable(outputs)
        return numbers if self.classes is None else np.asarray(self.classes)[numbers]

    def evaluate(
        self, x: TrainingData | DataFrame, y: TensorLike, sample_weight: SampleWeight = None
    ) -> dict[str, float]:
        """Return the loss and the metrics of the search on other examples.

        Args:
            x: As for `predict`.
            y: Their targets as the search's data has them: class names or numbers, or numbers to
                predict; a dict of them by output.
            sample_weight: A weight for each example, or None.

        Raises:
            InputError: x or y does not suit the model, or y holds another class.
        """
        targets = self._encoded(y)
        x = model_inputs(self.model, x, self.features)
        if isinstance(x, tf.data.Dataset):
            parts = (targets,) if sample_weight is None else (targets, np.asarray(sample_weight))
            rest = tf.data.Dataset.from_tensor_slices(parts).batch(BATCH_SIZE)
            x = tf.data.Dataset.zip(x, rest).map(lambda examples, others: (examples, *others))
            return dict(evaluate(self.model, x, verbose=0, return_dict=True))
        metrics: dict[str, float] = evaluate(
            self.model, x, targets, BATCH_SIZE, 0, sample_weight, return_dict=True
        )
        return metrics

    def _encoded(self, y: TensorLike) -> Any:
        """Return targets as the loss takes them; a dict of them by output."""
        if not isinstance(self.targets, Mapping):
            outputs = int(self.model.output_shape[-1])
            return _encoded(as_array(y, "y"), "y", self.targets, outputs, self.classes)
        if not isinstance(y, Mapping) or {*y} != {*self.targets}:
            received = list(y) if isinstance(y, Mapping) else type(y).__name__
            raise InputError(
                f"y must be a dict of the outputs {shown(list(self.targets))}. Received: "
                f"{shown(received)}."
            )
        encoded = {}
        for name, targets in self.targets.items():
            array, outputs = as_array(y[name], named("y", name)), self.model.output[name].shape[-1]
            encoded[name] = _encoded(array, named("y", name), targets, outputs)
        return encoded


def _encoded(
    y: npt.NDArray[Any],
    title: str,
    targets: Targets,
    outputs: int,
    classes: tuple[Any, ...] | None = None,
) -> npt.NDArray[Any]:
    """Return the targets of one output as its loss takes them."""
    if targets == "numbers":
        return y.reshape(len(y), -1)
    count = 2 if targets == "binary" else outputs
    known: tuple[Any, ...] = classes or tuple(range(count))
    number_of = {name: number for number, name in enumerate(known)}
    labels = (y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y).tolist()
    unknown = [label for label in labels if not _is_in(label, number_of)]
    if unknown:
        raise InputError(f"evaluate: {one_of(title, unknown[0], known)}")
    numbers = np.array([number_of[label] for label in labels], np.int64)
    return encode_labels(numbers, count, targets)


def predict_outputs(
    model: KerasModel, x: TrainingData | DataFrame, features: Sequence[str] | None = None
) -> Any:
    """Return the outputs of a trained model, see `Predictor.predict`."""
    return predict(model, model_inputs(model, x, features), BATCH_SIZE, verbose=0)


def class_probabilities(outputs: Array) -> Array:
    """Return the probabilities of all classes; a single column is that of class 1 of two."""
    return np.hstack([1 - outputs, outputs]) if outputs.shape[-1] == 1 else outputs


def _most_probable(outputs: Array) -> npt.NDArray[np.int64]:
    """Return the number of the most probable class; raise InputError if a row has a NaN."""
    rows = np.flatnonzero(np.isnan(outputs.reshape(len(outputs), -1)).any(axis=1))
    if len(rows):
        raise InputError(
            f"x: the prediction for {len(rows)} of {len(outputs)} examples is NaN, the first in "
            f"row {rows[0]}. Fill or leave out the values that are missing there."
        )
    numbers: npt.NDArray[np.int64] = class_probabilities(outputs).argmax(axis=-1)
    return numbers


def _is_in(label: object, known: Mapping[Any, int]) -> bool:
    try:
        return label in known
    except TypeError:  # a row of a one-hot y
        return False
