"""The imports of a worker process, made once: workers are forked from the process with them.

That process ends last, after its parent and all workers, and deletes what a killed parent left.
"""

import atexit
import gc
import os
from contextlib import suppress
from pathlib import Path

from tfcourse.quiet import quiet_start
from tfcourse.search.runtime.process import FOLDERS

with quiet_start():
    import tfcourse.search.runtime.roles  # noqa: F401  (imported for the processes forked later)

gc.freeze()  # a child that looks through it for garbage would copy all of it


@atexit.register  # a forked process ends without it
def _delete_folders() -> None:
    """Delete the temporary folders of the parent: logs of workers, and the socket to this one.

    The folder of the socket may have others of processes that live.
    """
    for folder in filter(None, os.environ.get(FOLDERS, "").split(os.pathsep)):
        with suppress(OSError):  # the parent deleted it at its end, or it has other files
            listening = Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace")
            for file in Path(folder).iterdir():
                if file.suffix == ".log" or (file.is_socket() and str(file) not in listening):
                    file.unlink()
            Path(folder).rmdir()
