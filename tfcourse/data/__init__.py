"""Data in: arrays, and their split into train, dev and test."""
