"""The end of a search: the record is completed, and the best model measured."""

from dataclasses import replace

from tfcourse.console import one_line
from tfcourse.data.splits import Part
from tfcourse.errors import WorkFailedError
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.trial_record import rank
from tfcourse.search.results.findings import findings
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.errors import SearchFailedError, lost_model
from tfcourse.search.store.journal import SearchJournal
from tfcourse.search.store.summary import Summary
from tfcourse.types import KerasModel, TrainingData

__all__ = ["complete_record", "measure_best"]


def complete_record(journal: SearchJournal) -> bool:
    """Write all of the record but the test scores, and return whether those are missing.

    Each best model is measured once, and every measurement is kept.

    Raises:
        SearchFailedError: Every trial failed.
        WorkFailedError: The best model is lost.
    """
    journal.tidy()
    best, directory, trials = journal.best, journal.directory, journal.by_number
    if best is None:
        first = trials[min(trials)]
        raise SearchFailedError(
            f"All {len(trials)} trials failed; the first with: {one_line(first.message)} "
            f"Each trial's reason is in {directory.results}."
        )
    if directory.best_trial() != best.trial:
        raise lost_model(directory.best, best.trial)
    summary = directory.read_summary()
    if summary is None or summary.trial != best.trial:
        return True
    config = journal.config
    lines = findings(config.space, trials.values(), rank(trials.values(), config.direction))
    whole = replace(
        summary, objective=config.search.objective, score=best.score or 0.0, findings=tuple(lines)
    )
    if (whole, whole.findings) != (summary, summary.findings):
        # Damaged, or there are more trials, or one was run again and its score rounded otherwise.
        directory.write_summary(whole)
    return False


def measure_best(
    config: SearchConfig, directory: RunDirectory, best: int, trials: int, test: Part
) -> None:
    """Measure the best model on the test set, and write the summary.

    Args:
        config: The search.
        directory: Its run directory, see `complete_record`.
        best: The best trial.
        trials: The number of trials on record.
        test: The test set.

    Raises:
        WorkFailedError: The best model is lost, or can't be loaded.
    """
    from tfcourse.models.saving import load_model, why_not_loadable

    record = directory.read_trial(best)
    if record is None:
        raise lost_model(directory.best, best)
    try:
        model = load_model(directory.best)
    except Exception as error:
        raise WorkFailedError(
            f"{directory.best}: the best trial's, {best}, {why_not_loadable(error)} Then "
            "the same command continues; what is in the file itself needs --fresh."
        ) from error
    metrics = _metrics(model, test)
    objective, score, earlier = config.search.objective, record.score, directory.read_summary()
    summary = Summary.with_measurement(earlier, best, objective, score or 0.0, metrics, trials)
    records = directory.read_trials().values()
    lines = findings(config.space, records, rank(records, config.direction))
    directory.write_summary(replace(summary, findings=tuple(lines)))


def _metrics(model: KerasModel, test: Part) -> dict[str, float]:
    """Return the metrics on the test set; one batch is computed sooner than a program is traced."""
    import numpy as np
    import tensorflow as tf

    from tfcourse.search.trials.trial import LARGEST_BATCH
    from tfcourse.training.evaluate import evaluate

    if len(test.x) <= LARGEST_BATCH:
        model.run_eagerly = True
    x: TrainingData = test.x
    y: TrainingData | None = test.y
    if x.dtype == np.float64:  # an array would become float32 before the model can scale it
        x, y = tf.data.Dataset.from_tensor_slices((x, y)).batch(LARGEST_BATCH), None
    metrics: dict[str, float] = evaluate(
        model, x, y, batch_size=LARGEST_BATCH, verbose=0, return_dict=True
    )
    return metrics
