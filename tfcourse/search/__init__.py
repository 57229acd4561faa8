"""Searches: a TOML file in, a finished run directory out."""
