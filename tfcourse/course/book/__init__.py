"""The book of the course: one HTML page that needs no network."""
