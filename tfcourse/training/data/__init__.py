"""The data of a training: checked, and as the batches of every epoch."""
