"""The strategy of a project: what to do next, which model to take, how far to trust it (course 6).

Each name is loaded on first use.
"""

from tfcourse.public_names import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
