"""The trials of a search in the formats of other tools."""
