"""The run directory: who writes what, and whose search it is."""
