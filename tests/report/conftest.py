"""The fixtures of searches, for the test of a report at a search's end."""

from tests.search.conftest import module, quick, untrained

__all__ = ["module", "quick", "untrained"]
