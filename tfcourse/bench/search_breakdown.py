"""Where the time of a search's trials goes."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from tensorflow.python.framework import func_graph

from tfcourse.search.store import journal
from tfcourse.search.trials import building
from tfcourse.search.trials.vectorized import group
from tfcourse.training import loop
from tfcourse.training.data.feeds import Chunk
from tfcourse.training.population.fresh import FreshValues
from tfcourse.training.population.population import Population
from tfcourse.training.population.program import PopulationProgram
from tfcourse.training.population.run import Run
from tfcourse.training.reuse.pool import ModelPool

__all__ = ["PHASES", "Clock", "measured"]

PHASES = ("build", "trace", "compile", "train", "validate", "record")


class Clock:
    """Seconds by phase. Of phases inside each other, the time counts for the inner one."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self._inner = [0.0]

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """What runs inside counts for the phase."""
        start = time.perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            whole = time.perf_counter() - start
            self.seconds[name] += whole - self._inner.pop()
            self._inner[-1] += whole

    def move(self, seconds: float, name: str) -> None:
        """Counts part of the phase that runs now for another one."""
        self.seconds[name] += seconds
        self._inner[-1] += seconds


@contextmanager
def measured() -> Iterator[Clock]:
    """Measures all searches that run inside.

    "compile" is what the first call of a traced program takes beside the tracing: optimizing the
    graph or compiling it with XLA, and the call itself.
    """
    clock = Clock()
    with ExitStack() as stack:

        def time_calls(owner: Any, name: str, phase: str) -> None:
            stack.enter_context(
                patch.object(owner, name, _timed(clock, getattr(owner, name), phase))
            )

        for module in (building, group):  # what a module imported is its own
            time_calls(module, "build_trial", "build")
        time_calls(ModelPool, "_restated", "build")
        time_calls(func_graph, "func_graph_from_py_func", "trace")
        time_calls(loop.Loop, "_train_epoch", "train")
        time_calls(loop.Loop, "_validate", "validate")
        time_calls(journal.TrialWriter, "add", "record")
        time_calls(journal.SearchJournal, "ended", "record")
        for name in ("__init__", "prepare"):
            time_calls(Population, name, "build")
        time_calls(FreshValues, "of", "build")
        time_calls(Run, "_epoch", "train")
        time_calls(Run, "_validate", "validate")
        for owner, name in (
            (Chunk, "run"),
            (PopulationProgram, "train"),
            (PopulationProgram, "test"),
        ):
            calls = _first_calls(clock, getattr(owner, name))
            stack.enter_context(patch.object(owner, name, calls))
        yield clock


def _timed(clock: Clock, function: Callable[..., Any], phase: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with clock.phase(phase):
            return function(*args, **kwargs)

    return call


def _first_calls(clock: Clock, run: Callable[..., Any]) -> Callable[..., Any]:
    """Counts calls that trace for "compile", others for what they are part of."""

    def call(*args: Any) -> Any:
        start, traced = time.perf_counter(), clock.seconds["trace"]
        outcome = run(*args)
        traced = clock.seconds["trace"] - traced
        if traced:
            clock.move(time.perf_counter() - start - traced, "compile")
        return outcome

    return call
