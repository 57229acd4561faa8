"""The loop of a babysitter: `tfcourse.fit` over the epochs, and between them the commands."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Literal

import keras

from tfcourse.babysit.adjustable import AdjustableHyperparameters
from tfcourse.babysit.entries import Entry, now
from tfcourse.babysit.folders import RunFolder
from tfcourse.babysit.live import LiveCommands
from tfcourse.babysit.record import Record, ReplayOverError, RolledBackError
from tfcourse.babysit.replay import Replay
from tfcourse.babysit.rule import Rule
from tfcourse.errors import InputError
from tfcourse.training.checkpoints.checkpoint import CheckpointFolder
from tfcourse.training.fit import fit
from tfcourse.types import Callback, KerasModel, SampleWeight, TrainingData

__all__ = ["Runner", "Training"]


@dataclass(frozen=True)
class Training:
    """The arguments of `tfcourse.fit` that stay the same during a run.

    Attributes:
        model: The compiled model.
        x, y: The training data.
        validation_data: The validation data; None for none.
        sample_weight: The weights of the training data; None for none.
        batch_size: The batch size.
        validation_batch_size: That of the validation.
        seed: The seed of the shuffling.
        jit_compile: Whether XLA compiles.
        callbacks: Further callbacks.
        keep: The number of checkpoints to keep.
    """

    model: KerasModel
    x: TrainingData
    y: TrainingData = None
    validation_data: TrainingData = None
    sample_weight: SampleWeight = None
    batch_size: int | None = None
    validation_batch_size: int | None = None
    seed: int | None = 0
    jit_compile: bool | Literal["auto"] = False
    callbacks: Sequence[Callback] = field(default_factory=tuple)
    keep: int = 20


class Runner:
    """A training with a journal, checkpoints, and commands between its epochs.

    Args:
        training: The training.
        folder: Its run directory, whose lock the caller holds.
        rule: The rule for explosions.
        on_entry: Called with each new entry of the journal.
        on_message: Called with the reason for each refusal, and with what the run waits for.
        replay: The journal to repeat, if this is a replay; the rule and commands have no effect
            then.

    Attributes:
        record: The journal and the state.
    """

    def __init__(
        self,
        training: Training,
        folder: RunFolder,
        rule: Rule,
        on_entry: Callable[[Entry], None] = lambda entry: None,
        on_message: Callable[[str], None] = lambda text: None,
        replay: Replay | None = None,
    ) -> None:
        self.training, self.folder, self.replay = training, folder, replay
        self.on_message = on_message
        self.adjustable = AdjustableHyperparameters(training.model)
        folder.create()
        self.checkpoints = CheckpointFolder(folder.checkpoints, training.keep)
        self.record = Record(folder.journal, on_entry)
        self.live = LiveCommands(self.record, folder, rule, on_message)
        self.epochs = 0
        self._values: Mapping[str, float] = {}  # of the epoch that is trained
        if not self.record.entries:
            self._start()
        self._check_start()
        if replay is not None:
            replay.check(self.record.entries)

    def _start(self) -> None:
        names = ("tfcourse", "tensorflow", "keras", "numpy")
        versions = {name: version(name) for name in names}
        if self.checkpoints.files():  # they come after the start
            self.record.close()
            raise InputError(
                f"{self.folder.journal} has no entries, and {self.folder.checkpoints} has "
                "checkpoints: the journal is lost. Restore it, or delete both to start over."
            )
        start = Entry(kind="start", time=now(), epoch=0, run=secrets.token_hex(8))
        values = {"values": self.adjustable.read(), "versions": versions}
        self.record.add(start.model_copy(update=values))

    def _check_start(self) -> None:
        start = self.record.state.start
        if missing := [name for name in self.adjustable.read() if name not in start]:
            self.record.close()
            raise InputError(
                f"{self.folder.journal}: its start has no {' and no '.join(missing)}, which the "
                "model has: it is another model's journal, or was changed. Choose another --out."
            )

    def close(self) -> None:
        """Close the journal."""
        self.record.close()

    def train(self, epochs: int) -> None:
        """Train up to an epoch, and return when it, and all that its commands ask for, is done.

        Args:
            epochs: The number of the last epoch.

        Raises:
            InputError: More epochs are done than that.
            WorkFailedError: The loss exploded, and the rule ends the training.
        """
        record = self.record
        # A run whose journal is repeated may have trained further before it was rolled back.
        self.epochs = epochs if self.replay is None else max(epochs, self.replay.last_epoch)
        if epochs < record.state.epoch:
            raise InputError(
                f"epochs must be >= {record.state.epoch}, the epochs that are done in "
                f"{self.folder.path}; a rollback returns to an earlier one. Received: {epochs}."
            )
        while True:
            self._remove_abandoned()
            try:
                self._fit()
                self._between_epochs(self.epochs + 1)
            except RolledBackError:
                continue
            except ReplayOverError:
                pass
            break
        state = record.state
        if not state.has_ended and state.epoch >= epochs:
            record.add(Entry(kind="end", time=now(), epoch=state.epoch, loss=state.loss))

    def _fit(self) -> None:
        training = self.training
        # A checkpoint is of a model with these.
        self.adjustable.restore(self.record.state.start)
        fit(
            training.model,
            training.x,
            training.y,
            batch_size=training.batch_size,
            epochs=self.epochs,
            verbose=0,
            callbacks=[*training.callbacks, _BetweenEpochs(self)],
            validation_data=training.validation_data,
            validation_batch_size=training.validation_batch_size,
            sample_weight=training.sample_weight,
            seed=training.seed,
            jit_compile=training.jit_compile,
            on_nan="ignore",  # the rule decides, after the epoch
            checkpoint_dir=self.folder.checkpoints,
            save_every=1,
            keep_checkpoints=training.keep,
        )

    def _remove_abandoned(self) -> None:
        """Delete the checkpoints of epochs that were rolled back.

        Raises:
            InputError: The journal never had one, which it has before the checkpoint is written.
        """
        done = max((e.epoch for e in self.record.entries if e.kind == "epoch"), default=0)
        for epoch, path in self.checkpoints.epochs().items():
            if epoch > done:
                raise InputError(
                    f"{self.folder.journal} ends with epoch {done}, and {path} is of epoch "
                    f"{epoch}: the end of the journal is lost. Restore it, or delete that "
                    f"checkpoint to continue after epoch {done}."
                )
            if epoch > self.record.state.epoch:
                path.unlink(missing_ok=True)

    def begin_epoch(self, epoch: int) -> None:
        """Do what the journal says, and follow new commands, before an epoch.

        Args:
            epoch: The epoch, from 1. It may have been done before, and its checkpoint lost.
        """
        state = self.record.state
        self.adjustable.restore(state.values_in(epoch - 1))
        self.adjustable.assign(state.changes_before(epoch))
        if epoch == state.epoch + 1:
            self._between_epochs(epoch)
        self._values = self.adjustable.read()

    def _between_epochs(self, epoch: int) -> None:
        if self.replay is None:
            self.live.follow(epoch, self.epochs, self.adjustable)
        else:
            self.replay.follow(self.record, epoch, self.epochs, self.adjustable)

    def end_epoch(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Record an epoch, or compare one that is trained again with the journal."""
        numbers = {name: float(value) for name, value in logs.items()}
        entry = Entry(kind="epoch", time=now(), epoch=epoch, loss=numbers.get("loss"))
        entry = entry.model_copy(update={"logs": numbers, "values": self._values})
        if epoch <= self.record.state.epoch:
            earlier = self.record.state.epochs[epoch - 1]
            if not entry.agrees_with(earlier):
                self.on_message(
                    f"Epoch {epoch} is trained again from an earlier checkpoint, and its loss is "
                    f"{entry.loss} where the journal has {earlier.loss}: the data, the versions or "
                    "the machine changed."
                )
            return
        self.record.add(entry)
        if self.replay is not None:
            self.replay.compare_last(self.record.entries)


class _BetweenEpochs(keras.callbacks.Callback):
    """A callback that calls the runner before and after every epoch.

    Args:
        runner: The runner.
    """

    def __init__(self, runner: Runner) -> None:
        super().__init__()
        self.runner = runner

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.runner.begin_epoch(epoch + 1)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.runner.end_epoch(epoch + 1, logs or {})
