"""Hashes of the code that builds a search's models, to find changes in it."""
