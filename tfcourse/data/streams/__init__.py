"""Sets of examples that are read batch by batch: images, records, rows, datasets of the user's."""
