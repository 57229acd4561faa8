"""The report of a search: one HTML page that needs no network, and pictures."""
