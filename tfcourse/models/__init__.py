"""Model builders for the searches, and for use on their own."""

from tfcourse.models.build import mlp

__all__ = ["mlp"]
