"""The data of a search: loading, splitting into folds, warnings."""
