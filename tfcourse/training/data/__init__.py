"""The data of a training: its checks, and the batches of every epoch."""
