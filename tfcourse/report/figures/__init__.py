"""The figures of the report, each a pure function of a search's record."""
