"""The fixture of searches without training."""

from tests.search.conftest import untrained

__all__ = ["untrained"]
