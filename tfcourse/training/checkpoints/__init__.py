"""Checkpoints: the state of a training in files, and how it goes on from one."""
