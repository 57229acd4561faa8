"""One trial: its model, its training and its score."""
