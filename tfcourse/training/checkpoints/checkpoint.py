"""A folder of checkpoints: each one file that is whole or absent, and checked for damage."""

import errno
import re
from pathlib import Path

from tfcourse.errors import error_line, shortened, warn
from tfcourse.files import NotAFileError, remove_abandoned, replace_atomically
from tfcourse.training.checkpoints.errors import CheckpointError, UnusableCheckpointError
from tfcourse.training.checkpoints.record import Record, place_of, read_record, write_record

__all__ = ["CheckpointFolder"]

NAME = re.compile(r"checkpoint-(\d+)\.npz")
# Errors of a file that may be intact; the others are of one that is damaged.
MAY_BE_INTACT = (errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ESTALE)

LONGEST_LIST, LONGEST_REASON = 3, 200  # zipfile's may quote the whole file


class CheckpointFolder:
    """A folder that keeps the newest few records, and returns the newest that can be read.

    Args:
        path: The folder, which exists.
        keep: The number of checkpoints to keep.
    """

    def __init__(self, path: Path, keep: int) -> None:
        self.path, self.keep = path, keep
        self.unreadable: dict[Path, str] = {}

    def files(self) -> list[Path]:
        """Return the checkpoints, the oldest first; none if the folder does not exist.

        Raises:
            CheckpointError: It can't be read.
        """
        try:
            numbered = {p: match for p in self.path.iterdir() if (match := NAME.fullmatch(p.name))}
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CheckpointError(
                f"{self.path} can't be read ({error.strerror}). Correct that and call again."
            ) from error
        return sorted(numbered, key=lambda p: int(numbered[p][1]))

    def newest(self) -> tuple[Path, Record] | None:
        """Return the newest readable checkpoint, with a warning if newer ones can't be read.

        Raises:
            UnusableCheckpointError: There are checkpoints, and all are damaged.
            CheckpointError: The folder, or a file that may be intact, can't be read.
        """
        for path in reversed(files := self.files()):
            try:
                record = read_record(path)
            except Exception as error:  # a damaged archive raises any of many
                if isinstance(error, OSError) and error.errno in MAY_BE_INTACT:
                    raise CheckpointError(
                        f"{path} can't be read ({error.strerror}), and may be intact. Correct that "
                        "and call again; or delete it, to continue without it."
                    ) from error
                reason = error.strerror if isinstance(error, NotAFileError) else None
                self.unreadable[path] = reason or shortened(error_line(error), LONGEST_REASON)
                continue
            if self.unreadable:
                warn(
                    f"{self._damage()} Continuing from the checkpoint before, {path}.",
                )
            return path, record
        if files:
            raise UnusableCheckpointError(
                f"{self._damage()} No other checkpoint is left. Delete {self.path} to start again."
            )
        return None

    def epochs(self) -> dict[int, Path]:
        """Return the readable checkpoints by the number of epochs that are done in them.

        One in the middle of an epoch is left out.

        Raises:
            CheckpointError: The folder can't be read.
        """
        by_epoch = {}
        for path in self.files():
            try:
                epoch, step = place_of(path)
            except Exception:  # a damaged archive raises any of many
                continue
            if step == 0:
                by_epoch[epoch] = path
        return by_epoch

    def save(self, record: Record) -> Path:
        """Write a checkpoint, then delete those beyond the number to keep.

        Raises:
            CheckpointError: It can't be written; the earlier ones are intact.
        """
        files = self.files()
        number = int(NAME.fullmatch(files[-1].name)[1]) + 1 if files else 0  # type: ignore[index]
        path = self.path / f"checkpoint-{number:06d}.npz"
        good = [file for file in files if file not in self.unreadable]
        try:
            self._write(path, record)
            for file in [*self.unreadable, *good[: max(0, len(good) + 1 - self.keep)]]:
                if not file.is_dir():  # one in the place of a checkpoint is not ours to delete
                    file.unlink(missing_ok=True)
        except OSError as error:
            earlier = f"{good[-1].name} is intact" if good else "There is no earlier one"
            then = "the same call continues from it" if good else "call again"
            raise CheckpointError(
                f"Training stopped: the checkpoint {path} can't be written "
                f"({error.strerror or error}). {earlier}: fix that (is the disk full?), and {then}."
            ) from error
        self.unreadable = {file: why for file, why in self.unreadable.items() if file.is_dir()}
        return path

    def _write(self, path: Path, record: Record) -> None:
        """Write a file, a second time if another process deleted it or the folder meanwhile."""
        try:
            replace_atomically(path, lambda temporary: write_record(temporary, record))
        except FileNotFoundError:
            self.path.mkdir(parents=True, exist_ok=True)
            replace_atomically(path, lambda temporary: write_record(temporary, record))

    def clear(self) -> None:
        """Delete all checkpoints.

        Raises:
            CheckpointError: They can't be deleted.
        """
        for path in self.files():
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise CheckpointError(
                    f"{path} can't be deleted ({error.strerror}). Delete it to start again."
                ) from error

    def tidy(self) -> None:
        """Delete unfinished files of writers that were killed; a running one writes again."""
        remove_abandoned(self.path)

    def _damage(self) -> str:
        lines = [f"{path} can't be read ({why})." for path, why in self.unreadable.items()]
        others = len(lines) - LONGEST_LIST
        more = [f"Nor can {others} more."] if others > 0 else []
        return " ".join(lines[:LONGEST_LIST] + more)
