"""Probabilities that are as sure as they are right: one temperature, from the dev set."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from rich.table import Table

from tfcourse.data.frames import as_examples
from tfcourse.errors import InputError, shown
from tfcourse.formulas.calibration import best_temperature, two_class_logits
from tfcourse.hyperparameters import is_number
from tfcourse.search.results.layout import Printable, table_of
from tfcourse.strategy.labels import class_numbers
from tfcourse.strategy.reliability import Reliability, draw_reliability, measure_reliability
from tfcourse.types import Array, KerasModel, Nested, TensorLike

if TYPE_CHECKING:
    from tfcourse.models.logits import LogitsModel

__all__ = ["Calibration", "calibrate"]


@dataclass(frozen=True, repr=False)
class Calibration(Printable):
    """A temperature, and the reliability of a model without and with it; ``print`` shows both.

    Attributes:
        temperature: T; above 1 the model was too sure.
        before: The reliability on the dev set as the model was, T = 1.
        after: The reliability on the dev set with T.
        notes: What limits it, a text each.
        logits: The model's logits.
    """

    temperature: float
    before: Reliability
    after: Reliability
    notes: tuple[str, ...]
    logits: "LogitsModel"

    def model(self) -> KerasModel:
        """Return a Keras model whose outputs are calibrated probabilities.

        It is a copy of the model (of a subclassed model, one that calls it) that divides its
        logits by T: the most probable class is the same. It is not compiled, and loads without
        tfcourse if `tfcourse.swap` can exchange tfcourse's layers.
        """
        from tfcourse.models.logits import with_temperature

        return with_temperature(self.logits, self.temperature)

    def apply(self, x: Nested) -> Array:
        """Return the calibrated probabilities of examples, as ``model().predict`` does."""
        from tfcourse.training.predict import predict

        return np.asarray(predict(self.model(), _arrays(x), verbose=0))

    def measure(self, x: Nested, y: TensorLike) -> Reliability:
        """Return the reliability with T on other data, such as the test set.

        Args:
            x: Examples.
            y: Their labels, as for `calibrate`.
        """
        z, labels = _logits_and_labels(self.logits, x, y)
        return measure_reliability(z, labels, self.temperature, len(self.after.bins.sizes))

    def plot(self, path: str | Path) -> None:
        """Draw the reliability before and after into a .png, .svg or .pdf file."""
        parts = {"T = 1": self.before, f"T = {self.temperature:.3g}": self.after}
        draw_reliability(parts, path)

    def rich_tables(self, top: int | None = None) -> Sequence[Table]:
        """Return the table of the measures before and after."""
        rows = [["", "T", "calibration error", "loss", "accuracy"]]
        for name, temperature, part in (
            ("as it was", 1.0, self.before),
            ("calibrated", self.temperature, self.after),
        ):
            numbers = (f"{temperature:.4g}", f"{part.error:.2%}", f"{part.loss:.4f}")
            rows.append([name, *numbers, f"{part.accuracy:.2%}"])
        return [table_of(rows, "")]

    def lines(self) -> list[str]:
        """Return the notes."""
        return list(self.notes)


def calibrate(
    model: KerasModel,
    x: Nested,
    y: TensorLike,
    *,
    bins: int = 15,
    bounds: tuple[float, float] = (0.01, 100.0),
) -> Calibration:
    """Find the temperature T at which a classifier's probabilities fit the dev set best.

    ``softmax(z/T)`` (of one yes-or-no output ``sigmoid(z/T)``) with the T in ``bounds`` of the
    least negative log-likelihood, a convex problem in 1/T. The order of the classes, and with it
    the accuracy, is the same. The expected calibration error is ``Σ n_i/m |accuracy_i -
    confidence_i|`` over bins of the confidence, of equal width.

    Calibrate on the dev set: a training set that the model knows by heart says that it is always
    right. After more training, calibrate again.

        calibration = tfcourse.calibrate(model, x_dev, y_dev)
        print(calibration.temperature, calibration.before.error, calibration.after.error)
        calibration.model().save("calibrated.keras")

    Args:
        model: A classifier that ends in softmax, in one sigmoid, or in logits.
        x: Examples of the dev set; a dict or list of arrays for several inputs.
        y: Their class numbers, or one-hot rows; 0 or 1 for a yes-or-no output.
        bins: The number of bins of the calibration error.
        bounds: The least and the largest T.

    Raises:
        InputError: The model has several outputs or yes-or-no outputs, its outputs are not finite,
            the labels don't fit them, or a setting is not admissible.

    Source: Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks",
    arXiv:1706.04599, sections 2 and 4.2.
    """
    import keras

    from tfcourse.models.logits import logits_copy
    from tfcourse.training.predict import predict

    _check_settings(bins, bounds)
    examples = _arrays(x)
    if not all(len(part) for part in keras.tree.flatten(examples)):
        raise InputError("calibrate: x must hold at least one example. Received: none.")
    logits = logits_copy(model, examples, predict(model, examples, verbose=0))
    z, labels = _logits_and_labels(logits, examples, y)
    temperature = best_temperature(z, labels, bounds)
    before, after = (measure_reliability(z, labels, t, bins) for t in (1.0, temperature))
    notes = _notes(z, labels, temperature, bounds, logits.is_exact)
    return Calibration(temperature, before, after, notes, logits)


def _logits_and_labels(
    logits: "LogitsModel", x: Nested, y: TensorLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return the logits of at least two classes, (m, C), and the true classes, (m,)."""
    from tfcourse.training.predict import predict

    outputs = np.asarray(predict(logits.model, _arrays(x), verbose=0))
    labels = class_numbers(y, outputs.shape, "calibrate")
    z = outputs.reshape(-1, outputs.shape[-1]).astype(np.float64)
    return two_class_logits(z) if logits.kind == "sigmoid" else z, labels


