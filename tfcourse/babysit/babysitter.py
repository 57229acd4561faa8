"""Babysitting a model from Python."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

import keras

from tfcourse.babysit.client import address
from tfcourse.babysit.commands import Kind
from tfcourse.babysit.decisions import Situation, decide
from tfcourse.babysit.entries import Entry
from tfcourse.babysit.folders import RunFolder
from tfcourse.babysit.journal import read_journal
from tfcourse.babysit.record import Record
from tfcourse.babysit.replay import Replay
from tfcourse.babysit.rule import OnExplosion, Rule
from tfcourse.babysit.runner import Runner, Training
from tfcourse.babysit.state import RunState, state_of
from tfcourse.babysit.texts import describe
from tfcourse.errors import InputError, shown
from tfcourse.files import translate_disk_errors
from tfcourse.search.store.lock import lock_directory
from tfcourse.training.checkpoints.checkpoint import CheckpointFolder
from tfcourse.training.data.inputs import check_sizes
from tfcourse.types import Callback, KerasModel, TrainingData

__all__ = ["Babysitter"]

# Between two calls of `train` it is not known which epoch will be the last.
NO_END = sys.maxsize


class Babysitter:
    """A training that is watched, nudged and rolled back; the Python form of ``tfcourse babysit``.

    It works in a notebook, and ``tfcourse nudge`` from a terminal as well. Between two calls of
    `train` a command takes effect at once; while `train` runs, as in a callback or another thread,
    at the next epoch. ``Babysitter(build, x, y, directory)`` in a new process continues where the
    directory's journal ends.

    Args:
        model: A compiled model, or a function that returns one.
        x: The training data, as `tfcourse.fit` takes it.
        y: Its targets.
        directory: The run directory; it is created.
        validation_data: As for ``model.fit``.
        batch_size: As for ``model.fit``.
        seed: The seed of the shuffling; None for data that isn't arrays in memory, such as a
            ``tf.data.Dataset``, which must yield the same batches in every epoch.
        callbacks: Further callbacks.
        jit_compile: Whether XLA compiles. ``"auto"`` decides by the number of epochs of each call
            of `train`, on whose division the last bits of the weights then depend.
        keep: The number of checkpoints, one an epoch, that a rollback can return to; at least 2.
        on_explosion: The reaction to a loss that explodes: ``"rollback"``, ``"pause"``, ``"stop"``
            or ``"ignore"``.
        factor: See `tfcourse.babysit.rule.Rule`: the multiple of the lowest loss that explodes.
        cut: The factor of the learning rate after such a rollback.
        max_rollbacks: The most such rollbacks without a command in between.
        verbose: Whether to print a line for each entry of the journal.

    Raises:
        InputError: The model is not compiled, or the directory holds something else.
    """

    @translate_disk_errors()
    def __init__(
        self,
        model: KerasModel | Callable[[], KerasModel],
        x: TrainingData,
        y: TrainingData,
        directory: str | Path,
        *,
        validation_data: TrainingData = None,
        batch_size: int | None = None,
        seed: int | None = 0,
        callbacks: Sequence[Callback] = (),
        jit_compile: bool | Literal["auto"] = False,
        keep: int = 20,
        on_explosion: OnExplosion = "rollback",
        factor: float = 3.0,
        cut: float = 0.5,
        max_rollbacks: int = 3,
        verbose: bool = True,
    ) -> None:
        self.model: KerasModel = model if isinstance(model, keras.Model) else model()
        if getattr(self.model, "optimizer", None) is None:
            raise InputError("Babysitter needs a compiled model. Call model.compile first.")
        if keep < 2:
            raise InputError(f"keep must be a whole number >= 2. Received: {shown(keep)}.")
        self.directory, self.verbose = Path(directory), verbose
        self.rule = Rule(on_explosion, factor, cut, max_rollbacks)
        self.rule.check()
        self._training = Training(
            self.model,
            x,
            y,
            validation_data=validation_data,
            batch_size=batch_size,
            validation_batch_size=batch_size,
            seed=seed,
            jit_compile=jit_compile,
            callbacks=callbacks,
            keep=keep,
        )
        self._folder, self._is_training, self._epochs = RunFolder(self.directory), False, 0
        self._folder.check()
        with lock_directory(self.directory, "trained"), self._runner(None):
            pass

    @contextmanager
    def _runner(self, replay: Replay | None) -> Iterator[Runner]:
        runner = Runner(
            self._training, self._folder, self.rule, self._print_entry, self._print_message, replay
        )
        with closing(runner):
            yield runner

    @translate_disk_errors()
    def train(self, epochs: int, replay: str | Path | None = None) -> dict[str, list[float]]:
        """Train up to an epoch, following commands.

        Args:
            epochs: The number of the last epoch, as in ``model.fit``.
            replay: The journal of another run, which a new one repeats to the same weights.

        Returns:
            The metrics of the epochs that were not rolled back, as ``History.history``.

        Raises:
            InputError: More epochs are done, another process trains there, or the directory does
                not fit the model, the data or the journal to replay.
            WorkFailedError: The loss exploded, and the rule ends the training.
        """
        check_sizes(epochs=epochs)
        repeated = None if replay is None else Replay(Path(replay))
        self._is_training, self._epochs = True, epochs
        try:
            with lock_directory(self.directory, "trained"), self._runner(repeated) as runner:
                runner.train(epochs)
        finally:
            self._is_training = False
        if repeated is not None and repeated.difference and self.verbose:
            print(repeated.difference)
        done = self._state.epochs
        names = list(dict.fromkeys(name for entry in done for name in entry.logs))
        return {name: [entry.logs[name] for entry in done if name in entry.logs] for name in names}

    def nudge(self, *, because: str = "", **changes: float) -> None:
        """Change hyperparameters from the next epoch on; nothing is compiled again.

        Args:
            because: The reason, for the journal.
            changes: New values by name, such as ``learning_rate=0.003, beta_1=0.95``.

        Raises:
            InputError: One can't be changed, or its value is not admissible.
        """
        self._follow("nudge", changes=changes, because=because)

    def rollback(self, to: int, *, because: str = "", **changes: float) -> None:
        """Return to the end of an epoch: weights, optimizer, hyperparameters, shuffling, dropout.

        Args:
            to: The epoch; 0 is the beginning.
            because: The reason, for the journal.
            changes: New values of hyperparameters from there on.

        Raises:
            InputError: It is not done yet, or its checkpoint is gone.
        """
        self._follow("rollback", to=to, changes=changes, because=because)

    def pause(self, *, because: str = "") -> None:
        """Let `train` wait before the next epoch; ``because`` is for the journal."""
        self._follow("pause", because=because)

    def resume(self, *, because: str = "") -> None:
        """Continue after a pause; ``because`` is for the journal."""
        self._follow("resume", because=because)

    def note(self, text: str) -> None:
        """Write a text into the journal."""
        self._follow("note", text=text)

    @property
    def journal(self) -> list[Entry]:
        """The entries of the journal, the oldest first."""
        return read_journal(self._folder.journal)

    @property
    def epoch(self) -> int:
        """The number of epochs that are done and not rolled back."""
        return self._state.epoch

    def plot(self, path: str | Path) -> None:
        """Draw the run with its nudges and rollbacks into a .png, .svg or .pdf file ``path``."""
        from tfcourse.babysit.picture import save_picture

        save_picture(self.journal, Path(path), self.directory.name)

    @property
    def _state(self) -> RunState:
        return state_of(self.journal)

    @translate_disk_errors()
    def _follow(self, kind: Kind, **fields: Any) -> None:
        """Record a command, or leave it to the training that runs."""
        command = address(self.directory, kind, can_continue=True, **fields)
        if self._is_training:
            self._folder.send(command)
            return
        with lock_directory(self.directory, "trained"):
            record = Record(self._folder.journal, self._print_entry)
            with closing(record):
                checkpoints = CheckpointFolder(self._folder.checkpoints, 1).epochs()
                entry = decide(command, Situation(record.state, NO_END, checkpoints))
                record.add(entry)

    def _print_entry(self, entry: Entry) -> None:
        if self.verbose:
            print(describe(entry, self._epochs))

    def _print_message(self, text: str) -> None:
        if self.verbose:
            print(text)
