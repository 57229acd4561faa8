"""What every process of a search imports, once for all of them: they are forked from here."""

from tfcourse.quiet import quiet_start

with quiet_start():
    import tfcourse.search.workers.chief
    import tfcourse.search.workers.worker  # noqa: F401  (imported to be there)
