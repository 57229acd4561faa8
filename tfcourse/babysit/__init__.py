"""One training under supervision: commands between its epochs, a journal and checkpoints."""

from tfcourse.public_names import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
