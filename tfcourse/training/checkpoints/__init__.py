"""Checkpoints: the state of a training in files, from which it is resumed."""
