"""The folders of temporary files of a search's processes, deleted also after they were killed."""

import glob
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tfcourse.deletion import real_path
from tfcourse.search.store.owner import is_alive
from tfcourse.search.store.shared_data import shared_data

__all__ = ["delete_folder_of_logs", "noting_folders", "remove_files_beside"]


@contextmanager
def noting_folders(directory: Path, folders: Sequence[Path]) -> Iterator[None]:
    """Note, beside a run directory, the folders that this process has for as long as it runs.

    After a kill the next process there deletes them. The process that workers are forked from does
    so too, unless it was killed as well.
    """
    _delete_folders_of_the_dead(directory)
    real = real_path(directory)
    note = real.with_name(f".{real.name}.{os.getpid()}.folders")
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text("\n".join(map(str, folders)), encoding="utf-8")
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def remove_files_beside(directory: Path) -> None:
    """Remove the files beside a run directory of processes that do not run any more.

    They are the data that its workers shared, and notes of folders, with these.
    """
    shared_data(directory).unlink(missing_ok=True)
    _delete_folders_of_the_dead(directory)


def _delete_folders_of_the_dead(directory: Path) -> None:
    """Delete only folders of temporary files, whatever a note says, of them only logs and sockets.

    Notes of processes that run are left alone.
    """
    if sys.platform == "win32":  # where a process can't be asked whether it runs
        return
    real = real_path(directory)
    for note in real.parent.glob(f".{glob.escape(real.name)}.*.folders"):
        process = note.name.split(".")[-2]
        if not process.isdecimal() or is_alive(int(process)):
            continue
        with suppress(OSError):
            for line in note.read_text(encoding="utf-8", errors="replace").splitlines():
                if Path(line).parent == Path(tempfile.gettempdir()):
                    delete_folder_of_logs(Path(line))
            note.unlink()


def delete_folder_of_logs(folder: Path) -> None:
    """Delete a folder with logs and sockets, unless it has others or a process listens there."""
    with suppress(OSError):  # it was deleted by the process that had it, or has other files
        listening = Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace")
        for file in folder.iterdir():
            if file.suffix == ".log" or (file.is_socket() and str(file) not in listening):
                file.unlink()
        folder.rmdir()
