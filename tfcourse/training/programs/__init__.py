"""The compiled programs: a model's step, repeated over many batches in one call."""
