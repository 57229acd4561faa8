"""One trial: its model, its training and what that came to."""