def _arrays(x: Nested) -> Nested:
    """Return the examples as arrays: one, or one for each of several inputs."""
    if isinstance(x, dict):
        return {name: as_examples(part, f"x[{name!r}]") for name, part in x.items()}
    if isinstance(x, tuple) or (isinstance(x, list) and x and np.ndim(x[0]) > 1):
        return [as_examples(part, f"x[{number}]") for number, part in enumerate(x)]
    return as_examples(x, "x")


def _check_settings(bins: int, bounds: tuple[float, float]) -> None:
    if not is_number(bins, Integral) or bins < 1:
        raise InputError(f"calibrate: bins must be a whole number >= 1. Received: {shown(bins)}.")
    pair = isinstance(bounds, tuple | list) and len(bounds) == 2 and all(map(is_number, bounds))
    if not pair or not 0 < bounds[0] < bounds[1] < float("inf"):
        raise InputError(
            "calibrate: bounds must be the least and the largest temperature, both positive. "
            f"Received: {shown(bounds)}."
        )


def _notes(
    z: Array, labels: Array, temperature: float, bounds: tuple[float, float], is_exact: bool
) -> tuple[str, ...]:
    notes = []
    if temperature == bounds[0]:
        notes.append(
            f"T is at its least, {temperature:g}: nearly every example is right, and the loss "
            "falls as T goes to 0. Take more examples of the dev set, among them mistakes."
        )
    if temperature == bounds[1]:
        notes.append(
            f"T is at its largest, {temperature:g}: the logits tell less of these labels than "
            "none would. Look for labels in another order."
        )
    absent = sorted({*range(z.shape[1])} - {*np.unique(labels).tolist()})
    if absent:
        listed = ", ".join(map(str, absent[:8])) + (", …" if len(absent) > 8 else "")
        notes.append(f"No example of these classes is among them: {listed}.")
    if not is_exact:
        notes.append(
            "The model's logits are not visible: they are logarithms of its probabilities, which "
            "are inexact where those are rounded to 0 or 1."
        )
    return tuple(notes)
