"""The run directory of a search: its files, its lock, and resuming from it."""
