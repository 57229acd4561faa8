"""Groups of a search's trials trained as populations: which, when it pays, and how."""
