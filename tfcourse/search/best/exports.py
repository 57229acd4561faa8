"""A trial's model written in other formats, each compared with the model itself."""

import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from tfcourse.data.nested import map_arrays
from tfcourse.errors import InputError, WorkFailedError, error_line
from tfcourse.files import translate_disk_errors
from tfcourse.models.fold import fold_report
from tfcourse.models.saving import load_model, why_not_loadable
from tfcourse.search.best.formats import CODECS
from tfcourse.search.best.targets import Target
from tfcourse.search.best.trial import TrialView
from tfcourse.search.config.load import load_config
from tfcourse.search.data.loading import load_split
from tfcourse.types import Array, KerasModel

__all__ = ["Export", "export_model"]

# The examples of a comparison, and the largest admissible difference as a share of the largest
# prediction. Models in float32 differ by 1e-6, those in float16 by 1e-3.
MOST_EXAMPLES = 1024
TOLERANCE = 1e-2


@dataclass(frozen=True)
class Export:
    """A model in another format.

    Attributes:
        format: The format.
        path: The file or folder.
        difference: The largest difference of its predictions and the trained model's.
        inputs: The examples of the comparison, in words.
        notes: What else is to be said, such as the layers that were not folded.
    """

    format: str
    path: str
    difference: float
    inputs: str
    notes: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The export in words."""
        text = f"{self.path} (largest difference of predictions {self.difference:.2g}, "
        return [f"{self.format:<12}{text}{self.inputs})", *self.notes]


@translate_disk_errors()
def export_model(view: TrialView, targets: Sequence[Target]) -> list[Export]:
    """Write a trial's model in other formats.

    Each file is written beside its target, loaded again, compared with the trained model, and only
    then renamed.

    Args:
        view: The trial.
        targets: The formats and paths, as `check_targets` returns them.

    Raises:
        InputError: The model is not on disk, or takes several inputs or the columns of a table.
        WorkFailedError: The model can't be written in a format, or predicts something else there.
    """
    number = view.trial.trial
    if view.model is None:
        raise InputError(
            f"{view.search.directory}: the model of trial {number} is not on disk. The program "
            f"that tfcourse best {view.search.directory} --trial {number} prints trains it."
        )
    examples, source = _examples(view.search.directory)
    try:
        trained = load_model(view.model, compile=False)
        plain = keras.models.load_model(view.model, compile=False)
    except (OSError, TypeError, ValueError) as error:
        raise WorkFailedError(f"{view.model}: {why_not_loadable(error)}") from error
    if len(trained.inputs) != 1 or len(trained.outputs) != 1:
        raise InputError(
            f"{view.model}: a model with one input and one output can be exported. Received: "
            f"{len(trained.inputs)} inputs and {len(trained.outputs)} outputs."
        )
    x, source = _inputs(trained, examples, source)
    expected = np.asarray(trained(x, training=False))
    plain(x[:1], training=False)  # Keras exports to ONNX only what was called
    words = f"{len(x)} {source}"
    return [_export(plain, target, x, expected, words) for target in targets]


def _export(model: KerasModel, target: Target, x: Array, expected: Array, words: str) -> Export:
    path, codec = target.path, CODECS[target.format]
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    option = f"--{target.format}"
    try:
        try:
            codec.write(model, temporary)
            predictions = codec.predict(temporary, x)
            notes = _notes(model) if target.format == "fold" else ()
        except OSError:
            raise
        except Exception as error:
            raise WorkFailedError(
                f"{option}: the model can't be exported ({error_line(error)}). Nothing was written."
            ) from error
        difference = float(np.max(np.abs(predictions - expected)))
        if not difference <= TOLERANCE * max(1.0, float(np.max(np.abs(expected)))):
            raise WorkFailedError(
                f"{option}: the exported model's predictions differ by {difference:.2g} "
                f"({words}). Nothing was written."
            )
        _replace(temporary, path)
    finally:
        _remove(temporary)
    return Export(target.format, str(path), difference, words, notes)


def _replace(temporary: Path, path: Path) -> None:
    """Rename a file or folder; a folder that is replaced is moved aside first."""
    if not path.is_dir():
        temporary.replace(path)
        return
    aside = temporary.with_name(f"{temporary.name}-old")
    path.rename(aside)
    temporary.rename(path)
    shutil.rmtree(aside, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _notes(model: KerasModel) -> tuple[str, ...]:
    report = fold_report(model)
    notes = (f'"{name}" was not folded: {reason}.' for name, reason in report.left.items())
    return (f"{len(report.folded)} batch-norm layers were folded.", *notes)


def _examples(directory: Path) -> tuple[Array | None, str]:
    """Return examples of the dev and test set and their name, or None where they are missing.

    It also imports the module of the builder, whose layers Keras finds then.
    """
    try:
        config = directory / "config.toml"
        split = load_split(load_config(config))
    except (InputError, WorkFailedError) as error:
        reason = str(error).splitlines()[-1].removeprefix(f"{config}: ").strip().rstrip(".")
        return None, f"random inputs, as the data is missing: {reason}"
    if not split.is_encoded:
        raise InputError(
            f"{directory}: the model takes the columns of a table, texts and numbers, and models "
            "of one array are exported. Export the model behind them yourself, "
            "tfcourse.load_run(...).model.layers[-1], and encode the columns before it."
        )
    if split.test is None:
        return split.dev.rows(slice(MOST_EXAMPLES)).x, "examples of the dev set"
    parts = [part.rows(slice(MOST_EXAMPLES)).x for part in (split.dev, split.test)]
    x = map_arrays(lambda *both: np.concatenate(both)[:MOST_EXAMPLES], *parts)
    return x, "examples of the dev and test sets"


def _inputs(model: KerasModel, examples: Array | None, source: str) -> tuple[Array, str]:
    """Return the examples in the type of the model's input, or random ones of its shape.

    Args:
        model: The model.
        examples: The examples; None if there are none.
        source: Their name, or the reason why there are none.

    Returns:
        The inputs and their name.
    """
    (entry,) = model.inputs
    shape = tuple(1 if size is None else size for size in entry.shape[1:])
    if examples is not None:
        if _fits(entry.shape, examples.shape):
            return examples.astype(entry.dtype), source
        source = f"random inputs, as the data has another shape now: {examples.shape[1:]}"
    rng = np.random.default_rng(0)
    if entry.dtype.startswith("float"):
        return rng.normal(size=(64, *shape)).astype(entry.dtype), source
    return rng.integers(0, 2, (64, *shape)).astype(entry.dtype), source


def _fits(expected: Sequence[int | None], shape: Sequence[int]) -> bool:
    """Return True if a shape is the expected one, in which None stands for any size."""
    pairs = zip(expected, shape, strict=False)
    return len(expected) == len(shape) and all(size in (None, n) for size, n in pairs)
