"""The strategy of a project: what to do next, which model to take, how far to trust it (course 6).

Each name is loaded on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
