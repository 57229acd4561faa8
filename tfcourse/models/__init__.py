"""Functions that build, check and change whole models. Each name is loaded on first use."""

from tfcourse.public_names import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
