"""The imports of a worker process, made once: workers are forked from the process with them.

That process ends last, after its parent and all workers, and deletes what a killed parent left.
"""

import atexit
import gc
import os
from pathlib import Path

from tfcourse.quiet import quiet_start
from tfcourse.search.runtime.process import FOLDERS
from tfcourse.search.store.temporary_folders import delete_folder_of_logs

with quiet_start():
    import tfcourse.search.runtime.roles  # noqa: F401  (imported for the processes forked later)

gc.freeze()  # a child that looks through it for garbage would copy all of it


@atexit.register  # a forked process ends without it
def _delete_folders() -> None:
    """Delete the temporary folders of the parent: logs of workers, and the socket to this one."""
    for folder in filter(None, os.environ.get(FOLDERS, "").split(os.pathsep)):
        delete_folder_of_logs(Path(folder))
