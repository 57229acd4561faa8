"""Strategies: pure functions from the records before a trial to its values, a module each."""
