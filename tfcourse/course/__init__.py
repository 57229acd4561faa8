"""The course's claims, and the tools with which a script in `examples/` states its result.

Importing it imports neither TensorFlow nor matplotlib. Each name is loaded on first use.
"""

from tfcourse.public_names import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
