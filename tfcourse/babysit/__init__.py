"""One training under supervision: commands between its epochs, a journal and checkpoints."""
