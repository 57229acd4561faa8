"""The imports of a worker process, made once: workers are forked from the process with them."""

import gc
import signal

from tfcourse.quiet import quiet_start

# Ctrl-C reaches this process too. The parent ends it, without the traceback of an import.
_handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
try:
    with quiet_start():
        import tfcourse.search.runtime.roles  # noqa: F401  (imported for the processes forked later)
finally:
    signal.signal(signal.SIGINT, _handler)

gc.freeze()  # a child that looks through it for garbage would copy all of it
