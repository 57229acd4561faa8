"""The source of a run's changes: commands in its folder, and the rule for explosions."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tfcourse.babysit.adjustable import AdjustableHyperparameters
from tfcourse.babysit.commands import new_id, parse_command
from tfcourse.babysit.decisions import Situation, decide
from tfcourse.babysit.entries import Entry, now
from tfcourse.babysit.folders import Answer, RunFolder
from tfcourse.babysit.record import Record, RolledBackError
from tfcourse.babysit.rule import Rule, epoch_to_return_to, explosion
from tfcourse.babysit.texts import effect
from tfcourse.errors import InputError, WorkFailedError, encodable
from tfcourse.files import read_file
from tfcourse.training.checkpoints.checkpoint import CheckpointFolder

__all__ = ["LiveCommands"]

SECONDS_BETWEEN_LOOKS = 0.1


class LiveCommands:
    """Commands and the rule, which are followed between two epochs.

    Args:
        record: The run's record.
        folder: Its directory.
        rule: The rule for explosions.
        on_message: Called with the reason for each command that is refused, and with what the run
            waits for.
    """

    def __init__(
        self, record: Record, folder: RunFolder, rule: Rule, on_message: Callable[[str], None]
    ) -> None:
        self.record, self.folder, self.rule = record, folder, rule
        self.on_message = on_message
        self.checkpoints = CheckpointFolder(folder.checkpoints, 1)  # to read alone

    def follow(self, epoch: int, epochs: int, adjustable: AdjustableHyperparameters) -> None:
        """Follow the rule and the commands before an epoch, and wait while the run is paused.

        Args:
            epoch: The epoch; ``epochs`` + 1 after the last one.
            epochs: The number of the last epoch.
            adjustable: The hyperparameters.

        Raises:
            RolledBackError: The training has to continue from an earlier epoch.
            WorkFailedError: The loss exploded, and the rule ends the training.
        """
        self._follow_rule()
        self._take_commands(epochs, adjustable)
        if self.record.state.pause is not None and epoch <= epochs:
            self.on_message(f"Waiting for commands, such as: tfcourse resume {self.folder.path}")
        while self.record.state.pause is not None and epoch <= epochs:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            self._take_commands(epochs, adjustable)

    def _follow_rule(self) -> None:
        """Return to an earlier epoch after an explosion: to train on, to pause, or to end."""
        state, action = self.record.state, self.rule.on_explosion
        because = explosion(state.epochs, self.rule.factor)
        if action == "ignore" or not because:
            return
        to = epoch_to_return_to(state.epochs, self.checkpoints.epochs())
        rate, changes = state.epochs[-1].values.get("learning_rate"), {}
        if action == "rollback" and rate is None:
            action, because = "stop", f"{because}, and the learning rate can't be changed"
        elif action == "rollback" and state.rule_rollbacks >= self.rule.max_rollbacks:
            action, because = "stop", f"{because}, after {state.rule_rollbacks} rollbacks"
        sentence = f"{because[0].upper()}{because[1:]}"
        if to is None:
            raise WorkFailedError(f"{sentence}. No checkpoint is left to return to.")
        if action == "rollback" and rate is not None:
            changes = {"learning_rate": (rate, rate * self.rule.cut)}
        common: dict[str, Any] = {"time": now(), "epoch": state.epoch + 1, "loss": state.loss}
        common |= {"by": "rule", "because": because}
        if action == "pause" and state.pause is None:
            self.record.add(Entry(kind="pause", id=new_id(), **common))
        self.record.add(Entry(kind="rollback", id=new_id(), to=to, changes=changes, **common))
        if action != "stop":
            raise RolledBackError
        raise WorkFailedError(
            f"{sentence}: the training is back at the end of epoch {to}. Leave it a command, such "
            "as tfcourse nudge --learning-rate with --no-wait, and start it again."
        )

    def _take_commands(self, epochs: int, adjustable: AdjustableHyperparameters) -> None:
        """Decide about all commands in the folder, in the order of their ids."""
        batch: tuple[Entry, ...] = ()
        for file in self.folder.waiting():
            entry = self._take(file, epochs, batch)
            if entry is None:
                continue
            batch = (*batch, entry)
            if entry.kind == "rollback":
                raise RolledBackError
            if entry.kind == "nudge":
                adjustable.assign({name: after for name, (_, after) in entry.changes.items()})

    def _take(self, file: Path, epochs: int, batch: tuple[Entry, ...]) -> Entry | None:
        """Decide about a command; return its entry, None if it was refused or is a duplicate."""
        try:
            command = parse_command(read_file(file).decode("utf-8"))
            if file.name != f"{command.id}.json":
                raise InputError(f"The file of the command {command.id} has another name.")
        except FileNotFoundError:  # withdrawn
            return None
        except (OSError, UnicodeDecodeError, InputError) as error:
            why = encodable(str(error))
            self.on_message(f"Refused: commands/{encodable(file.name)} is put aside: {why}")
            self.folder.put_aside(file)
            self.folder.answer(file, Answer(False, why))
            return None
        state = self.record.state
        earlier = state.ids.get(command.id)
        if earlier is not None:  # the process was killed before the answer
            self.folder.answer(file, _acceptance(earlier))
            return None
        try:
            entry = decide(command, Situation(state, epochs, self.checkpoints.epochs(), batch))
        except InputError as error:
            why = encodable(str(error))
            self.on_message(f"Refused: {why}")
            self.folder.answer(file, Answer(False, why))
            return None
        self.record.add(entry)
        self.folder.answer(file, _acceptance(entry))
        return entry


def _acceptance(entry: Entry) -> Answer:
    return Answer(True, effect(entry), entry.epoch if entry.to is None else entry.to + 1)
