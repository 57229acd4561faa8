"""The score of a trial, from the histories of its trainings."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfcourse.errors import error_line, traceback_text
from tfcourse.search.records.score_at import BEST, averaged_epochs, scores_by_epoch
from tfcourse.search.strategies.pruning import TrialLimits
from tfcourse.training.non_finite.rule import logs_fault

__all__ = ["combine", "failure", "score_history"]

History = Mapping[str, Sequence[float]]


def score_history(
    history: History,
    objective: str,
    direction: str,
    limits: TrialLimits | None = None,
    earlier: Sequence[float] = (),
    score_at: str = BEST,
) -> dict[str, Any]:
    """Return status, score and its epochs of one finished training, as fields of a `TrialRecord`.

    Args:
        history: The values of each metric by epoch.
        objective: The metric that is the score.
        direction: ``"max"`` if a larger score is better, or ``"min"``.
        limits: The limits below which the trial is pruned, if there are any.
        earlier: The scores of the trial's trainings before this one.
        score_at: The epochs that count, see `tfcourse.search.records.score_at`.
    """
    scores = np.asarray(history[objective])
    for epoch in range(len(scores)):
        fault = logs_fault(epoch, {name: values[epoch] for name, values in history.items()})
        if fault is not None:
            message = f"{fault.message}: {history[fault.name][epoch]}."
            return {"status": "failed", "message": message, "history": history}
    score = float(scores_by_epoch(history[objective], direction, score_at)[-1])
    best = int(np.argmax(scores == score)) + 1 if score_at == BEST else len(scores)
    fields = {
        "score": score,
        "best_epoch": best,
        "averaged_epochs": averaged_epochs(score_at, len(scores)),
        "history": history,
    }
    if limits is None:
        return {"status": "completed", **fields}
    ended = [*earlier, score]
    expected = {}
    if (shift := limits.shifts.get(len(ended))) is not None:
        expected = {"expected_score": float(np.mean(ended)) + shift}
    if not earlier and (reason := limits.verdict(history[objective])) is not None:
        saved = limits.trainings * limits.epochs - len(scores)
        end = {"message": reason, "epochs_saved": saved, **expected}
        return {"status": "pruned", **fields, **end}
    if (reason := limits.verdict_of_trainings(ended)) is not None:
        saved = (limits.trainings - len(ended)) * limits.epochs
        end = {"message": reason, "epochs_saved": saved, "scores": ended, **expected}
        return {"status": "pruned", **fields, **end}
    return {"status": "completed", **fields}


def combine(results: Sequence[Mapping[str, Any]], objective: str | None = None) -> dict[str, Any]:
    """Return one result of those that `score_history` returned for a trial's trainings.

    The score is the mean of their scores, each at its own epochs, and ``score_std`` their standard
    deviation (of a sample: divided by n-1); ``metrics`` are the means of all metrics there. The
    best epoch is the mean of theirs, rounded. An epoch's history is the mean of the trainings that
    reached it.

    Args:
        results: The results; the last one says if the trial was pruned.
        objective: The metric whose curves become part of the result; None for none.
    """
    if len(results) == 1:
        return dict(results[0])
    scores = [result["score"] for result in results]
    histories = [result["history"] for result in results]
    curves = {} if objective is None else {"curves": [list(h[objective]) for h in histories]}
    return {
        **results[-1],
        "score": float(np.mean(scores)),
        "score_std": float(np.std(scores, ddof=1)),
        "scores": scores,
        "best_epoch": round(float(np.mean([result["best_epoch"] for result in results]))),
        "history": _mean_history(histories),
        "metrics": {
            name: float(np.mean([_at_score(result, name) for result in results]))
            for name in histories[0]
        },
        **curves,
    }


def failure(error: Exception) -> dict[str, Any]:
    """Return the fields of a failed trial's `TrialRecord` while its error is handled."""
    return {"status": "failed", "message": error_line(error), "traceback": traceback_text()}


def _at_score(result: Mapping[str, Any], name: str) -> float:
    """Return a metric of one training at the epochs of its score."""
    end = result["best_epoch"]
    return float(np.mean(result["history"][name][end - result["averaged_epochs"] : end]))


def _mean_history(histories: Sequence[History]) -> dict[str, list[float]]:
    epochs = range(max(len(values) for history in histories for values in history.values()))
    return {
        metric: [
            float(np.mean([h[metric][epoch] for h in histories if epoch < len(h[metric])]))
            for epoch in epochs
        ]
        for metric in histories[0]
    }
