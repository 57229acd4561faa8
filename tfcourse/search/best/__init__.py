"""The best trial of a search: its numbers, its program, and its model in other formats."""
