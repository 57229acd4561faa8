"""Which values a trial gets: one module a strategy, pure functions of the records before it."""
