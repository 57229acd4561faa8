"""The code that a search's models come from, as hashes that tell whether it changed."""
