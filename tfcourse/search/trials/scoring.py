"""From the history of a trial's trainings to its score."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfcourse.search.config.search_config import SearchConfig
from tfcourse.training.non_finite.rule import logs_fault

__all__ = ["combine", "judge"]

History = Mapping[str, Sequence[float]]


def judge(history: History, config: SearchConfig) -> dict[str, Any]:
    """Status, score and best epoch of one finished training, as fields of a `TrialRecord`."""
    scores = np.asarray(history[config.search.objective])
    for epoch in range(len(scores)):
        fault = logs_fault(epoch, {name: values[epoch] for name, values in history.items()})
        if fault is not None:
            message = f"{fault.message}: {history[fault.name][epoch]}."
            return {"status": "failed", "message": message, "history": history}
    best = int(np.argmax(scores) if config.direction == "max" else np.argmin(scores))
    return {
        "status": "completed",
        "score": float(scores[best]),
        "best_epoch": best + 1,
        "history": history,
    }


def combine(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What `judge` said of each of a trial's trainings → one outcome.

    The score is the mean of their scores, each at its own best epoch, and ``score_std`` their
    standard deviation (of a sample: divided by n-1). The best epoch is the mean of theirs,
    rounded. An epoch's history is the mean of those trainings that reached it.
    """
    if len(outcomes) == 1:
        return dict(outcomes[0])
    scores = [outcome["score"] for outcome in outcomes]
    return {
        "status": "completed",
        "score": float(np.mean(scores)),
        "score_std": float(np.std(scores, ddof=1)),
        "scores": scores,
        "best_epoch": round(float(np.mean([outcome["best_epoch"] for outcome in outcomes]))),
        "history": _mean_history([outcome["history"] for outcome in outcomes]),
    }


def _mean_history(histories: Sequence[History]) -> dict[str, list[float]]:
    epochs = range(max(len(history["loss"]) for history in histories))
    return {
        metric: [
            float(np.mean([h[metric][epoch] for h in histories if epoch < len(h[metric])]))
            for epoch in epochs
        ]
        for metric in histories[0]
    }
