"""The end of a search: the record is completed, and the best model measured."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import count

from tfcourse.console import one_line
from tfcourse.data.sparse import has_sparse
from tfcourse.data.splits import Part, Split
from tfcourse.data.streams.stream import Stream
from tfcourse.errors import WorkFailedError
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.trial_record import rank
from tfcourse.search.results.findings import findings
from tfcourse.search.results.outcomes import WIDER_LIMITS
from tfcourse.search.results.tensorboard import write_events
from tfcourse.search.scheduler.scheduler import Scheduler
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.earlier_runs import stop_on_record
from tfcourse.search.store.errors import SearchFailedError, lost_model
from tfcourse.search.store.journal import SearchJournal
from tfcourse.search.store.summary import Measurement, Summary
from tfcourse.search.strategies.stopping import Stop, trials_that_count
from tfcourse.search.strategies.study import Records
from tfcourse.types import KerasModel

__all__ = ["complete_record", "conclude", "measure_best", "write_seconds"]


def conclude(journal: SearchJournal, scheduler: Scheduler, split: Split) -> None:
    """Complete the record, and measure the best model on the test set, if any, once.

    Raises:
        SearchFailedError: Every trial failed or breaks a limit.
        WorkFailedError: The best model is lost, or can't be loaded.
    """
    best = complete_record(journal, scheduler)
    if best is not None:
        measure_best(journal.config, journal.directory, best, split)
        write_seconds(journal, scheduler)


def complete_record(journal: SearchJournal, scheduler: Scheduler) -> int | None:
    """Write all of the record but the test scores; return the best trial if it has none yet.

    Each best model is measured once, and every measurement is kept.

    Args:
        journal: The record.
        scheduler: The scheduler, whose trials have all ended, or which a limit has ended.

    Raises:
        SearchFailedError: Every trial failed.
        WorkFailedError: The best model is lost.
    """
    stop = scheduler.stop
    journal.tidy(stop)
    write_events(journal.config, journal.directory, journal.by_number)
    best, directory, trials = journal.best, journal.directory, journal.trials_that_count
    if best is None:
        raise SearchFailedError(_without_best(trials), directory.results)
    if directory.best_trial() != best.trial:
        raise lost_model(directory.best, best.trial)
    stored = directory.read_summary()
    if stored is None or stored.trial != best.trial:
        return best.trial
    timed = journal.config.limits.max_seconds is not None
    seconds = round(scheduler.seconds, 3) if timed else stored.seconds
    whole = _summary(journal.config, trials, best.trial, stored.measurements, stop, seconds)
    if asdict(whole) != asdict(stored):
        # Damaged, or there are more trials, or one was run again and its score rounded otherwise.
        directory.write_summary(whole)
    return None


def _without_best(trials: Records) -> str:
    """Return the message of a search none of whose trials can be the best."""
    first = trials[min(trials)]
    message = f"All {len(trials)} trials failed; the first with: {one_line(first.message)}"
    infeasible = [r for _, r in sorted(trials.items()) if r.status == "infeasible"]
    if infeasible:
        message = (
            f"None of {len(trials)} trials is within [search.limits]; {len(infeasible)} completed, "
            f"the first of them, trial {infeasible[0].trial}: {one_line(infeasible[0].message)} "
            f"{WIDER_LIMITS}"
        )
    return message


def write_seconds(journal: SearchJournal, scheduler: Scheduler) -> None:
    """Write the seconds of a search with ``max_seconds`` into the summary of the measured model."""
    if journal.config.limits.max_seconds is not None:
        complete_record(journal, scheduler)


def measure_best(config: SearchConfig, directory: RunDirectory, best: int, split: Split) -> None:
    """Measure the best model on the test set, and write the summary.

    Args:
        config: The search.
        directory: Its run directory.
        best: The best trial, see `complete_record`.
        split: The data; without a test set the model is loaded only to see that it can.

    Raises:
        WorkFailedError: The best model is lost, or can't be loaded.
    """
    from tfcourse.models.saving import load_model, why_not_loadable
    from tfcourse.search.trials.building import compile_loaded

    records = directory.read_trials()
    if best not in records:
        raise lost_model(directory.best, best)
    try:
        model = load_model(directory.best)
        compile_loaded(model, config, records[best].values)
    except Exception as error:
        raise WorkFailedError(
            f"{directory.best}: the best trial's, {best}, {why_not_loadable(error)} Then "
            "the same command continues; what is in the file itself needs --fresh."
        ) from error
    stop = stop_on_record(config, directory, records)
    trials = trials_that_count(records, stop)
    stored = directory.read_summary()
    measurements = [] if stored is None else list(stored.measurements)
    if (test := split.raw_test) is not None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        metrics = _metrics(model, test, config.training.batch_size)
        measurements.append(Measurement(best, len(trials), metrics, now))
    seconds = 0.0 if stored is None else stored.seconds
    directory.write_summary(_summary(config, trials, best, measurements, stop, seconds))


def _summary(
    config: SearchConfig,
    records: Records,
    best: int,
    measurements: Sequence[Measurement],
    stop: Stop | None,
    seconds: float,
) -> Summary:
    """Return the summary of a search whose last measurement, if any, is that of the best trial.

    Args:
        config: The search.
        records: The trials that count.
        best: The best one.
        measurements: The measurements on the test set.
        stop: The limit that has ended the search, if any.
        seconds: The seconds that the search took.
    """
    ranking = rank(records.values(), config.direction, config.objectives[1:])
    return Summary(
        best,
        config.search.objective,
        records[best].score or 0.0,
        measurements[-1].test if measurements else {},
        tuple(measurements),
        tuple(
            findings(
                config.space,
                records.values(),
                ranking,
                config.training.schedule,
                config.search.objective,
                config.direction,
                config.search.score_at,
            )
        ),
        pruned=sum(record.status == "pruned" for record in records.values()),
        epochs_saved=sum(record.epochs_saved for record in records.values()),
        stopped=None if stop is None else stop.text,
        counted_trials=next(number for number in count() if number not in records),
        seconds=seconds,
    )


def _metrics(model: KerasModel, test: Part, size: int) -> dict[str, float]:
    """Return the metrics on the test set; one batch is computed sooner than a program is traced."""
    from tfcourse.search.trials.feeding import LARGEST_BATCH, evaluation_arguments
    from tfcourse.training.evaluate import evaluate

    if test.count <= LARGEST_BATCH and not isinstance(test, Stream) and not has_sparse(test.x):
        model.run_eagerly = True
    metrics: dict[str, float] = evaluate(
        model, **evaluation_arguments(test, size), verbose=0, return_dict=True
    )
    return metrics
