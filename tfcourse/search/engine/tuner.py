"""The one place that subclasses keras-tuner's ``BaseTuner``: it runs one trial after another."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial

__all__ = ["CourseTuner"]

PREFIX = "KERASTUNER_"


class CourseTuner(BaseTuner):
    """Runs the trials of an oracle one after the other.

    Args:
        oracle: The source of trials.
        run: Trains the trial of a number, and writes its record.
        directory: An existing folder; nothing is written there.
        name: The name under which the oracle knows this tuner.
    """

    def __init__(
        self,
        oracle: keras_tuner.Oracle,
        run: Callable[[int], None],
        directory: Path,
        name: str = "main",
    ) -> None:
        self.run = run
        with _without_settings_of_keras_tuner():
            super().__init__(oracle, directory=str(directory), project_name=".")
        self.tuner_id = name

    def search(self) -> None:
        """Run trials until the oracle has none left."""
        with _without_settings_of_keras_tuner():
            super().search()

    def _try_run_and_update_trial(self, trial: Trial, *args: object, **kwargs: object) -> None:
        # keras-tuner's own makes a record of its own, and continues after any error.
        self.run_trial(trial)

    def run_trial(self, trial: Trial) -> None:
        """Run one trial."""
        self.run(int(trial.trial_id))

    def save(self) -> None:
        """Write nothing: the run directory is the record."""


@contextmanager
def _without_settings_of_keras_tuner() -> Iterator[None]:
    """Hide the environment variables for keras-tuner's own chief and workers."""
    hidden = {name: os.environ.pop(name) for name in [*os.environ] if name.startswith(PREFIX)}
    try:
        yield
    finally:
        os.environ.update(hidden)
