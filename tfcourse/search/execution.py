"""The work of a search: its missing trials, and the best model's one test."""

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from tfcourse.data.splits import Split
from tfcourse.errors import InputError
from tfcourse.models.build import BUILDERS
from tfcourse.models.lint import lint
from tfcourse.models.saving import load_model
from tfcourse.search.config import SearchConfig
from tfcourse.search.data import load_split
from tfcourse.search.display import SearchProgress
from tfcourse.search.engine.oracle import SearchOracle, propose
from tfcourse.search.engine.tuner import CourseTuner
from tfcourse.search.ledger import SearchLedger, TrialWriter
from tfcourse.search.outcome import SearchFailedError
from tfcourse.search.records import TrialRecord
from tfcourse.search.results import RunDirectory, Summary
from tfcourse.search.strategies import Records
from tfcourse.search.trial import TrialRunner, build_trial

__all__ = ["conclude", "execute", "prepare"]

PACKAGES = ("tfcourse", "tensorflow", "keras", "keras-tuner", "numpy")


def execute(
    config: SearchConfig, directory: RunDirectory, finished: Records, verbose: bool, fresh: bool
) -> None:
    """Runs the trials that are not finished in this process, then concludes the search.

    Args:
        config: The search.
        directory: Where its record goes.
        finished: The trials that are already there.
        verbose: Whether to show a progress bar.
        fresh: Whether to delete what the directory holds, once data and builder are checked.

    Raises:
        InputError: The data or the builder does not fit.
        SearchFailedError: Every trial failed.
    """
    split = prepare(config, directory, fresh)
    total = config.search.trials

    def on_end(record: TrialRecord, best: float | None) -> None:
        bar.advance(best)

    ledger = SearchLedger(config, directory, finished, on_end)
    done = sum(number < total for number in finished)
    bar = SearchProgress(
        config.search.name, total, done, ledger.best_score, Console(stderr=True), not verbose
    )
    if done < total:
        oracle = SearchOracle(config, total, finished, ledger)
        writer = TrialWriter(config, directory)
        tuner = CourseTuner(oracle, TrialRunner(config, split), directory.path, writer.add)
        try:
            with bar:
                tuner.search()
        except BaseException:
            ledger.break_off()
            raise
    conclude(config, directory, ledger, split)


def prepare(config: SearchConfig, directory: RunDirectory, fresh: bool) -> Split:
    """Checks data and builder, and makes the run directory ready; as `execute`."""
    split = load_split(config)
    _rehearse(config, split)
    if fresh:
        directory.delete()
    directory.create(config.as_toml(), {name: version(name) for name in PACKAGES})
    return split


def conclude(
    config: SearchConfig, directory: RunDirectory, ledger: SearchLedger, split: Split
) -> None:
    """Completes the record, and measures the best model on the test set: once, and it is kept.

    Raises:
        SearchFailedError: Every trial failed.
    """
    ledger.tidy()
    best = ledger.best
    if best is None:
        first = ledger.by_number[min(ledger.by_number)]
        raise SearchFailedError(
            f"All {len(ledger.by_number)} trials failed; the first with: {first.message} "
            f"Each trial's reason is in {directory.results}."
        )
    kept = directory.read_summary()
    if kept is None or kept.trial != best.trial:
        model = load_model(directory.best)
        test = model.evaluate(split.test.x, split.test.y, verbose=0, return_dict=True)
        score = best.score or 0.0
        directory.write_summary(Summary(best.trial, config.search.objective, score, test))


def _rehearse(config: SearchConfig, split: Split) -> None:
    """Builds trial 0's model, so that a builder that can't work fails before any training."""
    values = propose(config, 0, {}) or {}
    shape = split.train.x.shape[1:]
    try:
        model = build_trial(config, values, 0, shape, split.classes)
        if config.builder.name not in BUILDERS:
            _check_own_model(config.builder.name, model, shape)
    except InputError as error:
        raise InputError(f"{config.origin}: [model] {error}") from error
    except Exception as error:
        raise InputError(
            f'{config.origin}: [model] builder "{config.builder.name}" failed for {values} on '
            f"examples of shape {shape}: {type(error).__name__}: {error}"
        ) from error


def _check_own_model(name: str, model: Any, shape: tuple[int, ...]) -> None:
    """Refuses a model that the loss misreads, or that can't be loaded again at the end."""
    wrong = ("output_and_loss", "loss_and_labels", "sigmoid_classes")
    findings = [str(finding) for finding in lint(model) if finding.rule in wrong]
    if findings:
        raise InputError(f'builder "{name}" must end in probabilities, one a class: {findings[0]}')
    if not model.built:
        model.build((None, *shape))
    model.optimizer.build(model.trainable_variables)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        try:
            model.save(path)
            load_model(path)
        except Exception as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f'builder "{name}": its model can\'t be saved and loaded again '
                f"({type(error).__name__}: {reason}). Give layers of your own get_config and "
                "@keras.saving.register_keras_serializable(), and use no lambda."
            ) from error
