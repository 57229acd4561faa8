"""What a process prints into its files, read as they grow."""

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
        self.log: Path | None = None  # what is kept of it, once there is such a file
        self._begin = self._read = 0
        self._shown = False
        self._before = ""

    def show(self, begin: int) -> None:
        """From this place of the file on `new_lines` gives what is printed."""
        self._shown, self._read = True, begin

    def move(self, path: Path, begin: int) -> None:
        """Go on with another file, from the place where the process begins to write into it."""
        self._before = self.end()
        self.path = self.log = path
        self._begin = self._read = begin
        self._shown = True

    def new_lines(self, ended: bool = False) -> list[str]:
        """Return the lines that were printed since the last call; the last one may be unfinished.

        Args:
            ended: Whether the process has ended, so that an unfinished line counts.
        """
        if not self._shown:
            return []
        new = _read_from(self.path, self._read)
        if not ended:
            new = new[: new.rfind(b"\n") + 1]
        self._read += len(new)
        return new.decode("utf-8", "replace").splitlines()

    @property
    def place(self) -> str:
        """Where the output is kept, as a sentence; nothing if there is none."""
        kept = self.log is not None and _size(self.log) > self._begin
        return f" Its log: {self.log}." if kept else ""

    def end(self) -> str:
        """Return the last lines."""
        lines = _read_from(self.path, self._begin).decode("utf-8", "replace").strip().splitlines()
        return "\n".join([*self._before.splitlines(), *lines][-LONGEST_END:])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _read_from(path: Path, place: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(place)
            return file.read()
    except OSError:
        return b""
