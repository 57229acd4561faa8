"""What every process of a search imports, once for all of them: they are forked from here."""

import gc

from tfcourse.quiet import quiet_start

with quiet_start():
    import tfcourse.search.runtime.chief
    import tfcourse.search.runtime.worker  # noqa: F401  (imported to be there)

gc.freeze()  # a child that looks through it for garbage would copy all of it
