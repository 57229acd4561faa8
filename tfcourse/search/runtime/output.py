"""The output of a process: its files, read as they grow."""

from pathlib import Path

__all__ = ["Output"]

LONGEST_END = 12  # lines


class Output:
    """The output of one process: at first in one file, and later in another.

    Args:
        path: The first file, which is the process's own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log: Path | None = None  # the file that stays, once there is one
        self._begin = self._read = 0
        self._is_displayed = False
        self._before = ""

    def show(self, begin: int) -> None:
        """Let `new_lines` return what is printed from this place of the file on."""
        self._is_displayed, self._read = True, begin

    def move(self, path: Path, begin: int) -> None:
        """Switch to another file, from the place where the process begins to write into it."""
        self._before = self.end()
        self.path = self.log = path
        self._begin = self._read = begin
        self._is_displayed = True

    def new_lines(self, ended: bool = False) -> list[str]:
        """Return the lines that were printed since the last call; the last one may be unfinished.

        Args:
            ended: Whether the process has ended, so that an unfinished line counts.
        """
        if not self._is_displayed:
            return []
        new = _read_from(self.path, self._read)
        if not ended:
            new = new[: new.rfind(b"\n") + 1]
        self._read += len(new)
        return new.decode("utf-8", "replace").splitlines()

    @property
    def place(self) -> str:
        """A sentence that names the log; empty if nothing was printed."""
        has_output = self.log is not None and _read_from(self.log, self._begin)
        return f" Its log: {self.log}." if has_output else ""

    def end(self) -> str:
        """Return the last lines."""
        lines = _read_from(self.path, self._begin).decode("utf-8", "replace").strip().splitlines()
        return "\n".join([*self._before.splitlines(), *lines][-LONGEST_END:])


def _read_from(path: Path, place: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(place)
            return file.read()
    except OSError:
        return b""
