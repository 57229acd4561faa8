"""The rows of train, dev and test set, and of folds."""
