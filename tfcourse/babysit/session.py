"""One run of ``tfcourse babysit``: from its config to the model, or to the next interruption."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfcourse.babysit.config import BabysitConfig
from tfcourse.babysit.entries import Entry
from tfcourse.babysit.folders import RunFolder
from tfcourse.babysit.journal import read_journal
from tfcourse.babysit.replay import Replay
from tfcourse.babysit.state import state_of
from tfcourse.errors import InputError
from tfcourse.files import translate_disk_errors, write_atomically
from tfcourse.quiet import quiet_start
from tfcourse.search.store.data_record import check_same_data, write_data_record
from tfcourse.search.store.lock import lock_directory
from tfcourse.search.store.reading import read_json_as, read_toml, write_json

__all__ = ["Outcome", "Session"]


@dataclass(frozen=True)
class Outcome:
    """The end of a run, or of a replay whose journal ends earlier.

    Attributes:
        epoch: The last epoch that is done.
        epochs: The number of epochs of the config.
        logs: The metrics of that epoch.
        test: The metrics of the test set; empty if there is none, or the training has not ended.
        difference: The difference of a replay from its journal, in words; empty if there is none.
    """

    epoch: int
    epochs: int
    logs: Mapping[str, float]
    test: Mapping[str, float] = field(default_factory=dict)
    difference: str = ""


class Session:
    """A training under supervision in a run directory.

    Args:
        config: Its config.
        directory: The run directory.
        replay: The journal of another run, which this one repeats.
        fresh: Whether to delete what the directory holds and start over.

    Raises:
        InputError: The directory is something else, or another config's; the journal to replay
            can't be read, or is its own.
    """

    def __init__(
        self,
        config: BabysitConfig,
        directory: Path,
        replay: Path | None = None,
        fresh: bool = False,
    ) -> None:
        self.config, self.folder, self.fresh = config, RunFolder(directory), fresh
        self._summary = directory / "summary.json"
        self.folder.check()
        self._check_config()
        self.replay = None
        if replay is not None:
            if replay.resolve() == self.folder.journal.resolve():
                raise InputError(f"--replay: {replay} is this run's own. Choose another --out.")
            self.replay = Replay(replay)

    def _check_config(self) -> None:
        tables = read_toml(self.folder.config)
        if tables is None or self.fresh:
            return
        changes = self.config.changes_since(tables)
        if changes:
            raise InputError(
                f"{self.folder.path} was trained with another config: {', '.join(changes)} "
                "differs. Start over with --fresh, or choose another --out or another name."
            )

    @translate_disk_errors()
    def outcome(self) -> Outcome | None:
        """Return the end of a run that has ended, and for which no command is left."""
        if self.fresh or not self.folder.journal.exists() or any(self.folder.waiting()):
            return None
        entries = read_journal(self.folder.journal)
        state = state_of(entries)
        test = read_json_as(self._summary, dict[str, dict[str, float]])
        if not state.has_ended or test is None or state.epoch < self.config.epochs:
            return None
        if self.replay is not None:
            self.replay.check(entries)
        return self._outcome(state.epochs[-1], test.get("test", {}))

    def _outcome(self, last: Entry | None, test: Mapping[str, float]) -> Outcome:
        difference = "" if self.replay is None else self.replay.difference
        epoch, logs = (0, {}) if last is None else (last.epoch, last.logs)
        return Outcome(epoch, self.config.epochs, logs, test, difference)

    @translate_disk_errors()
    def run(
        self,
        on_entry: Callable[[Entry], None] = lambda entry: None,
        on_message: Callable[[str], None] = lambda text: None,
    ) -> Outcome:
        """Train to the last epoch, and save and test the model.

        Args:
            on_entry: Called with each new entry of the journal.
            on_message: Called with the reason for each refusal, and with what the run waits for.

        Raises:
            InputError: The data, the model or the directory does not fit, or another process
                trains there.
            WorkFailedError: The loss exploded, and the rule ends the training.
        """
        with quiet_start():
            from tfcourse.babysit.preparation import prepare, save_and_test
            from tfcourse.babysit.runner import Runner

        with lock_directory(self.folder.path, "trained"):
            self._check_config()
            work = prepare(self.config)
            if self.fresh:
                self.folder.delete()
            check_same_data(self.folder.path, work.data_record, "training")
            self.folder.create()
            self._summary.unlink(missing_ok=True)  # of an end that a command may undo
            write_data_record(self.folder.path, work.data_record)
            write_atomically(self.folder.config, self.config.as_toml())
            runner = Runner(
                work.training, self.folder, self.config.rule, on_entry, on_message, self.replay
            )
            with closing(runner):
                runner.train(self.config.epochs)
                state = runner.record.state
            test: dict[str, Any] = {}
            if state.has_ended:
                test = save_and_test(work, self.folder.model)
                write_json(self._summary, {"test": test} if test else {})
            return self._outcome(state.epochs[-1] if state.epochs else None, test)
