"""The order in which trials run: the trials that are free, and who runs which."""
