"""Strategies compared on known problems: the score by trials, and the time of a proposal."""
