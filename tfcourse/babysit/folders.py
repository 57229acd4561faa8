"""The files of a run directory of a babysitter: their names, and how commands get through them."""

import json
import shlex
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tfcourse.babysit.commands import Command
from tfcourse.deletion import delete_folder, real_path
from tfcourse.errors import InputError
from tfcourse.files import is_temporary, remove_abandoned, write_atomically
from tfcourse.search.store.reading import read_json_as

__all__ = ["Answer", "RunFolder"]

# Seconds after which an answer that nobody has read is deleted.
LONGEST_WAIT = 600.0


@dataclass(frozen=True)
class Answer:
    """The answer to a command.

    Attributes:
        accepted: Whether it takes effect.
        message: The effect, or the reason why it is refused.
        epoch: The epoch before which it takes effect; None if it is refused.
    """

    accepted: bool
    message: str
    epoch: int | None = None


class RunFolder:
    """The run directory of a babysitter.

    A command is a file in ``commands/``, which appears there as a whole. The babysitter writes it
    into the journal, then the answer into ``answers/``, and then deletes it; a command that is in
    the journal already is not followed again.

    Args:
        path: The directory, which need not exist.

    Attributes:
        journal: The file of the journal.
        config: The config as it is run.
        checkpoints: The folder of the checkpoints.
        model: The model at the end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal, self.config = path / "journal.jsonl", path / "babysit.toml"
        self.checkpoints, self.model = path / "checkpoints", path / "model.keras"
        self._commands, self._answers = path / "commands", path / "answers"

    def check(self) -> None:
        """Raise InputError if the directory holds something else than a babysitter's run."""
        try:
            names = {entry.name for entry in self.path.iterdir() if not is_temporary(entry)}
        except FileNotFoundError:
            return
        except NotADirectoryError:
            raise InputError(f"{self.path} is not a directory. Choose another one.") from None
        except OSError as error:
            raise InputError(
                f"{self.path} can't be read: {error.strerror}. Correct that, or choose another one."
            ) from None
        own = {self.config, self.checkpoints, self._commands, self._answers}
        if self.journal.name not in names and names - {path.name for path in own} - {"data.json"}:
            raise InputError(
                f"{self.path} is not empty, and has no journal.jsonl: it is not the run directory "
                "of a babysitter. Choose another --out or another name."
            )

    def check_journal(self) -> None:
        """Raise InputError if the directory has no journal."""
        if self.journal.is_file():
            return
        advice = "Start one with: tfcourse babysit CONFIG."
        if (self.path / "trials").is_dir():
            advice = f"It is a search's: tfcourse show {shlex.quote(str(self.path))} shows it."
        raise InputError(
            f"{self.path} is not the run directory of a babysitter: it has no journal.jsonl. "
            f"{advice}"
        )

    def delete(self) -> None:
        """Delete the directory, see `tfcourse.deletion.delete_folder`."""
        delete_folder(self.path)

    def create(self) -> None:
        """Create the directory and its folders, and delete what killed processes left there."""
        real_path(self.path).mkdir(parents=True, exist_ok=True)
        for folder in (self.checkpoints, self._commands, self._answers):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.path, self._answers):  # commands are written by other processes
            remove_abandoned(folder)
        self._forget_answers()

    def send(self, command: Command) -> None:
        """Put a command into the folder."""
        self._commands.mkdir(parents=True, exist_ok=True)
        write_atomically(self._file(command.id), command.model_dump_json(exclude_defaults=True))

    def withdraw(self, command: Command) -> bool:
        """Delete a command that nobody has read yet; return False if it is not there any more."""
        try:
            self._file(command.id).unlink()
        except FileNotFoundError:
            return False
        return True

    def waiting(self) -> Iterator[Path]:
        """Yield the files of commands, in the order of their names."""
        with suppress(FileNotFoundError):
            entries = sorted(self._commands.iterdir())
            yield from (e for e in entries if not is_temporary(e) and e.name != "refused")

    def answer(self, file: Path, answer: Answer) -> None:
        """Write the answer to a command, and then delete its file."""
        text = json.dumps(vars(answer), ensure_ascii=False)
        # An answer that a power cut loses is given again.
        write_atomically(self._answers / f"{file.stem}.json", text, durable=False)
        file.unlink(missing_ok=True)

    def put_aside(self, file: Path) -> None:
        """Move a file that is no command into ``commands/refused``."""
        folder = self._commands / "refused"
        folder.mkdir(exist_ok=True)
        file.replace(folder / f"{time.time_ns()}-{file.name}")

    def read_answer(self, command: Command) -> Answer | None:
        """Return the answer to a command and delete its file; None if there is none yet."""
        file = self._answers / f"{command.id}.json"
        answer = read_json_as(file, Answer)
        if answer is not None:
            file.unlink(missing_ok=True)
        return answer

    def _file(self, name: str) -> Path:
        return self._commands / f"{name}.json"

    def _forget_answers(self) -> None:
        for file in self._answers.iterdir():
            with suppress(OSError):
                if file.stat().st_mtime < time.time() - LONGEST_WAIT:
                    file.unlink()
