"""The imports of a worker process, made once: workers are forked from the process with them."""

import gc

from tfcourse.quiet import quiet_start

with quiet_start():
    import tfcourse.search.runtime.roles  # noqa: F401  (imported for the processes forked later)

gc.freeze()  # a child that looks through it for garbage would copy all of it
